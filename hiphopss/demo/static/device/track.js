// A track of a song as it comes, block by block: written as WAV, and measured for its pictures.

import { SampleEncoder, wavHeader } from "../wav.js";
import { PeakMeter } from "./peaks.js";
import { drawLevels, LevelMeter } from "./spectrogram.js";
import { put } from "./store.js";
import { crc32 } from "./zip.js";

const PIECE = 1 << 15; // samples that are taken at a time

/**
 * What all tracks of a song have in common.
 * @typedef {object} Format
 * @property {number} rate
 * @property {number} channels
 * @property {number} nSamples
 * @property {16|24} bits
 * @property {import("../engine/kernels.js").Kernels} kernels
 */

export class Track {
  #folder;
  #name;
  #sink;
  #encoder;
  #peaks;
  #levels;
  #crc = 0;

  /**
   * @param {import("./store.js").DiskFolder|import("./store.js").MemoryFolder} folder
   * @param {string} name
   * @param {Format} format
   */
  static async create(folder, name, format) {
    const track = new Track();
    track.#folder = folder;
    track.#name = name;
    track.#encoder = new SampleEncoder(format.bits);
    track.#peaks = new PeakMeter(format.nSamples);
    track.#levels = new LevelMeter(format.nSamples, format.rate, format.kernels);
    track.#sink = await folder.sink(`${name}.wav`);
    track.#put(wavHeader(format));
    return track;
  }

  /** @param {Float32Array[]} channels  The next samples, by channel. */
  write(channels) {
    for (let start = 0; start < channels[0].length; start += PIECE) {
      const end = Math.min(start + PIECE, channels[0].length);
      this.#put(this.#encoder.encode(channels, start, end));
      const piece = channels.map((samples) => samples.subarray(start, end));
      this.#peaks.push(piece);
      this.#levels.push(piece);
    }
  }

  #put(bytes) {
    this.#sink.write(bytes);
    this.#crc = crc32(this.#crc, bytes);
  }

  /** Let go of the file. */
  close() {
    this.#sink?.close();
    this.#sink = null;
  }

  /**
   * End the track, and draw it.
   * @param {?number} top  The level of the brightest colour, in dB; null for the track's highest.
   * @returns {Promise<{track: object, top: number}>}  As it stands in `result.json`.
   */
  async finish(top) {
    this.close();
    const name = this.#name;
    const levels = this.#levels.levels();
    const brightest = top ?? levels.reduce((a, b) => Math.max(a, b));
    await put(this.#folder, `${name}.peaks.json`, JSON.stringify(this.#peaks.peaks()));
    await put(this.#folder, `${name}.png`, await drawLevels(levels, brightest));
    const files = { audio: `${name}.wav`, peaks: `${name}.peaks.json`, spectrogram: `${name}.png` };
    return { track: { ...files, ending: "wav", metrics: null, crc: this.#crc }, top: brightest };
  }
}
