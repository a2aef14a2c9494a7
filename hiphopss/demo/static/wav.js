// WAV files: their header, and samples as whole numbers.

const HEADER_BYTES = 44;

/**
 * The header of a WAV file of whole numbers.
 * @param {{channels: number, nSamples: number, rate: number, bits: 16|24}} format
 * @returns {Uint8Array}
 */
export function wavHeader({ channels, nSamples, rate, bits }) {
  const view = new DataView(new ArrayBuffer(HEADER_BYTES));
  const text = (offset, letters) =>
    [...letters].forEach((letter, i) => view.setUint8(offset + i, letter.charCodeAt(0)));
  const perFrame = (bits / 8) * channels;
  const dataBytes = perFrame * nSamples;
  text(0, "RIFF");
  view.setUint32(4, HEADER_BYTES - 8 + dataBytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format chunk
  view.setUint16(20, 1, true); // integer PCM
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * perFrame, true);
  view.setUint16(32, perFrame, true);
  view.setUint16(34, bits, true);
  text(36, "data");
  view.setUint32(40, dataBytes, true);
  return new Uint8Array(view.buffer);
}

/** Turns samples into bytes, with a count of what is clipped. */
export class SampleEncoder {
  #scale;
  #bytes;
  /** How many samples were clipped. */
  clipped = 0;
  /** The largest magnitude before clipping. */
  peak = 0;

  /** @param {16|24} bits  Of a sample. */
  constructor(bits) {
    this.#bytes = bits / 8;
    this.#scale = 2 ** (bits - 1);
  }

  /**
   * @param {Float32Array[]} channels
   * @param {number} start  The first sample.
   * @param {number} end  Behind the last one.
   * @returns {Uint8Array}
   */
  encode(channels, start, end) {
    const [scale, step, nChannels] = [this.#scale, this.#bytes, channels.length];
    const bytes = new Uint8Array(step * nChannels * (end - start));
    const numbers = step === 2 ? new Int16Array(bytes.buffer) : null; // WAV is little-endian
    let { clipped, peak } = this;
    for (const [channel, samples] of channels.entries()) {
      for (let n = start, at = channel; n < end; n++, at += nChannels) {
        const sample = samples[n];
        const size = Math.abs(sample);
        if (size > peak) peak = size;
        const value = Math.floor(scale * sample + 0.5);
        const kept = value < -scale ? -scale : value >= scale ? scale - 1 : value;
        if (kept !== value) clipped++;
        if (numbers) {
          numbers[at] = kept; // all browsers run on little-endian machines
        } else {
          bytes[3 * at] = kept;
          bytes[3 * at + 1] = kept >> 8;
          bytes[3 * at + 2] = kept >> 16;
        }
      }
    }
    Object.assign(this, { clipped, peak });
    return bytes;
  }
}
