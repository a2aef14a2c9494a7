// Small helpers for the page.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  play: "M7 4.5v15l12.5-7.5z",
  pause: "M6.5 4.5h4v15h-4zM13.5 4.5h4v15h-4z",
  start: "M5 5h2.6v14H5zM19.5 5v14L8.6 12z",
  download: "M10.7 3h2.6v8.2l3-3 1.8 1.8L12 16.2 5.9 10l1.8-1.8 3 3zM4 18.4h16V21H4z",
  close: "M7 5.6 5.6 7l5 5-5 5L7 18.4l5-5 5 5 1.4-1.4-5-5 5-5L17 5.6l-5 5z",
};

/** The element with that id. @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Make an element.
 * @param {string} tag
 * @param {Object<string, any>} [attributes]  A function is a listener, `null` is left out.
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** An icon. @param {keyof ICONS} name @returns {SVGElement} */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Whether a button is pressed. @param {Element} button @param {boolean} pressed */
export function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

/** A source's name as a heading. @param {string} name @returns {string} */
export const capital = (name) => name[0].toUpperCase() + name.slice(1);

/** Focus the first of some elements that can be seen. @param {...string} ids */
export function focusFirst(...ids) {
  ids.map(byId).find((element) => element.checkVisibility())?.focus();
}

const SHOWN_MILLISECONDS = 4000; // and as long as it takes to read
const MILLISECONDS_A_CHARACTER = 70;
let fading = 0;

/** Show for a while what has just happened, and have it read out. @param {string} text */
export function announce(text) {
  byId("status").textContent = text;
  clearTimeout(fading);
  const shown = SHOWN_MILLISECONDS + MILLISECONDS_A_CHARACTER * text.length;
  fading = setTimeout(() => (byId("status").textContent = ""), shown);
}

// It may cover something: whoever touches the page wants to see what is there.
document.addEventListener("pointerdown", () => (byId("status").textContent = ""), true);

/** Hand a file to the user. @param {Blob} blob @param {string} name */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // once the browser has surely taken it
}
