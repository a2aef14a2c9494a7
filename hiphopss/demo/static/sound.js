// The audio of one track, which is read where it is heard. WAV and FLAC files are never in memory
// as a whole.

import { readSamples, readWav } from "./device/wav-file.js";
import { PageError } from "./errors.js";
import { readFlac, readFrames } from "./flac.js";
import { pause } from "./pause.js";

const BLOCK = 1 << 17; // samples that are read at a time: 3 seconds at 44.1 kHz
const KEPT_BLOCKS = 4; // in case that they are heard again

const LOST = "The song can't be read any more: open it again.";

/** What can be read in parts. */
export class Sound {
  #fetch;
  #blocks = new Map(); // number -> promise; the one used last is the last

  /**
   * @param {{length: number, channels: number, sampleRate: number}} format  `length` in samples.
   * @param {(first: number, count: number) => Promise<Float32Array[]>} fetch  Gives samples, by
   *   channel.
   */
  constructor({ length, channels, sampleRate }, fetch) {
    this.length = length;
    this.channels = channels;
    this.sampleRate = sampleRate;
    this.#fetch = fetch;
  }

  /** Seconds. */
  get duration() {
    return this.length / this.sampleRate;
  }

  /**
   * @param {number} first  The first sample.
   * @param {number} count  How many of each channel; all must be there.
   * @returns {Promise<Float32Array[]>}  By channel, and the caller's own; full scale is 1.
   */
  async read(first, count) {
    const read = Array.from({ length: this.channels }, () => new Float32Array(count));
    for (let at = first; at < first + count; ) {
      const number = Math.floor(at / BLOCK);
      const block = await this.#block(number);
      const begin = at - number * BLOCK;
      const end = Math.min(begin + first + count - at, BLOCK);
      for (const [channel, samples] of read.entries()) {
        samples.set(block[channel].subarray(begin, end), at - first);
      }
      at += end - begin;
    }
    const next = Math.ceil((first + count) / BLOCK);
    if (next * BLOCK < this.length) this.#block(next); // most likely it is read soon
    return read;
  }

  #block(number) {
    const first = number * BLOCK;
    const block =
      this.#blocks.get(number) ?? this.#fetch(first, Math.min(BLOCK, this.length - first));
    this.#blocks.delete(number);
    this.#blocks.set(number, block);
    block.catch(() => this.#blocks.delete(number)); // so that it can be tried again
    if (this.#blocks.size > KEPT_BLOCKS) this.#blocks.delete(this.#blocks.keys().next().value);
    return block;
  }
}

/**
 * The sound of a file, which stays where it is if it can be read in parts.
 * @param {Blob} file
 * @param {number} rate  Of the song, in Hz.
 * @returns {Promise<Sound>}
 */
export async function soundOf(file, rate) {
  const lost = () => {
    throw new PageError(LOST); // it was removed, or its disk
  };
  const wav = await readWav(file).catch(lost);
  if (wav) {
    const read = (first, count) => readSamples(file, wav, first, count).catch(lost);
    return new Sound({ ...wav, length: wav.nSamples }, read);
  }
  const flac = await readFlac(file).catch(lost);
  if (flac && (await canRead(flac))) {
    const read = (first, count) => readFrames(flac, first, count).catch(lost);
    return new Sound({ ...flac, length: flac.nSamples }, read);
  }
  // A context of the song's own rate decodes without resampling.
  const decoder = new OfflineAudioContext(1, 1, rate);
  return soundOfAudio(await decoder.decodeAudioData(await file.arrayBuffer()));
}

// Whether this browser decodes frames without those before them.
function canRead(flac) {
  return readFrames(flac, flac.nSamples - 1, 1).then(
    () => true,
    () => false,
  );
}

// The sound of decoded audio, which is moved out of the page's memory: blobs may lie on the disk.
async function soundOfAudio(audio) {
  const { length, numberOfChannels, sampleRate } = audio;
  const blobs = await blobsOf(audio);
  const read = async (first, count) => {
    const samples = new Float32Array(await blobs[first / BLOCK].arrayBuffer());
    return Array.from({ length: numberOfChannels }, (_, channel) =>
      samples.subarray(channel * count, (channel + 1) * count),
    );
  };
  return new Sound({ length, channels: numberOfChannels, sampleRate }, read);
}

async function blobsOf(audio) {
  const { length, numberOfChannels } = audio;
  const channels = Array.from({ length: numberOfChannels }, (_, n) => audio.getChannelData(n));
  const blobs = [];
  for (let first = 0; first < length; first += BLOCK) {
    blobs.push(new Blob(channels.map((samples) => samples.subarray(first, first + BLOCK))));
    await pause();
  }
  for (const { buffer } of channels) buffer.transfer?.(0); // free at once, where browsers can
  return blobs;
}
