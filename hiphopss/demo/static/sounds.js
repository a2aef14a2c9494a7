// The sounds of one song. Only what is listened to is fetched, and of that only so much is kept.

import { readFile } from "./api.js";
import { fileAt } from "./device/library.js";
import { soundOf } from "./sound.js";

const KEPT_BYTES = 1e9; // on the disk, or in the browser's memory

export class Sounds {
  #rate;
  #samplesPerTrack;
  #sets = new Map(); // the last one used is the last

  /** @param {import("./api.js").Result} result */
  constructor(result) {
    this.#rate = result.sample_rate;
    this.#samplesPerTrack = result.channels * result.n_samples;
  }

  /**
   * Make a set of tracks ready to be read, unless it is.
   * @param {string} id
   * @param {Object<string, import("./api.js").Track>} tracks
   * @returns {Promise<Object<string, import("./sound.js").Sound>>}
   */
  get(id, tracks) {
    const opening = this.#sets.get(id) ?? this.#openAll(tracks);
    this.#sets.delete(id);
    this.#sets.set(id, opening);
    opening.catch(() => this.#sets.delete(id)); // so that it can be tried again
    this.#dropOldest(Object.keys(tracks).length * 2 * this.#samplesPerTrack);
    return opening;
  }

  async #openAll(tracks) {
    const opening = Object.entries(tracks).map(async ([name, { audio }]) => {
      const file = fileAt(audio) ?? (await readFile(audio));
      return [name, await soundOf(file, this.#rate)];
    });
    return Object.fromEntries(await Promise.all(opening));
  }

  #dropOldest(bytesPerSet) {
    // The one in use, and one to compare it with, stay whatever they take.
    const kept = Math.max(2, Math.floor(KEPT_BYTES / bytesPerSet));
    while (this.#sets.size > kept) this.#sets.delete(this.#sets.keys().next().value);
  }
}
