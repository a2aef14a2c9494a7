// The sounds of one song. Only what is listened to is decoded, and of that only so much is kept.

import { readBytes } from "./api.js";
import { fileAt } from "./device/library.js";
import { soundOfAudio, soundOfFile } from "./sound.js";

const KEPT_BYTES = 1e9; // on the disk, or in the browser's memory
const DECODED_BYTES = 5e8; // at a time, in the page's memory

export class Sounds {
  #rate;
  #samplesPerTrack;
  #free; // how many tracks may be decoded beside those that are
  #waiting = []; // for one of these to end
  #sets = new Map(); // the last one used is the last

  /** @param {import("./api.js").Result} result */
  constructor(result) {
    this.#rate = result.sample_rate;
    this.#samplesPerTrack = result.channels * result.n_samples;
    // Browsers put decoded packets together, so that a track is there twice.
    this.#free = Math.max(1, Math.floor(DECODED_BYTES / (2 * 4 * this.#samplesPerTrack)));
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
    const open = async ([name, { audio }]) => {
      const file = fileAt(audio);
      return [name, file ? await soundOfFile(file) : await this.#decode(audio)];
    };
    return Object.fromEntries(await Promise.all(Object.entries(tracks).map(open)));
  }

  // A track after the other, if they are long.
  async #decode(url) {
    if (this.#free > 0) this.#free--;
    else await new Promise((begin) => this.#waiting.push(begin));
    try {
      // A context of the song's own rate decodes without resampling.
      const decoder = new OfflineAudioContext(1, 1, this.#rate);
      return await soundOfAudio(await decoder.decodeAudioData(await readBytes(url)));
    } finally {
      if (this.#waiting.length > 0) this.#waiting.shift()();
      else this.#free++;
    }
  }

  #dropOldest(bytesPerSet) {
    // The one in use, and one to compare it with, stay whatever they take.
    const kept = Math.max(2, Math.floor(KEPT_BYTES / bytesPerSet));
    while (this.#sets.size > kept) this.#sets.delete(this.#sets.keys().next().value);
  }
}
