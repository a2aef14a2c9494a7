// Draws peaks, and the ruler above them, on canvases.

import { pause } from "./pause.js";

/**
 * @typedef {object} Peaks
 * @property {number} samples_per_peak
 * @property {ArrayLike<number>} min
 * @property {ArrayLike<number>} max
 */

const FINE_SAMPLES = 64; // a fine peak: 1.5 ms at 44.1 kHz
const SLICE_PEAKS = 8192; // worked out at once: about 5 ms of a processor

/** The largest magnitude. @param {Peaks} peaks @returns {number} */
export function loudest({ min, max }) {
  let most = 0;
  for (let n = 0; n < max.length; n++) most = Math.max(most, max[n], -min[n]);
  return most;
}

/**
 * Work out peaks that can be magnified, bit by bit, so that the page stays at hand.
 * @param {import("./sound.js").Sound} audio
 * @returns {Promise<Peaks>}
 */
export async function finePeaks(audio) {
  const count = Math.ceil(audio.length / FINE_SAMPLES);
  const [min, max] = [new Float32Array(count), new Float32Array(count)];
  for (let begin = 0; begin < count; begin += SLICE_PEAKS) {
    const end = Math.min(begin + SLICE_PEAKS, count);
    const first = begin * FINE_SAMPLES;
    const last = Math.min(end * FINE_SAMPLES, audio.length);
    const [low, high] = [min, max].map((peaks) => peaks.subarray(begin, end));
    for (const samples of await audio.read(first, last - first)) extend(samples, low, high);
    await pause();
  }
  return { samples_per_peak: FINE_SAMPLES, min, max };
}

function extend(samples, min, max) {
  for (let peak = 0; peak < min.length; peak++) {
    const last = Math.min((peak + 1) * FINE_SAMPLES, samples.length);
    let [low, high] = [min[peak], max[peak]];
    for (let n = peak * FINE_SAMPLES; n < last; n++) {
      if (samples[n] < low) low = samples[n];
      if (samples[n] > high) high = samples[n];
    }
    min[peak] = low;
    max[peak] = high;
  }
}

/**
 * Draw a waveform over the whole canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {Peaks} peaks
 * @param {object} options
 * @param {number} options.scale  The magnitude that fills the height.
 * @param {number} options.firstPeak  The peak at the left (not a whole number).
 * @param {number} options.nPeaks  Peaks that fill the width (not a whole number).
 * @param {string} options.colour
 */
export function drawWaveform(canvas, peaks, { scale, firstPeak, nPeaks, colour }) {
  const { context, width, height } = prepare(canvas);
  const perColumn = nPeaks / width;
  const middle = height / 2;
  const zoom = (0.94 * middle) / (scale || 1);
  context.fillStyle = colour;
  for (let x = 0; x < width; x++) {
    const first = Math.floor(firstPeak + x * perColumn);
    const last = Math.max(first + 1, Math.ceil(firstPeak + (x + 1) * perColumn));
    if (first >= peaks.max.length) return; // behind the last peak
    let [low, high] = [Infinity, -Infinity];
    for (let n = first; n < last && n < peaks.max.length; n++) {
      low = Math.min(low, peaks.min[n]);
      high = Math.max(high, peaks.max[n]);
    }
    const top = middle - high * zoom;
    context.fillRect(x, top, 1, Math.max(1, middle - low * zoom - top)); // silence is a line
  }
}

/**
 * Draw ticks, with times at some of them.
 * @param {HTMLCanvasElement} canvas
 * @param {{from: number, length: number}} shown  In seconds.
 * @param {string} colour
 * @param {string} font
 */
export function drawRuler(canvas, { from, length }, colour, font) {
  const { context, width, height, ratio } = prepare(canvas);
  const roomy = (70 * ratio * length) / width; // seconds that a time's text takes
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300];
  const step = steps.find((s) => s >= roomy) ?? 600;
  const parts = step < 1 || step % 5 === 0 ? 5 : 4;
  context.fillStyle = colour;
  context.font = `${11 * ratio}px ${font}`;
  const first = Math.floor(from / step) * parts;
  for (let n = first; (n * step) / parts < from + length; n++) {
    const time = (n * step) / parts;
    const x = Math.round(((time - from) * width) / length);
    const named = n % parts === 0;
    const tick = named ? height : height / 4;
    context.globalAlpha = named ? 0.5 : 0.3;
    context.fillRect(x, height - tick, ratio, tick);
    context.globalAlpha = 1;
    if (named) context.fillText(shortTime(time, step), x + 5 * ratio, height / 2 + 2 * ratio);
  }
}

function shortTime(seconds, step) {
  const tenths = Math.round(10 * seconds);
  const whole = String(Math.floor(tenths / 10) % 60).padStart(2, "0");
  const text = `${Math.floor(tenths / 600)}:${whole}`;
  return step < 1 ? `${text}.${tenths % 10}` : text;
}

// A canvas of as many dots as it has on the screen, empty.
function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  canvas.width = Math.round(clientWidth * ratio);
  canvas.height = Math.round(clientHeight * ratio);
  return { context: canvas.getContext("2d"), width: canvas.width, height: canvas.height, ratio };
}
