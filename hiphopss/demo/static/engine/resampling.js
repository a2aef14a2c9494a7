// Resampling by linear-phase filters, as hiphopss/signal/reading.py does it with soxr's "VHQ".
//
// So that stems agree at any rate, the filters are soxr's own, as they were measured by its answers
// to single samples: a sinc in a Kaiser window that cuts off just below the lower of both Nyquist
// frequencies; and, unless one rate is twice or four times the other, a wider one in addition.
// Times are in samples of the lower rate.

import { rint } from "./rounding.js";

const CUTOFF = 0.95566416; // of the lower Nyquist frequency
const ALONE = { cutoff: CUTOFF, beta: 18.4335, half: 133.25 };
const FIRST = { cutoff: CUTOFF, beta: 19.11122, half: 138.25 };
const SECOND_UP = { cutoff: 1.750775, beta: 19.6055, half: 5 };
const SECOND_DOWN = { cutoff: 1.891172, beta: 19.6043, half: 4.5926 };
const SIMPLE = { 4: [FIRST], 2: [ALONE], 0.5: [ALONE], 0.25: [ALONE] }; // by the rates' ratio
const PANEL = 8; // as in kernels.c
const MOST_FACTORS = 4e6; // 16 MB

/** Number of samples after resampling; at least 1. */
export function resampledLength(nSamples, rateIn, rateOut) {
  return Math.max(1, rint((nSamples * rateOut) / rateIn));
}

/** From one rate to another; all rates are whole numbers of samples a second. */
export class Resampling {
  #filters;

  /** @param {number} rateIn @param {number} rateOut */
  constructor(rateIn, rateOut) {
    const common = greatestDivisor(rateIn, rateOut);
    const times = rateOut / common < PANEL ? PANEL : 1; // so that no panel is computed in vain
    /** So many samples come in for `nOut` that go out. */
    this.nIn = (times * rateIn) / common;
    this.nOut = (times * rateOut) / common;
    this.slower = Math.min(1, rateOut / rateIn);
    const second = rateOut > rateIn ? SECOND_UP : SECOND_DOWN;
    this.#filters = SIMPLE[rateIn / rateOut] ?? [FIRST, second];
    const half = this.#filters.reduce((sum, filter) => sum + filter.half, 0);
    /** How far a sample reaches, in samples that come in. */
    this.reach = Math.ceil(half / this.slower) + 1;
  }

  /** Whether the filter's table is of a reasonable size. */
  get isPossible() {
    return this.nOut * 2 * this.reach <= MOST_FACTORS;
  }

  /** What has to come in for samples that go out: from the first, up to the one after the last. */
  needs(start, stop) {
    const position = (n) => Math.floor((n * this.nIn) / this.nOut);
    return { from: position(start) - this.reach, to: position(stop - 1) + this.reach + 2 };
  }

  /** How many samples can go out when so many have come in, without the last ones. */
  ready(n) {
    return Math.max(0, Math.floor(((n - this.reach - 2) * this.nOut) / this.nIn));
  }

  /**
   * The filter as a function of time, which is counted in parts of a sample of the lower rate: as
   * many as the larger of `nIn` and `nOut`.
   * @returns {(ticks: number) => number}
   */
  response() {
    const perSample = Math.max(this.nIn, this.nOut);
    const [first, second] = this.#filters.map(kaiserSinc);
    if (!second) return (ticks) => this.slower * first(ticks / perSample);
    // The first filter is sampled twice a sample, so the second is needed at half ticks.
    const most = Math.ceil(2 * this.#filters[0].half);
    const sampled = Array.from({ length: 2 * most + 1 }, (_, n) => first((n - most) / 2));
    const end = Math.ceil(2 * perSample * this.#filters[1].half);
    const table = Float64Array.from({ length: end + 1 }, (_, n) => second(n / 2 / perSample));
    return (ticks) => {
      const low = Math.max(-most, Math.ceil((2 * ticks - end) / perSample));
      const high = Math.min(most, Math.floor((2 * ticks + end) / perSample));
      let sum = 0;
      for (let n = low; n <= high; n++)
        sum += sampled[n + most] * table[Math.abs(2 * ticks - n * perSample)];
      return (this.slower * sum) / 2;
    };
  }
}

/** Resamples any part of a signal. */
export class Resampler {
  #kernels;
  #rates;
  #panels = [];
  #depth;
  #room = null;

  /**
   * @param {import("./kernels.js").Kernels} kernels
   * @param {Resampling} rates
   */
  constructor(kernels, rates) {
    this.#kernels = kernels;
    this.#rates = rates;
    const { nIn, nOut, reach } = rates;
    this.#depth = Math.ceil(2 * reach + ((PANEL - 1) * nIn) / nOut) + 1;
    const response = rates.response();
    for (let first = 0; first < nOut; first += PANEL) {
      const start = Math.floor((first * nIn) / nOut) - reach; // among the samples that come in
      const factors = new Float32Array(this.#depth * PANEL);
      for (let n = 0; n < PANEL; n++) {
        const ticks = (first + n) * nIn - start * nOut;
        for (let k = 0; k < this.#depth; k++) factors[k * PANEL + n] = response(ticks - k * nOut);
      }
      this.#panels.push({ first, start, factors: kernels.floats(factors) });
    }
  }

  /**
   * @param {Float32Array} samples
   * @param {number} offset  Position of the first one; what isn't given counts as zeros.
   * @param {number} start  Position of the first sample to make.
   * @param {number} stop  Position after the last one.
   * @returns {Float32Array}
   */
  resample(samples, offset, start, stop) {
    const { nIn, nOut, reach } = this.#rates;
    const row = Math.floor(start / nOut); // each row makes `nOut` samples from the same place on
    const n = Math.ceil(stop / nOut) - row;
    const { input, output } = this.#roomFor(n);
    const begin = row * nIn - reach; // position of the first number in `input`
    const first = Math.max(begin, offset);
    const last = Math.min(begin + input.length, offset + samples.length);
    const view = input.view;
    view.fill(0);
    if (last > first) view.set(samples.subarray(first - offset, last - offset), first - begin);
    for (const panel of this.#panels) {
      // A row's last panel may reach into the next row, where it makes the same samples again.
      const [to, from] = [output.at(panel.first), input.at(panel.start + reach)];
      const factors = panel.factors.pointer;
      this.#kernels.matmul(to, nOut, from, nIn, factors, n, this.#depth, 1, 0, 0);
    }
    return output.view.slice(start - row * nOut, stop - row * nOut);
  }

  /** Memory for so many rows; it only grows. */
  #roomFor(n) {
    const { nIn, nOut, reach } = this.#rates;
    if (!(this.#room?.n >= n)) {
      const input = this.#kernels.floats(n * nIn + reach + this.#depth);
      this.#room = { n, input, output: this.#kernels.floats(n * nOut + PANEL) };
    }
    return this.#room;
  }
}

/** A sinc in a Kaiser window, as a function of time. */
function kaiserSinc({ cutoff, beta, half }) {
  const scale = cutoff / bessel(beta);
  return (time) => {
    const inside = 1 - (time / half) ** 2;
    if (inside <= 0) return 0;
    const angle = Math.PI * cutoff * time;
    const sinc = angle ? Math.sin(angle) / angle : 1;
    return scale * sinc * bessel(beta * Math.sqrt(inside));
  };
}

/** The modified Bessel function of order 0. */
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestDivisor(a, b) {
  return b ? greatestDivisor(b, a % b) : a;
}
