// Separates parts of songs of any rate, as `separate_blocks` of hiphopss/separation/separator.py
// does for whole songs: resampled, separated at the network's rate, and resampled back.

import { Resampler, Resampling, resampledLength } from "./resampling.js";
import { Separator } from "./separator.js";

/** What parts of a song need, in its own samples. */
export class Song {
  /**
   * @param {import("./weights.js").SignalConfig} config
   * @param {number} rate  The song's, in whole samples a second.
   * @param {number} nSamples
   */
  constructor(config, rate, nSamples) {
    this.config = config;
    this.nSamples = nSamples;
    this.isOwnRate = rate === config.sample_rate;
    this.there = new Resampling(rate, config.sample_rate);
    this.back = new Resampling(config.sample_rate, rate);
    /** Length at the network's rate. */
    this.nResampled = resampledLength(nSamples, rate, config.sample_rate);
  }

  /** Whether the song can be resampled; only odd rates can't. */
  get isPossible() {
    return this.isOwnRate || (this.there.isPossible && this.back.isPossible);
  }

  /** Parts of a good size. @returns {{start: number, stop: number}[]} */
  parts() {
    const parts = Separator.parts(this.config, this.nResampled);
    const place = (n) => Math.round((n * this.nSamples) / this.nResampled);
    return parts.map(({ start, stop }) => ({ start: place(start), stop: place(stop) }));
  }

  /** Samples at the network's rate from which a part of the stems is resampled. */
  resampledPart(start, stop) {
    const { from, to } = this.back.needs(start, stop);
    return { start: Math.max(from, 0), stop: Math.min(to, this.nResampled) };
  }

  /** Samples of the song that a part is computed from: the first, and the one after the last. */
  needs(start, stop) {
    let reach;
    if (this.isOwnRate) reach = Separator.reach(this.config, start, stop, this.nSamples);
    else {
      const part = this.resampledPart(start, stop);
      const inner = Separator.reach(this.config, part.start, part.stop, this.nResampled);
      reach = this.there.needs(inner.from, inner.to);
    }
    return { from: Math.max(reach.from, 0), to: Math.min(reach.to, this.nSamples) };
  }
}

/** Separates parts of one song. */
export class SongSeparator {
  #separator;
  #song;
  #there;
  #back;

  /**
   * @param {import("./kernels.js").Kernels} kernels
   * @param {Separator} separator
   * @param {Song} song
   */
  constructor(kernels, separator, song) {
    this.#separator = separator;
    this.#song = song;
    if (song.isOwnRate) return;
    this.#there = new Resampler(kernels, song.there);
    this.#back = new Resampler(kernels, song.back);
  }

  /**
   * Separate a part of the song.
   * @param {Float32Array[]} channels  Samples of the song, at least those that it `needs`.
   * @param {number} offset  Position of the first of them.
   * @param {number} start @param {number} stop  The part.
   * @returns {Float32Array[][]}  Stems by source and channel, from `start` to `stop`.
   */
  separate(channels, offset, start, stop) {
    const song = this.#song;
    const separator = this.#separator;
    if (song.isOwnRate) return separator.separate(channels, offset, start, stop, song.nSamples);
    const part = song.resampledPart(start, stop);
    const reach = Separator.reach(song.config, part.start, part.stop, song.nResampled);
    const [from, to] = [Math.max(reach.from, 0), Math.min(reach.to, song.nResampled)];
    const resampled = channels.map((samples) => this.#there.resample(samples, offset, from, to));
    const stems = separator.separate(resampled, from, part.start, part.stop, song.nResampled);
    return stems.map((stem) =>
      stem.map((samples) => this.#back.resample(samples, part.start, start, stop)),
    );
  }
}
