// Where copies of a beat agree, and which sources repeat; as in hiphopss/loops/agreement.py.

import { rint } from "../rounding.js";
import { N_BINS } from "./grid.js";

export const N_BANDS = 20;
const LOWEST_EDGE = 8; // bins, some 86 Hz
const MOST_OF_A_BAND = 16; // bins of a band that are compared, of those in it
const SMOOTH_FRAMES = 17; // twice, so that some 1.5 seconds count
const QUIET = 0.1; // of the voice's mean power: with less, it hardly matters whose voice it is

/** First bin of each band, and the number of bins. */
export const EDGES = [0, ...spaced(LOWEST_EDGE, N_BINS, N_BANDS)];

function spaced(low, high, n) {
  const ratio = Math.log(high / low) / (n - 1);
  return Array.from({ length: n }, (_, k) => rint(low * Math.exp(ratio * k)));
}

/** Bins that are compared, and where each band starts among them, and where the last one ends. */
export const { BINS, STARTS } = compared();

function compared() {
  const [bins, starts] = [[], [0]];
  for (let band = 0; band < N_BANDS; band++) {
    const [low, width] = [EDGES[band], EDGES[band + 1] - EDGES[band]];
    const n = Math.min(width, MOST_OF_A_BAND);
    const step = n > 1 ? (width - 1) / (n - 1) : 0;
    for (let k = 0; k < n; k++)
      bins.push(k === n - 1 ? low + width - 1 : Math.trunc(k * step + low));
    starts.push(bins.length);
  }
  return { BINS: bins, STARTS: starts };
}

/**
 * What of a song is compared, and room to do so in the kernels' memory.
 *
 * Spectra of a frame are `BINS.length` pairs of real and imaginary parts.
 */
export class Features {
  #kernels;
  #mask;

  /**
   * @param {import("../kernels.js").Kernels} kernels
   * @param {number} nFrames
   * @param {number} framesPerStep  Number of frames from one copy to the next.
   * @param {number} nSources
   */
  constructor(kernels, nFrames, framesPerStep, nSources) {
    const n = nFrames * BINS.length;
    this.#kernels = kernels;
    this.#mask = kernels.floats(Math.ceil(n / 4)); // in bytes
    this.nFrames = nFrames;
    this.framesPerStep = framesPerStep;
    /** Of the mixture's mean over channels. */
    this.spectra = kernels.floats(2 * n);
    /** The network's masks there, in bytes, source by source. */
    this.masks = Array.from({ length: nSources }, () => new Uint8Array(n));
    this.starts = kernels.integers(STARTS);
    /** Room for one signal at a time. */
    this.room = kernels.floats(2 * n);
  }

  /** Spectra of a frame of the song, from which on there are those of the next ones. */
  static at(signal, frame) {
    return signal.at(2 * BINS.length * frame);
  }

  /** Write the network's estimate of a source. @param {import("../kernels.js").Numbers} signal */
  source(number, signal) {
    this.#masked(number, false, signal);
  }

  /** Write the network's estimate of everything but the voice. */
  beat(signal) {
    this.#masked(0, true, signal);
  }

  #masked(number, others, signal) {
    const { buffer } = this.#mask.view;
    new Uint8Array(buffer, this.#mask.pointer).set(this.masks[number]);
    const n = this.nFrames * BINS.length;
    const of = [this.spectra.pointer, this.#mask.pointer, n, Number(others), signal.pointer];
    this.#kernels.masked(...of);
  }
}

/** Compares a signal with itself some frames later, and with another one. */
export class Coherence {
  #kernels;
  #features;
  #signal;
  #energy;
  #least;
  #line;

  /**
   * @param {import("../kernels.js").Kernels} kernels
   * @param {Features} features
   * @param {import("../kernels.js").Numbers} signal  Its spectra.
   * @param {{energy: Numbers, values: Numbers, line: Numbers}} room  What `Coherence.room` gives.
   */
  constructor(kernels, features, signal, room) {
    this.#kernels = kernels;
    this.#features = features;
    this.#signal = signal;
    this.#energy = room.energy;
    this.#line = room.line;
    /** Room for results. */
    this.values = room.values;
    this.#products(room.energy, 0);
    // Running sums leave rounding of either sign where a song is silent.
    const energy = room.energy.view;
    let most = 0;
    energy.forEach((value, n) => {
      energy[n] = Math.max(value, 0);
      most = Math.max(most, value);
    });
    this.#least = 1e-7 * most + 1e-20;
  }

  static room(kernels, nFrames) {
    return {
      energy: kernels.floats(nFrames * N_BANDS),
      values: kernels.floats(nFrames * N_BANDS),
      line: kernels.floats(nFrames),
    };
  }

  /** Power in the mean over time around each frame, summed over bands. */
  loudness() {
    const energy = this.#energy.view;
    return Float32Array.from({ length: this.#features.nFrames }, (_, frame) => {
      let sum = 0;
      for (let band = 0; band < N_BANDS; band++) sum += energy[frame * N_BANDS + band];
      return sum;
    });
  }

