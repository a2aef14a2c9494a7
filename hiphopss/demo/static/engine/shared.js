// The network and the loop stage, shared out among workers.

import { ordered } from "./ordered.js";
import { Separator } from "./separator.js";

/**
 * A network that workers run, as the loop stage needs it and without loops.
 * @implements {import("./loops/separator.js").Network}
 */
export class SharedNetwork {
  #crew;
  #config;

  /**
   * @param {{size: number, hand: (task: object, moved: Transferable[]) => Promise<object>}} crew
   *   Workers of worker.js.
   * @param {import("./weights.js").Weights} weights
   */
  constructor(crew, { config, sources }) {
    this.#crew = crew;
    this.#config = config;
    this.sampleRate = config.sample_rate;
    this.sources = sources;
    // While a worker does one thing, the next one is already there.
    this.nAtOnce = 2 * crew.size;
  }

  /**
   * The network's stems, by source and channel.
   * @param {import("./loops/separator.js").Song} song
   * @param {(nSamples: number) => void} told  Called with the numbers of samples that are done.
   * @yields {Float32Array[][]}  Consecutive blocks.
   */
  async *stems(song, told) {
    const parts = Separator.parts(this.#config, song.length);
    const separated = ordered((part) => this.#separate(song, part), parts, this.nAtOnce);
    for await (const [{ start, stop }, { stems }] of separated) {
      told(stop - start);
      yield stems;
    }
  }

  #separate(song, { start, stop }) {
    const { from, to } = Separator.reach(this.#config, start, stop, song.length);
    const offset = Math.max(from, 0);
    const channels = song.read(offset, Math.min(to, song.length));
    const task = { task: "separate", channels, offset, start, stop, nSamples: song.length };
    return this.#crew.hand(task, buffers(channels));
  }

  /**
   * Separate a block of frames by its copies.
   * @param {import("./loops/beat.js").Material} material
   */
  split(material) {
    const { here, copies, agreements, shares } = material;
    const frames = [here, ...copies].flatMap(({ samples, masks }) => [...samples, masks]);
    const moved = buffers([...frames, ...agreements, ...shares]);
    return this.#crew.hand({ task: "split", material }, moved);
  }
}

function buffers(arrays) {
  return arrays.map(({ buffer }) => buffer);
}
