// The worker that makes one audio file; `makeFile` of file.js asks it, one thing after the other.

import { explained } from "../device/errors.js";
import { crc32 } from "../device/zip.js";
import { SampleEncoder, wavHeader } from "../wav.js";
import { Mp3File } from "./mp3.js";

const PIECE = 1 << 22; // bytes of a file that are looked at at a time

let making = null;

self.addEventListener("message", async ({ data: { begin, block, end } }) => {
  try {
    if (begin) making = begin.format === "mp3" ? await Mp3File.begin(begin) : new WavFile(begin);
    if (block) making.push(block);
    self.postMessage(end ? await finished(making) : {});
  } catch (error) {
    self.postMessage({ error: explained(error) });
  }
});

async function finished(file) {
  const blob = file.end();
  const { clipped, peak } = file;
  return { blob, crc: await checksum(blob), clipped, peak };
}

async function checksum(blob) {
  let crc = 0;
  for (let at = 0; at < blob.size; at += PIECE) {
    crc = crc32(crc, new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()));
  }
  return crc;
}

class WavFile {
  #kind;
  #encoder;
  #parts = [];
  #nSamples = 0;

  /** @param {import("./file.js").Kind} kind */
  constructor(kind) {
    this.#kind = kind;
    this.#encoder = new SampleEncoder(kind.bits);
  }

  /** @param {Float32Array[]} channels  The next samples. */
  push(channels) {
    const { length } = channels[0];
    // blobs may lie on the disk
    this.#parts.push(new Blob([this.#encoder.encode(channels, 0, length)]));
    this.#nSamples += length;
  }

  get clipped() {
    return this.#encoder.clipped;
  }

  get peak() {
    return this.#encoder.peak;
  }

  /** @returns {Blob} */
  end() {
    const header = wavHeader({ ...this.#kind, nSamples: this.#nSamples });
    return new Blob([header, ...this.#parts], { type: "audio/wav" });
  }
}