  /** Write likeness to what comes `shift` frames later into `values`. */
  later(shift) {
    const n = this.#features.nFrames - shift;
    this.#products(this.values, shift);
    const [early, late] = [this.#energy.pointer, this.#energy.at(shift * N_BANDS)];
    this.#kernels.likeness(this.values.pointer, early, late, n * N_BANDS, this.#least);
  }

  /** After `later`: its mean over bands, in which loud ones count more. */
  broad(shift) {
    const n = this.#features.nFrames - shift;
    const [early, late] = [this.#energy.pointer, this.#energy.at(shift * N_BANDS)];
    this.#kernels.broad(this.values.pointer, early, late, n, N_BANDS, this.#line.pointer);
    return this.#line.view.slice(0, n);
  }

  /** Multiply some frames with those of another signal, for `regression`. */
  multiply(other, first, last) {
    const { starts } = this.#features;
    const own = Features.at(this.#signal, first);
    const out = this.values.at(first * N_BANDS);
    this.#kernels.products(own, other.pointer, last - first, starts.pointer, N_BANDS, out);
  }

  /** Share of the signal that another one explains, of which `multiply` got all frames. */
  regression() {
    this.#smooth(this.values, this.#features.nFrames);
    const [values, energy] = [this.values.view, this.#energy.view];
    return values.map((value, n) => value / Math.max(energy[n], this.#least));
  }

  /** Smoothed products of the signal with itself some frames later. */
  #products(out, shift) {
    const n = this.#features.nFrames - shift;
    const late = Features.at(this.#signal, shift);
    const starts = this.#features.starts.pointer;
    this.#kernels.products(this.#signal.pointer, late, n, starts, N_BANDS, out.pointer);
    this.#smooth(out, n);
  }

  #smooth(values, n) {
    for (let time = 0; time < 2; time++)
      this.#kernels.smooth(values.pointer, n, N_BANDS, SMOOTH_FRAMES, this.#line.pointer);
  }
}

/** Values of all numbers of half precision, by their bits. */
const halves = (() => {
  let table = null;
  const value = (bits) => {
    const [exponent, rest] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent ? (1024 + rest) * 2 ** (exponent - 25) : rest * 2 ** -24;
    return bits & 0x8000 ? -size : size;
  };
  return () => (table ??= Float32Array.from({ length: 65536 }, (_, bits) => value(bits)));
})();

/** How alike a song's copies are. */
export class Agreement {
  #later = new Map();
  #framesPerStep;

  /**
   * @param {import("../kernels.js").Kernels} kernels
   * @param {Features} features  What is compared.
   * @param {number[]} steps  Distances that are tried, in steps.
   * @param {{voice_apart: number, voice_alike: number}} constants
   */
  constructor(kernels, features, steps, constants) {
    const { nFrames } = features;
    this.#framesPerStep = features.framesPerStep;
    this.nFrames = nFrames;
    const room = Coherence.room(kernels, nFrames);
    features.source(0, features.room);
    const voice = new Coherence(kernels, features, features.room, room);
    const heard = audible(voice.loudness());
    const different = new Map();
    for (const step of steps) {
      const shift = step * features.framesPerStep;
      voice.later(shift);
      different.set(step, unlike(voice.broad(shift), heard, shift, constants));
    }
    features.beat(features.room); // in the place of the voice
    const beat = new Coherence(kernels, features, features.room, room);
    const left = kernels.floats(nFrames);
    const out = kernels.floats(Math.ceil((nFrames * N_BANDS) / 2));
    for (const step of steps) {
      const n = nFrames - step * features.framesPerStep;
      left.view.set(different.get(step));
      beat.later(step * features.framesPerStep);
      kernels.halves(beat.values.pointer, left.pointer, n, N_BANDS, out.pointer);
      const { buffer } = out.view;
      this.#later.set(step, new Uint16Array(buffer, out.pointer, n * N_BANDS).slice());
    }
  }

  /**
   * Likeness of frames to those `step` steps later (or before, if it is negative).
   * @returns {Float32Array}  [last - first, N_BANDS], 0 where there is no copy.
   */
  of(step, first, last) {
    const values = this.#later.get(Math.abs(step));
    const table = halves();
    const shift = step > 0 ? 0 : step * this.#framesPerStep;
    const result = new Float32Array((last - first) * N_BANDS);
    const low = Math.max(first + shift, 0);
    const high = Math.min(last + shift, values.length / N_BANDS);
    const to = (low - first - shift) * N_BANDS;
    for (let n = 0; n < (high - low) * N_BANDS; n++)
      result[to + n] = table[values[low * N_BANDS + n]];
    return result;
  }

  /**
   * How much likeness there is above a gate, of each step in both directions.
   * @param {[number, number][]} plan  First and last frames of what is looked at.
   * @returns {Map<number, number[]>}  For each entry of the plan, by step.
   */
  scores(plan, gate) {
    const result = new Map();
    const table = halves();
    const least = Math.fround(gate);
    for (const [step, values] of this.#later) {
      const n = values.length / N_BANDS;
      const total = new Float64Array(n + 1);
      for (let frame = 0; frame < n; frame++) {
        let sum = 0;
        for (let k = frame * N_BANDS; k < (frame + 1) * N_BANDS; k++) {
          const over = Math.fround(Math.max(table[values[k]] - least, 0));
          sum += Math.fround(over * over);
        }
        total[frame + 1] = total[frame] + sum;
      }
      const until = (frame) => total[Math.min(Math.max(frame, 0), n)];
      for (const [sign, shift] of [[-1, step * this.#framesPerStep], [1, 0]]) {
        const of = ([first, last]) => until(last - shift) - until(first - shift);
        result.set(sign * step, plan.map(of));
      }
    }
    return result;
  }

  /** All distances, in both directions. */
  signedSteps() {
    return [...this.#later.keys()].flatMap((step) => [-step, step]);
  }
}

/** How much a place's voice is heard, 0..1. */
function audible(loud) {
  const quiet = QUIET * (loud.reduce((sum, value) => sum + value, 0) / loud.length) + 1e-20;
  return loud.map((value) => value / (value + quiet));
}

/** What is left of likenesses of frames where the voice may be the same. */
function unlike(broad, heard, shift, { voice_apart: apart, voice_alike: alike }) {
  return broad.map((value, n) => {
    const same = Math.min(Math.max((value - apart) / (alike - apart), 0), 1);
    return 1 - same * Math.sqrt(heard[n] * heard[n + shift]);
  });
}
