// Writes 16-bit WAV files.

const HEADER_BYTES = 44;

/**
 * Encode audio as a 16-bit WAV file.
 *
 * Samples are times 32768, as decoders read 16-bit files, rounded, and clipped where they are
 * beyond full scale.
 * @param {Float32Array[]} channels  One array a channel, all of one length; full scale is 1.
 * @param {number} rate  Samples a second.
 * @returns {{blob: Blob, clipped: number, peak: number}}  The file, the number of clipped samples,
 *   and the largest magnitude before clipping.
 */
export function encodeWav(channels, rate) {
  const nChannels = channels.length;
  const nSamples = channels[0].length;
  const bytes = new ArrayBuffer(HEADER_BYTES + 2 * nChannels * nSamples);
  writeHeader(new DataView(bytes), nChannels, nSamples, rate);
  let clipped = 0;
  let peak = 0;
  const view = new DataView(bytes, HEADER_BYTES);
  channels.forEach((samples, channel) => {
    for (let n = 0; n < nSamples; n++) {
      const value = Math.round(32768 * samples[n]);
      const kept = Math.max(-32768, Math.min(32767, value));
      if (kept !== value) clipped++;
      peak = Math.max(peak, Math.abs(samples[n]));
      view.setInt16(2 * (n * nChannels + channel), kept, true); // WAV is little-endian
    }
  });
  return { blob: new Blob([bytes], { type: "audio/wav" }), clipped, peak };
}

function writeHeader(view, nChannels, nSamples, rate) {
  const text = (offset, letters) =>
    [...letters].forEach((letter, i) => view.setUint8(offset + i, letter.charCodeAt(0)));
  const dataBytes = 2 * nChannels * nSamples;
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format chunk
  view.setUint16(20, 1, true); // integer PCM
  view.setUint16(22, nChannels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2 * nChannels, true);
  view.setUint16(32, 2 * nChannels, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, dataBytes, true);
}
