// A separator that listens for loops: the network's stems, mended by what the beat repeats; as in
// hiphopss/loops/separator.py. Nothing waits on disk here: of the spectra, which would be too large
// for memory, those that are needed are computed once more from the samples.

import { ordered } from "../ordered.js";
import { Agreement, N_BANDS } from "./agreement.js";
import { chosen } from "./beat.js";
import { found } from "./found.js";
import { Grid, N_BINS } from "./grid.js";
import { Listening, repeating } from "./listening.js";
import { divided, toMono } from "./parts.js";
import { DECIMATION, Likeness, findPeriod, lowered } from "./period.js";

const BLOCK = 16; // frames that are separated together
const MOST_STEPS = 64; // distances between copies that are compared
const MOST_SECONDS = 600; // a longer song is separated in parts
const LEAST_COVERED = 0.05; // of a song that has copies
const FADE_SECONDS = 5; // on either side of where parts meet

/**
 * A song, read piece by piece.
 * @typedef {object} Song
 * @property {number} length  Number of samples.
 * @property {number} nChannels
 * @property {(start: number, stop: number) => Float32Array[]} read  Samples of each channel, zeros
 *   outside of the song.
 */

/**
 * What separates without loops, and does the work of this separator that can be shared out.
 * @typedef {object} Network
 * @property {number} sampleRate
 * @property {string[]} sources  The voice first.
 * @property {number} nAtOnce  How many blocks are given to `split` at the same time.
 * @property {(song: Song, told: (n: number) => void) => AsyncIterable<Float32Array[][]>} stems
 *   Consecutive blocks of the stems, by source and channel; `told` is called with their lengths.
 * @property {(material: import("./beat.js").Material) =>
 *   Promise<{samples: Float32Array[], offset: number}>} split  As `BlockSeparator.separate` of
 *   beat.js; the material's arrays may be moved.
 */

/** Separates as a network does, and uses the loops of a song if it has any. */
export class LoopSeparator {
  #network;
  #newKernels;
  #constants;

  /**
   * @param {Network} network
   * @param {() => import("../kernels.js").Kernels} newKernels  Makes kernels with memory of their
   *   own, which is free again when they are no longer used: here, once copies were compared.
   * @param {import("./beat.js").Constants} constants
   */
  constructor(network, newKernels, constants) {
    this.#network = network;
    this.#newKernels = newKernels;
    this.#constants = constants;
    /** What was found in the last song, or in each part of it: null where nothing repeats.
     *  @type {(?import("./found.js").Found)[]} */
    this.found = [];
  }

  /** What was found, in words; null if nothing repeats. */
  get loop() {
    if (!this.found.some(Boolean)) return null;
    return this.found.map((part) => part?.describe() ?? "nothing repeats").join("; then ");
  }

  /** Tempo of the song's loop; null if there is none, or if several differ. */
  get beatsAMinute() {
    const tempos = new Set(this.found.map((part) => part?.beatsAMinute ?? null));
    return tempos.size === 1 ? [...tempos][0] : null;
  }

