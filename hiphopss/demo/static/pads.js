// Large pads for fingers, one a stem: a tap mutes it or lets it through, and while a pad is held
// its stem is heard alone.

import { capital, element } from "./dom.js";

const HOLD_MILLISECONDS = 300;

export class Pads {
  #root;
  #acts;
  #pads = new Map();

  /**
   * @param {HTMLElement} root
   * @param {{mute: (source: string) => void, hold: (source: string, held: boolean) => void}} acts
   */
  constructor(root, acts) {
    this.#root = root;
    this.#acts = acts;
  }

  /** Make the pads of a song. @param {string[]} sources */
  open(sources) {
    this.#pads = new Map(sources.map((source) => [source, this.#pad(source)]));
    this.#root.replaceChildren(...this.#pads.values());
  }

  /** @param {(source: string) => boolean} isOn  Whether a stem is not muted. */
  show(isOn) {
    for (const [source, pad] of this.#pads) pad.setAttribute("aria-checked", isOn(source));
  }

  #pad(source) {
    const name = capital(source);
    const attributes = { type: "button", role: "switch", class: "pad", "data-source": source };
    const pad = element("button", { ...attributes, "aria-label": `${name} on` }, name);
    let waiting = 0;
    let held = false;
    let wasHeld = false; // the click that follows means nothing then
    const release = () => {
      clearTimeout(waiting);
      if (held) this.#acts.hold(source, false);
      held = false;
    };
    pad.addEventListener("pointerdown", () => {
      wasHeld = false;
      waiting = setTimeout(() => {
        held = wasHeld = true;
        this.#acts.hold(source, true);
      }, HOLD_MILLISECONDS);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      pad.addEventListener(end, release);
    }
    pad.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long touch
    pad.addEventListener("click", () => {
      if (!wasHeld) this.#acts.mute(source);
      wasHeld = false;
    });
    return pad;
  }
}
