// Parts of a song: a long one is separated in several, which overlap; as hiphopss/loops/parts.py.

import { rint } from "../rounding.js";

/** Some of a song's samples. */
export class Part {
  /** @param {Float32Array[]} channels  Of the song. @param {number} start @param {number} stop */
  constructor(channels, start, stop) {
    this.channels = channels;
    this.start = start;
    this.stop = stop;
  }

  /** All of a song. @param {Float32Array[]} channels */
  static of(channels) {
    return new Part(channels, 0, channels[0].length);
  }

  get length() {
    return this.stop - this.start;
  }

  get nChannels() {
    return this.channels.length;
  }

  /**
   * Samples, counted from the part's beginning; zeros outside of the part.
   * @returns {Float32Array[]}  New arrays, one a channel.
   */
  read(start, stop) {
    const first = Math.max(start, 0);
    const last = Math.max(Math.min(stop, this.length), first);
    const [from, to] = [this.start + first, this.start + last];
    if (last - first === stop - start) return this.channels.map((each) => each.slice(from, to));
    return this.channels.map((samples) => {
      const result = new Float32Array(stop - start);
      result.set(samples.subarray(from, to), first - start);
      return result;
    });
  }
}

/** Average channels. @param {Float32Array[]} channels  The first one becomes the mean. */
export function toMono(channels) {
  const [total, ...others] = channels;
  for (const samples of others) for (let n = 0; n < total.length; n++) total[n] += samples[n];
  if (others.length) for (let n = 0; n < total.length; n++) total[n] /= channels.length;
  return total;
}

/**
 * Equal parts of at most `mostSeconds`, with `fadeSeconds` more where one has a neighbour.
 * @param {Part} song  All of it.
 * @returns {Part[]}
 */
export function divided({ channels, length: n }, sampleRate, mostSeconds, fadeSeconds) {
  const nParts = Math.max(1, Math.ceil(n / rint(mostSeconds * sampleRate)));
  const edge = (part) => rint(part === nParts ? n : part * (n / nParts));
  const fade = rint(fadeSeconds * sampleRate);
  return Array.from({ length: nParts }, (_, part) => {
    const start = Math.max(0, edge(part) - fade);
    return new Part(channels, start, Math.min(n, edge(part + 1) + fade));
  });
}
