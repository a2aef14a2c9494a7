// MP3 files, by the encoder LAME, which is fetched when hiphopss is packaged (see tests/vendor.py).

import { PART_LOST, PageError } from "../errors.js";
import { mp3Rate } from "./formats.js";
import { FrameCounter, infoFrame, titleTag } from "./mp3-frames.js";

const QUALITY = 0; // of LAME's variable bitrates: the best one, of about 245 kbit/s
const MIME = "audio/mpeg";

/** Encodes samples as they come. */
export class Mp3File {
  #encoder;
  #kind;
  #frames = new FrameCounter();
  #parts = [];
  #nSamples = 0;
  /** How many samples were clipped. */
  clipped = 0;
  /** The largest magnitude before clipping. */
  peak = 0;

  /** @param {import("./file.js").Kind} kind @returns {Promise<Mp3File>} */
  static async begin(kind) {
    const file = new Mp3File();
    file.#kind = kind;
    file.#encoder = await loadEncoder();
    file.#encoder.configure({
      channels: kind.channels,
      sampleRate: kind.rate,
      outputSampleRate: mp3Rate(kind.rate),
      vbrQuality: QUALITY,
    });
    return file;
  }

  /** @param {Float32Array[]} channels  The next samples, which are clipped in place. */
  push(channels) {
    for (const samples of channels) this.#clip(samples);
    this.#nSamples += channels[0].length;
    this.#keep(this.#encoder.encode(channels));
  }

  /** @returns {Blob} */
  end() {
    this.#keep(this.#encoder.finalize());
    const { rate, title } = this.#kind;
    const nSamples = Math.round((this.#nSamples * mp3Rate(rate)) / rate);
    const info = infoFrame(this.#frames, nSamples);
    return new Blob([titleTag(title), info, ...this.#parts], { type: MIME });
  }

  // The encoder's bytes are its own memory, which it uses again.
  #keep(bytes) {
    if (bytes.length === 0) return;
    this.#frames.push(bytes);
    this.#parts.push(new Blob([bytes]));
  }

  #clip(samples) {
    for (let n = 0; n < samples.length; n++) {
      const size = Math.abs(samples[n]);
      if (size > this.peak) this.peak = size;
      if (size <= 1) continue;
      this.clipped++;
      samples[n] = Math.sign(samples[n]);
    }
  }
}

async function loadEncoder() {
  const vendor = (name) => new URL(`../vendor/${name}`, import.meta.url).href;
  try {
    await import(vendor("wasm-media-encoders.js"));
    const answer = await fetch(vendor("lame.wasm"));
    return await self.WasmMediaEncoder.createEncoder(MIME, await answer.arrayBuffer());
  } catch {
    throw new PageError(PART_LOST);
  }
}
