// Decoded audio of one song. Only what is listened to is decoded, and of that only so much is
// kept: a stereo song of ten minutes takes 850 MB a version.

import { readBytes } from "./api.js";
import { fileAt } from "./device/library.js";
import { readSamples, readWav } from "./device/wav-file.js";

const KEPT_BYTES = 1e9;
const BLOCK = 1 << 17; // samples that are read at a time: the page stays responsive

export class Buffers {
  #rate;
  #bytesPerTrack;
  #sets = new Map(); // the last one used is the last

  /** @param {import("./api.js").Result} result */
  constructor(result) {
    this.#rate = result.sample_rate;
    this.#bytesPerTrack = 4 * result.channels * result.n_samples;
  }

  /**
   * Decode a set of tracks, unless it is there.
   * @param {string} id
   * @param {Object<string, import("./api.js").Track>} tracks
   * @returns {Promise<Object<string, AudioBuffer>>}
   */
  get(id, tracks) {
    const decoding = this.#sets.get(id) ?? this.#decodeAll(tracks);
    this.#sets.delete(id);
    this.#sets.set(id, decoding);
    decoding.catch(() => this.#sets.delete(id)); // so that it can be tried again
    this.#dropOldest(Object.keys(tracks).length * this.#bytesPerTrack);
    return decoding;
  }

  async #decodeAll(tracks) {
    // A context of the song's own rate decodes without resampling.
    const decoder = new OfflineAudioContext(1, 1, this.#rate);
    const decode = async ([name, { audio }]) => {
      const file = fileAt(audio);
      if (file) return [name, await read(file)];
      return [name, await decoder.decodeAudioData(await readBytes(audio))];
    };
    return Object.fromEntries(await Promise.all(Object.entries(tracks).map(decode)));
  }

  #dropOldest(bytesPerSet) {
    // The one in use, and one to compare it with, stay whatever they take.
    const kept = Math.max(2, Math.floor(KEPT_BYTES / bytesPerSet));
    while (this.#sets.size > kept) this.#sets.delete(this.#sets.keys().next().value);
  }
}

// Reads a track that is on this device piece by piece: its file is as large as some of its buffer.
async function read(file) {
  const wav = await readWav(file);
  const { nSamples: length, channels: numberOfChannels, sampleRate } = wav;
  const buffer = new AudioBuffer({ length, numberOfChannels, sampleRate });
  for (let at = 0; at < length; at += BLOCK) {
    const block = await readSamples(file, wav, at, BLOCK);
    block.forEach((samples, channel) => buffer.copyToChannel(samples, channel, at));
  }
  return buffer;
}
