// A worker that encodes one WAV file; `encodeWav` of wav.js asks it.

import { SampleEncoder, wavHeader } from "./wav.js";

const PIECE = 1 << 19; // samples that are encoded at a time

self.addEventListener("message", ({ data: { channels, rate } }) => {
  const nSamples = channels[0].length;
  const encoder = new SampleEncoder(16);
  const parts = [wavHeader({ channels: channels.length, nSamples, rate, bits: 16 })];
  for (let start = 0; start < nSamples; start += PIECE) {
    // blobs may lie on the disk
    const bytes = encoder.encode(channels, start, Math.min(start + PIECE, nSamples));
    parts.push(new Blob([bytes]));
  }
  const { clipped, peak } = encoder;
  self.postMessage({ blob: new Blob(parts, { type: "audio/wav" }), clipped, peak });
});
