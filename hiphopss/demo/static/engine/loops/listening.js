// Listens to a song as the network hears it: masks of all frames, and what is compared of them; as
// `Looped` of hiphopss/loops/separator.py does first.

import { BINS, Coherence, Features, N_BANDS } from "./agreement.js";
import { FRAME, FrameTransform, N_BINS } from "./grid.js";

const TOGETHER = 16; // frames that are transformed at a time

/** Takes the network's stems of a song in mono, block by block. */
export class Listening {
  #kernels;
  #song;
  #grid;
  #frames;
  #mixture;
  #stems;
  #shares;
  #held;
  #offset = -FRAME / 2; // position of the first held sample
  #frame = 0; // the next one

  /**
   * @param {import("../kernels.js").Kernels} kernels
   * @param {import("./parts.js").Part} song
   * @param {import("./grid.js").Grid} grid
   * @param {number} nSources
   */
  constructor(kernels, song, grid, nSources) {
    this.#kernels = kernels;
    this.#song = song;
    this.#grid = grid;
    this.#frames = new FrameTransform(kernels, TOGETHER);
    this.#mixture = this.#frames.room(song.nChannels);
    this.#stems = this.#frames.room(nSources);
    this.#shares = kernels.floats(Math.ceil((nSources * N_BINS) / 4)); // masks of a frame, in bytes
    this.#held = Array.from({ length: nSources }, () => new Float32Array(FRAME / 2));
    /** The network's masks in bytes `[shape=(nFrames, nSources, N_BINS)]`. */
    this.masks = new Uint8Array(grid.nFrames * nSources * N_BINS);
    this.features = new Features(kernels, grid.nFrames, grid.framesPerStep, nSources);
  }

  /** Take the next samples of each source. @param {Float32Array[]} stems */
  push(stems) {
    const grid = this.#grid;
    this.#held = this.#held.map((held, source) => joined(held, stems[source]));
    const end = this.#offset + this.#held[0].length;
    let last = this.#frame;
    while (last < grid.nFrames && grid.start(last) + FRAME <= end) last++;
    for (; this.#frame < last; this.#frame = Math.min(this.#frame + TOGETHER, last))
      this.#take(this.#frame, Math.min(this.#frame + TOGETHER, last));
    if (last >= grid.nFrames) return;
    const start = grid.start(last);
    this.#held = this.#held.map((held) => held.slice(start - this.#offset));
    this.#offset = start;
  }

  /** The stems are over: zeros follow. */
  finish() {
    this.push(this.#held.map(() => new Float32Array(2 * FRAME)));
  }

  #take(first, last) {
    const grid = this.#grid;
    const begin = grid.start(first);
    const samples = this.#song.read(begin, grid.end(last));
    this.#frames.analyse(this.#mixture, grid, samples, begin, first, last);
    this.#frames.analyse(this.#stems, grid, this.#held, this.#offset, first, last, false);
    for (let frame = first; frame < last; frame++) {
      this.#takeSpectra(frame, frame - first);
      this.#takeMasks(frame, frame - first);
    }
  }

  /** Keep the mean over channels of what is compared. */
  #takeSpectra(frame, row) {
    const { width, apart } = this.#frames;
    const nChannels = this.#song.nChannels;
    const from = this.#mixture.view;
    const to = this.features.spectra.view.subarray(2 * BINS.length * frame);
    BINS.forEach((bin, n) => {
      for (let part = 0; part < 2; part++) {
        let sum = 0;
        for (let channel = 0; channel < nChannels; channel++)
          sum += from[(part * nChannels + channel) * apart + row * width + bin];
        to[2 * n + part] = sum / nChannels;
      }
    });
  }

  #takeMasks(frame, row) {
    const { width, apart } = this.#frames;
    const nSources = this.#held.length;
    const planes = [this.#stems.at(row * width), this.#stems.at(nSources * apart + row * width)];
    this.#kernels.masks(...planes, apart, N_BINS, this.#shares.pointer);
    const { buffer } = this.#shares.view;
    const found = new Uint8Array(buffer, this.#shares.pointer, nSources * N_BINS);
    this.masks.set(found, frame * found.length);
    this.features.masks.forEach((masks, source) =>
      BINS.forEach((bin, n) => (masks[frame * BINS.length + n] = found[source * N_BINS + bin])),
    );
  }
}

function joined(one, other) {
  const result = new Float32Array(one.length + other.length);
  result.set(one);
  result.set(other, one.length);
  return result;
}

/**
 * How much of each source repeats: its regression on the mean of its copies, in bands.
 * @param {import("../kernels.js").Kernels} kernels
 * @param {Features} features
 * @param {import("./agreement.js").Agreement} agreement
 * @param {[number, number][]} plan  First and last frames of blocks.
 * @param {number[][]} choices  Steps to the copies that are used in each of them.
 * @returns {Float32Array[]}  [nFrames, N_BANDS] of each source.
 */
export function repeating(kernels, features, agreement, plan, choices) {
  const room = Coherence.room(kernels, features.nFrames);
  const most = Math.max(...plan.map(([first, last]) => last - first));
  const mean = kernels.floats(2 * BINS.length * most);
  const weights = kernels.floats(N_BANDS * most);
  return features.masks.map((_, source) => {
    features.source(source, features.room);
    const coherence = new Coherence(kernels, features, features.room, room);
    plan.forEach(([first, last], n) => {
      mean.view.fill(0);
      const qualities = choices[n].map((step) => squared(agreement.of(step, first, last)));
      const shares = normalised(qualities);
      choices[n].forEach((step, nth) => {
        const shift = step * features.framesPerStep;
        const low = Math.max(first, -shift);
        const high = Math.min(last, features.nFrames - shift);
        if (high <= low) return;
        const inside = [(low - first) * N_BANDS, (high - first) * N_BANDS];
        weights.view.set(shares[nth].subarray(...inside));
        kernels.add_weighted(
          Features.at(mean, low - first), Features.at(features.room, low + shift),
          weights.pointer, high - low, features.starts.pointer, N_BANDS,
        );
      });
      coherence.multiply(mean, first, last);
    });
    return coherence.regression();
  });
}

function squared(agreement) {
  return agreement.map((value) => Math.max(value, 0) ** 2);
}

/** Weights of copies, so that they nearly sum to 1 where any agrees. */
function normalised(qualities) {
  const total = (n) => qualities.reduce((sum, quality) => sum + quality[n], 1e-6);
  return qualities.map((quality) => quality.map((value, n) => value / total(n)));
}
