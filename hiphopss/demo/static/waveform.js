// Draws peaks, and the ruler above them, on canvases.

/**
 * @typedef {object} Peaks
 * @property {number} samples_per_peak
 * @property {number[]} min
 * @property {number[]} max
 */

/** The largest magnitude. @param {Peaks} peaks @returns {number} */
export function loudest({ min, max }) {
  return Math.max(...max.map((value, n) => Math.max(value, -min[n])), 0);
}

/**
 * Draw a waveform over the whole canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {Peaks} peaks
 * @param {object} options
 * @param {number} options.scale  The magnitude that fills the height.
 * @param {number} options.nPeaks  Peaks that fill the width (not a whole number).
 * @param {string} options.colour
 */
export function drawWaveform(canvas, peaks, { scale, nPeaks, colour }) {
  const { context, width, height } = prepare(canvas);
  const perColumn = nPeaks / width;
  const middle = height / 2;
  const zoom = (0.94 * middle) / (scale || 1);
  context.fillStyle = colour;
  for (let x = 0; x < width; x++) {
    const first = Math.floor(x * perColumn);
    const last = Math.max(first + 1, Math.ceil((x + 1) * perColumn));
    const low = Math.min(...peaks.min.slice(first, last));
    const high = Math.max(...peaks.max.slice(first, last));
    if (low > high) return; // behind the last peak
    const top = middle - high * zoom;
    context.fillRect(x, top, 1, Math.max(1, middle - low * zoom - top)); // silence is a line
  }
}

/**
 * Draw ticks, with times at some of them.
 * @param {HTMLCanvasElement} canvas
 * @param {number} seconds  Of the width.
 * @param {string} colour
 * @param {string} font
 */
export function drawRuler(canvas, seconds, colour, font) {
  const { context, width, height, ratio } = prepare(canvas);
  const roomy = (70 * ratio * seconds) / width; // seconds that a time's text takes
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300].find((s) => s >= roomy) ?? 600;
  const parts = step % 5 ? 4 : 5;
  context.fillStyle = colour;
  context.font = `${11 * ratio}px ${font}`;
  for (let n = 0; (n * step) / parts < seconds; n++) {
    const x = Math.round((n * step * width) / (parts * seconds));
    const named = n % parts === 0;
    const length = named ? height : height / 4;
    context.globalAlpha = named ? 0.5 : 0.3;
    context.fillRect(x, height - length, ratio, length);
    context.globalAlpha = 1;
    if (!named) continue;
    const time = (n * step) / parts;
    const text = `${Math.floor(time / 60)}:${String(time % 60).padStart(2, "0")}`;
    context.fillText(text, x + 5 * ratio, height / 2 + 2 * ratio);
  }
}

// A canvas of as many dots as it has on the screen, empty.
function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  canvas.width = Math.round(clientWidth * ratio);
  canvas.height = Math.round(clientHeight * ratio);
  return { context: canvas.getContext("2d"), width: canvas.width, height: canvas.height, ratio };
}
