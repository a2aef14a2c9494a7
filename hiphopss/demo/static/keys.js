// The keyboard. Digits go by their place on the keyboard, letters by what is printed on them.

import { byId } from "./dom.js";

/**
 * What keys do.
 * @typedef {object} Actions
 * @property {() => void} playOrPause
 * @property {(seconds: number) => void} skip
 * @property {() => void} toStart
 * @property {() => void} toEnd
 * @property {(direction: number) => void} page  Far on, or back.
 * @property {(stem: number) => void} mute  The stem's number from 0.
 * @property {(stem: number) => void} solo
 * @property {() => void} loop
 * @property {() => void} original
 */

/**
 * Listen to the keyboard.
 * @param {Actions} actions
 * @param {() => boolean} ready  Whether there is a song to act on.
 */
export function listenToKeys(actions, ready) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "?" && !ownsText(event.target)) {
      byId("help").showModal();
      return;
    }
    const act = ready() && actionOf(event, actions);
    if (!act) return;
    event.preventDefault(); // the page would scroll
    if (!event.repeat || event.key.startsWith("Arrow")) act();
  });
  // After a click by mouse, space shall play, not press the same button again.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (event.detail > 0 && button && !button.closest("dialog")) button.blur();
  });
}

function actionOf(event, actions) {
  const { target, shiftKey } = event;
  if (ownsText(target)) return null;
  const isRange = target.matches("input[type=range]");
  const seconds = shiftKey ? 1 : 5;
  const onRuler = target.getAttribute("role") === "slider" && rulerAction(event, actions, seconds);
  if (onRuler) return onRuler;
  if (event.key === "ArrowLeft") return isRange ? null : () => actions.skip(-seconds);
  if (event.key === "ArrowRight") return isRange ? null : () => actions.skip(seconds);
  if (event.key === "Home") return isRange ? null : actions.toStart;
  if (event.key === "End") return isRange ? null : actions.toEnd;
  if (event.code === "Space") {
    return target.closest("button, a, summary") ? null : actions.playOrPause;
  }
  const stem = /^(?:Digit|Numpad)([1-4])$/.exec(event.code);
  if (stem) return () => (shiftKey ? actions.solo : actions.mute)(Number(stem[1]) - 1);
  return { l: actions.loop, o: actions.original }[letterOf(event)] ?? null;
}

// What the ruler does besides, as sliders do; elsewhere these keys scroll the page.
function rulerAction({ key }, actions, seconds) {
  const acts = {
    ArrowUp: () => actions.skip(seconds),
    ArrowDown: () => actions.skip(-seconds),
    PageUp: () => actions.page(1),
    PageDown: () => actions.page(-1),
  };
  return acts[key] ?? null;
}

// On keyboards of other scripts, letters go by their place, too.
function letterOf({ key, code }) {
  return /^[a-z]$/i.test(key) ? key.toLowerCase() : code.replace("Key", "").toLowerCase();
}

function ownsText(target) {
  return target.matches("input:not([type=range]), select, textarea");
}