  /**
   * Separate a mixture at the network's rate to stems that sum to it.
   * @param {import("./parts.js").Part} song  All of it.
   * @param {(nSamples: number) => void} told  Called with the numbers of samples that are done.
   * @yields {Float32Array[][]}  Consecutive blocks of the stems, by source and channel.
   */
  async *stems(song, told = () => {}) {
    const { sampleRate } = this.#network;
    this.found = [];
    const parts = divided(song, sampleRate, MOST_SECONDS, FADE_SECONDS);
    let kernels = this.#newKernels();
    const periods = parts.map((part) => kernels.passing(() => this.#period(kernels, part)));
    if (!periods.some(Boolean)) {
      this.found = parts.map(() => null);
      yield* this.#network.stems(song, told);
      return;
    }
    // Kernels that were used keep their memory, so the first part goes on with it.
    const takeKernels = () => {
      const taken = kernels ?? this.#newKernels();
      kernels = null;
      return taken;
    };
    yield* this.#faded(parts, periods, takeKernels, counted(told, song.length));
  }

  /** The period of a part of a song, or null if nothing repeats. */
  #period(kernels, part) {
    const low = lowered(kernels, part);
    const likeness = new Likeness(kernels, low, this.#network.sampleRate / DECIMATION);
    return findPeriod(likeness, this.#constants.least_likeness);
  }

  /** The stems of all parts; where two overlap, one fades out while the other fades in. */
  async *#faded(parts, periods, takeKernels, told) {
    let end = null; // what fades out
    for (const [n, part] of parts.entries()) {
      const stop = n + 1 < parts.length ? parts[n + 1].start : part.stop;
      const kept = [];
      let at = 0;
      for await (const block of this.#part(part, periods[n], takeKernels, told)) {
        const length = block[0][0].length;
        if (end) fade(block, end, at);
        const alone = Math.min(Math.max(stop - part.start - at, 0), length);
        at += length;
        if (alone) yield mapped(block, (samples) => samples.subarray(0, alone));
        if (alone < length) kept.push(mapped(block, (samples) => samples.slice(alone)));
      }
      end = kept.length ? concatenated(kept) : null;
    }
  }

  async *#part(part, period, takeKernels, told) {
    if (!period) {
      this.found.push(null);
      yield* this.#network.stems(part, told);
      return;
    }
    const half = (nSamples) => told(nSamples / 2);
    const looped = new Looped(this.#network, part, period, this.#constants);
    await looped.listen(takeKernels(), half);
    if (looped.found.covered >= LEAST_COVERED) {
      this.found.push(looped.found);
      yield* looped.stems(half);
      return;
    }
    this.found.push(null);
    yield* this.#network.stems(part, half);
  }
}

/** A song with loops, on its way to stems. */
class Looped {
  #network;
  #song;
  #period;
  #constants;
  #grid;
  #plan = [];
  #masks;
  #agreement;
  #choices;
  #shares;

  constructor(network, song, period, constants) {
    this.#network = network;
    this.#song = song;
    this.#period = period;
    this.#constants = constants;
    this.#grid = new Grid(period.samples, song.length);
    const { nFrames } = this.#grid;
    for (let first = 0; first < nFrames; first += BLOCK)
      this.#plan.push([first, Math.min(first + BLOCK, nFrames)]);
  }

  /** Run the network, and compare the copies. */
  async listen(kernels, told) {
    const { nFrames, framesPerStep } = this.#grid;
    const song = this.#song;
    const { sources, sampleRate } = this.#network;
    const listening = new Listening(kernels, song, this.#grid, sources.length);
    const read = (start, stop) => [toMono(song.read(start, stop))];
    const mono = { length: song.length, nChannels: 1, read };
    for await (const block of this.#network.stems(mono, told))
      listening.push(block.map(([samples]) => samples));
    listening.finish();
    this.#masks = listening.masks;
    const { features } = listening;
    const nSteps = Math.min(Math.floor((nFrames - 2) / framesPerStep), MOST_STEPS);
    const steps = Array.from({ length: Math.max(nSteps, 0) }, (_, n) => n + 1);
    this.#agreement = new Agreement(kernels, features, steps, this.#constants);
    const scores = this.#agreement.scores(this.#plan, this.#constants.gate);
    this.#choices = this.#plan.map((_, n) => {
      const here = new Map([...scores].map(([step, of]) => [step, of[n]]));
      return chosen(here, this.#constants.most_copies);
    });
    this.#shares = repeating(kernels, features, this.#agreement, this.#plan, this.#choices);
    this.found = found(this.#period, this.#agreement, sampleRate);
  }

  /** Separate the song block by block. */
  async *stems(told) {
    const numbers = this.#plan.keys();
    const split = (number) => this.#network.split(this.#material(number));
    const joined = new Joined(this.#song, this.#grid, this.#network.sources.length);
    for await (const [number, part] of ordered(split, numbers, this.#network.nAtOnce)) {
      const stems = joined.push(...this.#plan[number], part);
      if (!stems) continue;
      told(stems[0][0].length);
      yield stems;
    }
  }

  /** What is known of the frames of an entry of the plan. */
  #material(number) {
    const [first, last] = this.#plan[number];
    const steps = this.#choices[number];
    const grid = this.#grid;
    const bands = (values) => values.slice(first * N_BANDS, last * N_BANDS);
    return {
      step: this.#period.samples,
      nSamples: grid.nSamples,
      nFrames: last - first,
      here: this.#copy(first, last),
      copies: steps.map((step) => {
        const shift = step * grid.framesPerStep;
        return this.#copy(first + shift, last + shift);
      }),
      agreements: steps.map((step) => this.#agreement.of(step, first, last)),
      shares: this.#shares.map(bands),
    };
  }

  #copy(first, last) {
    const grid = this.#grid;
    const size = this.#network.sources.length * N_BINS;
    const masks = new Uint8Array((last - first) * size);
    const [low, high] = [Math.max(first, 0), Math.min(last, grid.nFrames)];
    if (low < high)
      masks.set(this.#masks.subarray(low * size, high * size), (low - first) * size);
    return { first, samples: this.#song.read(grid.start(first), grid.end(last)), masks };
  }
}

/** Adds overlapping blocks, and gives what is complete, with the stem that is left. */
class Joined {
  #song;
  #grid;
  #nSources;
  #held = null; // what later blocks add to, of all channels of all stems
  #weight = new Float32Array(0);

  constructor(song, grid, nSources) {
    this.#song = song;
    this.#grid = grid;
    this.#nSources = nSources;
  }

  /** @returns {?Float32Array[][]}  Stems by source and channel; null if nothing is complete. */
  push(first, last, { samples, offset }) {
    const grid = this.#grid;
    const n = this.#song.length;
    const weight = grid.weights(first, last);
    if (this.#held) {
      samples.forEach((stem, k) => addTo(stem, this.#held[k]));
      addTo(weight, this.#weight);
    }
    const done = last === grid.nFrames ? n : grid.start(last);
    const [start, stop] = [Math.max(offset, 0), Math.min(done, n)];
    this.#held = samples.map((stem) => stem.slice(done - offset));
    this.#weight = weight.slice(done - offset);
    if (stop <= start) return null;
    const inside = (values) => values.subarray(start - offset, stop - offset);
    return this.#complete(samples.map(inside), inside(weight), start, stop);
  }

  #complete(sums, weight, start, stop) {
    const rest = this.#song.read(start, stop);
    const shares = weight.map((value) => 1 / value);
    sums.forEach((sum, k) => take(sum, shares, rest[k % rest.length]));
    const stems = Array.from({ length: this.#nSources - 1 }, (_, source) =>
      sums.slice(source * rest.length, (source + 1) * rest.length),
    );
    return [...stems, rest];
  }
}

/** Weigh a stem's samples, and take them from what is left of the song. */
function take(stem, shares, left) {
  for (let n = 0; n < stem.length; n++) {
    stem[n] *= shares[n];
    left[n] -= stem[n];
  }
}

function addTo(samples, others) {
  for (let n = 0; n < others.length; n++) samples[n] += others[n];
}

/** Tells whole numbers of samples, together never more than there are. */
function counted(told, total) {
  let left = total;
  return (nSamples) => {
    const before = Math.ceil(left);
    left = Math.max(left - nSamples, 0);
    told(before - Math.ceil(left));
  };
}

/** Fade a block in over what fades out. */
function fade(block, end, at) {
  mapped(block, (samples, source, channel) => {
    const old = end[source][channel];
    for (let n = 0; n < samples.length && at + n < old.length; n++) {
      const rise = (at + n + 0.5) / old.length;
      samples[n] = old[at + n] + rise * (samples[n] - old[at + n]);
    }
  });
}

function mapped(block, change) {
  return block.map((stem, source) => stem.map((samples, c) => change(samples, source, c)));
}

function concatenated(blocks) {
  return mapped(blocks[0], (_, source, channel) => {
    const pieces = blocks.map((block) => block[source][channel]);
    const result = new Float32Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      result.set(piece, at);
      at += piece.length;
    }
    return result;
  });
}
