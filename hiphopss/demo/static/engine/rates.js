// Songs of other rates than the network's: resampled piece by piece by workers before they are
// separated, and their stems afterwards, as `separate_blocks` of hiphopss/separation/separator.py
// does.

import { Part } from "./loops/parts.js";
import { ordered } from "./ordered.js";
import { Resampling, resampledLength } from "./resampling.js";

const PIECE = 1 << 17; // samples that a worker makes at a time

/** Resamples a song, and its stems back to the song's rate. */
export class Rates {
  #crew;
  #rates;

  /**
   * @param {{size: number, hand: (task: object, moved: Transferable[]) => Promise<object>}} crew
   *   Workers of worker.js.
   * @param {number} song  The song's rate, in whole samples a second.
   * @param {number} network  The network's.
   */
  constructor(crew, song, network) {
    this.#crew = crew;
    this.#rates = { song, network };
  }

  /** Whether the song has the network's rate. */
  get areEqual() {
    return this.#rates.song === this.#rates.network;
  }

  /** Whether the rates have a ratio that can be resampled by: only odd ones can't. */
  get arePossible() {
    const { song, network } = this.#rates;
    const both = [new Resampling(song, network), new Resampling(network, song)];
    return this.areEqual || both.every((rates) => rates.isPossible);
  }

  /**
   * The song at the network's rate.
   * @param {Part} song
   * @returns {Promise<Part>}
   */
  async resampled(song) {
    if (this.areEqual) return song;
    const { song: from, network: to } = this.#rates;
    const rates = new Resampling(from, to);
    const length = resampledLength(song.length, from, to);
    const channels = Array.from({ length: song.nChannels }, () => new Float32Array(length));
    const starts = Array.from({ length: Math.ceil(length / PIECE) }, (_, n) => n * PIECE);
    const make = (start) => {
      const stop = Math.min(start + PIECE, length);
      const { from: first, to: last } = rates.needs(start, stop);
      const task = { task: "resample", rates: [from, to], offset: first, start, stop };
      const samples = song.read(first, last);
      return this.#crew.hand(
        { ...task, channels: samples },
        samples.map(({ buffer }) => buffer),
      );
    };
    for await (const [start, { samples }] of ordered(make, starts, 2 * this.#crew.size))
      samples.forEach((piece, c) => channels[c].set(piece, start));
    return Part.of(channels);
  }

  /**
   * Stems at the song's rate.
   * @param {AsyncIterable<Float32Array[][]>} blocks  At the network's, by source and channel.
   * @param {number} nSamples  Of the song.
   * @yields {Float32Array[][]}
   */
  async *back(blocks, nSamples) {
    if (this.areEqual) {
      yield* blocks;
      return;
    }
    const make = ({ nSources, ...task }) =>
      this.#crew.hand(
        { task: "resample", ...task },
        task.channels.map(({ buffer }) => buffer),
      );
    const tasks = this.#tasks(blocks, nSamples);
    for await (const [{ nSources }, { samples }] of ordered(make, tasks, 2 * this.#crew.size)) {
      const n = samples.length / nSources;
      yield Array.from({ length: nSources }, (_, source) =>
        samples.slice(source * n, source * n + n),
      );
    }
  }

  /** What is to be resampled, as soon as all that it needs is there. */
  async *#tasks(blocks, nSamples) {
    const { song: to, network: from } = this.#rates;
    const rates = new Resampling(from, to);
    let [held, offset, start, nSources] = [null, 0, 0, 0];
    const task = (stop) => {
      const first = Math.max(rates.needs(start, stop).from, offset);
      const channels = held.map((samples) => samples.slice(first - offset));
      return { rates: [from, to], channels, offset: first, start, stop, nSources };
    };
    for await (const block of blocks) {
      nSources = block.length;
      const flat = block.flat();
      held = held ? flat.map((samples, n) => joined(held[n], samples)) : flat;
      const stop = Math.min(rates.ready(offset + held[0].length), nSamples);
      if (stop <= start) continue;
      yield task(stop);
      start = stop;
      const kept = Math.max(rates.needs(start, start + 1).from, offset);
      held = held.map((samples) => samples.slice(kept - offset));
      offset = kept;
    }
    if (start < nSamples) yield task(nSamples);
  }
}

function joined(one, other) {
  const result = new Float32Array(one.length + other.length);
  result.set(one);
  result.set(other, one.length);
  return result;
}
