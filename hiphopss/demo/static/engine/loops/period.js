// The period of a loop: the lag at which a song is most like itself; as hiphopss/loops/period.py.

import { Resampler, Resampling, resampledLength } from "../resampling.js";
import { rint } from "../rounding.js";
import { FourierTransform } from "../transform.js";
import { toMono } from "./parts.js";

/** By what the sampling rate is divided before a period is looked for. */
export const DECIMATION = 4;
const SHORTEST_S = 1.5;
const LONGEST_S = 24.0;
const LEAST_HEARD = 3; // times that a song must have room for a loop
const MOST_OF_SONG = 0.6; // a longer lag has too few samples to compare
const WORTH = 0.1; // likeness of copies that are worth comparing
const NEARLY = 0.9; // of the largest likeness
const FINE = 16; // how many times finer than the lower rate's samples a maximum is looked for
const REACH = 24; // samples of the lower rate around a maximum that interpolate it

const PIECE = 2 ** 14; // samples of the lower rate that are computed together
const BLOCK = 2 ** 16; // samples of the lower rate that are transformed together
const TOGETHER = 4; // blocks that are transformed at a time

/**
 * Length of a loop.
 * @typedef {object} Period
 * @property {number} samples  Length of the step between copies, in samples of the song.
 * @property {number} nSteps  Number of steps in the loop.
 * @property {number} likeness  Largest normalised autocorrelation; 1 if a song repeats exactly.
 */

/**
 * The mean of a song's channels, at a lower rate.
 * @param {import("../kernels.js").Kernels} kernels
 * @param {import("./parts.js").Part} part
 * @returns {Float32Array}
 */
