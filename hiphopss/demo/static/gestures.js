// What is done with a pointer, two fingers or a wheel on a lane or on the ruler.

const DRAG_PIXELS = 5; // less is a click
const LEAST_SPREAD = 30; // pixels between two fingers: nearer ones would magnify by leaps
const LINE_PIXELS = 16; // of wheels that count lines
const WHEEL_PIXELS = 300; // of a wheel that magnify twice

/**
 * What gestures do. Places are fractions of the width.
 * @typedef {object} Acts
 * @property {(place: number) => number} moment  The moment at a place.
 * @property {(seconds: number) => void} click
 * @property {(begin: number, end: number) => void} drag  Told on the way, in seconds, as `drop`.
 * @property {(begin: number, end: number) => void} drop
 * @property {() => void} cancel  A drag became something else.
 * @property {(factor: number, place: number) => void} magnify
 * @property {(widths: number) => boolean} shift  Whether there was anything to shift.
 * @property {() => boolean} wheelMagnifies  Whether a wheel does so without a key.
 */

/** Listen to gestures on an element. @param {HTMLElement} target @param {Acts} acts */
export function listenToGestures(target, acts) {
  const box = () => target.getBoundingClientRect();
  const width = () => box().width || 1;
  const placeAt = (x) => Math.max(0, Math.min(1, (x - box().left) / width()));
  listenToFingers(target, acts, placeAt, width);
  const wheel = (event) => {
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1;
    const [x, y] = [event.deltaX * pixels, event.deltaY * pixels];
    if (event.ctrlKey || event.metaKey || (acts.wheelMagnifies() && Math.abs(y) > Math.abs(x))) {
      event.preventDefault(); // the browser would magnify, or scroll, the page
      // What touchpads tell of a pinch is small.
      const strength = event.ctrlKey && Math.abs(y) < 30 ? 10 : 1;
      acts.magnify(2 ** ((-y * strength) / WHEEL_PIXELS), placeAt(event.clientX));
    } else if (Math.abs(x) > Math.abs(y)) {
      if (acts.shift(x / width())) event.preventDefault(); // else the browser may go back a page
    }
  };
  target.addEventListener("wheel", wheel, { passive: false });
}

/**
 * Listen to a bar that shows which part of the song is shown: it is pulled.
 * @param {HTMLElement} bar
 * @param {(shift: number) => void} shift  By a share of the bar's width.
 */
export function listenToBar(bar, shift) {
  let x = null;
  bar.addEventListener("pointerdown", (event) => {
    bar.setPointerCapture(event.pointerId);
    x = event.clientX;
  });
  bar.addEventListener("pointermove", (event) => {
    if (x === null) return;
    shift((event.clientX - x) / bar.getBoundingClientRect().width);
    x = event.clientX;
  });
  for (const end of ["pointerup", "pointercancel"]) bar.addEventListener(end, () => (x = null));
}

// A click goes there, a drag sets the region, two fingers magnify and shift.
function listenToFingers(target, acts, placeAt, width) {
  const fingers = new Map(); // pointer -> where it is
  let begin = null;
  const spread = () => {
    const [one, other] = fingers.values();
    return { middle: (one + other) / 2, size: Math.max(LEAST_SPREAD, Math.abs(one - other)) };
  };
  const dragged = (event) => begin && Math.abs(event.clientX - begin.x) >= DRAG_PIXELS;
  const moment = (event) => acts.moment(placeAt(event.clientX));
  const give = (event) => {
    if (begin) acts.cancel();
    begin = null;
    fingers.delete(event.pointerId);
  };
  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (event.isPrimary) fingers.clear(); // of fingers whose end was never told
    if (fingers.size === 2) return;
    fingers.set(event.pointerId, event.clientX);
    target.setPointerCapture(event.pointerId);
    if (fingers.size === 2) {
      acts.cancel();
      begin = null;
    } else begin = { x: event.clientX, seconds: moment(event) };
  });
  target.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    if (fingers.size === 2) {
      const before = spread();
      fingers.set(event.pointerId, event.clientX);
      const now = spread();
      acts.magnify(now.size / before.size, placeAt(now.middle));
      acts.shift((before.middle - now.middle) / width());
    } else if (dragged(event)) acts.drag(begin.seconds, moment(event));
  });
  target.addEventListener("pointerup", (event) => {
    fingers.delete(event.pointerId);
    if (!begin) return;
    if (dragged(event)) acts.drop(begin.seconds, moment(event));
    else acts.click(begin.seconds);
    begin = null;
  });
  target.addEventListener("pointercancel", give);
}