export function lowered(kernels, part) {
  const low = new Float32Array(resampledLength(part.length, DECIMATION, 1));
  const rates = new Resampling(DECIMATION, 1);
  const resampler = new Resampler(kernels, rates);
  for (let start = 0; start < low.length; start += PIECE) {
    const stop = Math.min(start + PIECE, low.length);
    const { from, to } = rates.needs(start, stop);
    low.set(resampler.resample(toMono(part.read(from, to)), from, start, stop), start);
  }
  return low;
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Normalised autocorrelation of a signal at a lower rate. */
export class Likeness {
  #products;
  #energy;

  /**
   * @param {import("../kernels.js").Kernels} kernels
   * @param {Float32Array} waveform  At least one sample.
   * @param {number} rate  Its sampling rate in Hz.
   */
  constructor(kernels, waveform, rate) {
    this.rate = rate;
    this.nSamples = waveform.length;
    const nLags = Math.min(waveform.length, Math.floor(MOST_OF_SONG * waveform.length) + 2);
    this.#products = autocorrelation(kernels, waveform, nLags);
    this.#energy = new Float64Array(waveform.length + 1);
    waveform.forEach((value, n) => (this.#energy[n + 1] = this.#energy[n] + value * value));
  }

  /** Likeness at a whole lag, of up to 0.6 of the song; 0 where there is nothing to compare. */
  at(lag) {
    const total = this.#energy[this.nSamples];
    const scale = Math.sqrt(this.#energy[this.nSamples - lag] * (total - this.#energy[lag]));
    return scale <= 1e-6 * total ? 0 : this.#products[lag] / scale;
  }

  /** The maximum near a lag, to a fraction of a sample: its lag and its likeness. */
  peak(lag, reach) {
    const near = Array.from({ length: 2 * reach + 1 }, (_, n) => rint(lag) - reach + n);
    const middle = near[largest(near.map((each) => this.at(each)))];
    const around = Array.from({ length: 2 * REACH + 1 }, (_, n) => n - REACH);
    const values = around.map(
      (n) => this.at(middle + n) * (0.5 + 0.5 * Math.cos((Math.PI * n) / (REACH + 1))),
    );
    const offsets = Array.from({ length: 2 * FINE + 1 }, (_, n) => n / FINE - 1);
    const fine = offsets.map((offset) =>
      around.reduce((sum, n, index) => sum + sinc(offset - n) * values[index], 0),
    );
    return [middle + offsets[largest(fine)], this.at(middle)];
  }
}

/** Sums of products of a signal with itself some samples later, by that number. */
function autocorrelation(kernels, waveform, nLags) {
  const nBlocks = Math.ceil(waveform.length / BLOCK);
  const transform = new FourierTransform(kernels, 2 * BLOCK);
  const { width } = transform;
  const re = kernels.floats(nBlocks * width);
  const im = kernels.floats(nBlocks * width);
  const window = kernels.floats(2 * BLOCK);
  window.view.fill(1, 0, BLOCK); // zeros after each block
  const samples = kernels.floats((TOGETHER + 1) * BLOCK);
  const starts = kernels.integers(Array.from({ length: TOGETHER }, (_, n) => n * BLOCK));
  for (let first = 0; first < nBlocks; first += TOGETHER) {
    samples.view.fill(0);
    samples.view.set(waveform.subarray(first * BLOCK, (first + TOGETHER) * BLOCK));
    const n = Math.min(TOGETHER, nBlocks - first);
    const rows = [re.at(first * width), im.at(first * width)];
    transform.analyse(...rows, samples.pointer, starts.pointer, n, window.pointer);
  }
  window.view.fill(1);
  const sum = [kernels.floats(width), kernels.floats(width)];
  const products = new Float32Array(nLags);
  for (let apart = 0; apart < nBlocks && (apart - 1) * BLOCK < nLags; apart++) {
    sum.forEach((numbers) => numbers.view.fill(0));
    for (let early = 0; early + apart < nBlocks; early++) {
      const [of, to] = [early * width, (early + apart) * width];
      kernels.correlate(
        sum[0].pointer, sum[1].pointer, re.at(of), im.at(of), re.at(to), im.at(to), width,
      );
    }
    samples.view.fill(0, 0, 2 * BLOCK);
    const [real, imag] = sum.map((numbers) => numbers.pointer);
    transform.synthesise(samples.pointer, starts.pointer, real, imag, 1, window.pointer);
    const found = samples.view;
    const lowest = (apart - 1) * BLOCK; // the lag of the first one
    for (let n = Math.max(0, -lowest); n < 2 * BLOCK && lowest + n < nLags; n++)
      products[lowest + n] += found[n];
  }
  return products;
}

/** Where the largest value is; the first of several. */
function largest(values) {
  return values.reduce((best, value, n) => (value > values[best] ? n : best), 0);
}

/**
 * Find the period of a song.
 * @param {Likeness} likeness  Autocorrelation of the song at the lower rate.
 * @param {number} least  Likeness below which the song has no loop.
 * @returns {?Period}  null if nothing repeats.
 */
export function findPeriod(likeness, least) {
  const { rate } = likeness;
  const first = rint(SHORTEST_S * rate);
  const stop = Math.min(
    rint(LONGEST_S * rate), Math.floor(likeness.nSamples / LEAST_HEARD) + 1,
  );
  let [best, strongest] = [first, first < stop ? likeness.at(first) : -Infinity];
  for (let lag = first; lag < stop; lag++) {
    const value = likeness.at(lag);
    if (value > strongest) [best, strongest] = [lag, value];
  }
  if (!(strongest >= least)) return null;
  const whole = refined(likeness, best);
  const most = Math.max(1, Math.trunc(whole / (SHORTEST_S * rate)));
  const counts = Array.from({ length: most }, (_, n) => n + 1);
  const step = whole / counts[largest(counts.map((n) => gathered(likeness, whole / n)))];
  const alike = Array.from({ length: rint(whole / step) }, (_, n) =>
    likeness.at(rint((n + 1) * step)),
  );
  const enough = NEARLY * Math.max(...alike);
  const nSteps = alike.findIndex((value) => value >= enough) + 1;
  return { samples: step * DECIMATION, nSteps, likeness: strongest };
}

/** How much a song is like itself at all multiples of a step, less what they cost. */
function gathered(likeness, step) {
  const n = Math.trunc((MOST_OF_SONG * likeness.nSamples) / step);
  let sum = 0;
  for (let multiple = 1; multiple <= n; multiple++)
    sum += likeness.at(rint(multiple * step)) - WORTH;
  return sum;
}

/** A period from its multiples: the further away, the more exact. */
function refined(likeness, lag) {
  const strength = likeness.at(rint(lag));
  const reach = 2;
  for (let n = 1; n * lag + REACH + reach < MOST_OF_SONG * likeness.nSamples; n++) {
    const [found, value] = likeness.peak(n * lag, reach);
    if (value < 0.5 * strength) break;
    lag = found / n;
  }
  return lag;
}
