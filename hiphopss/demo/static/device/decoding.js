// Files to samples: WAV files are read by the job's worker, all others by the browser.

import { DeviceError } from "./errors.js";
import { readHeader } from "./headers.js";

// The longest song, in samples of all channels: ten minutes in stereo at 48 kHz. It takes up to
// 0.9 GB of memory while it is separated.
const MOST_SAMPLES = 2 * 600 * 48_000;

const MOST_BYTES = 300 * 2 ** 20; // of a file that is decoded as a whole
const MOST_CHANNELS = 2;
const RATES = [8000, 192_000]; // Hz; all browsers play this range
const USUAL_RATE = 44_100; // where a file's own can't be known
const PATIENCE = 10_000; // milliseconds to find out how long a file is

/**
 * What is separated.
 * @typedef {object} Source
 * @property {{file: Blob, wav: import("./wav-file.js").Wav}|
 *   {channels: Float32Array[], sampleRate: number}} source
 * @property {number} nSamples  Of all channels together.
 * @property {16|24} bits  That hold the song's precision.
 * @property {string} note  What to know of it.
 */

/**
 * Read a file that a visitor gave; whatever it is, it is told before memory is taken for it.
 * @param {File} file
 * @returns {Promise<Source>}
 */
export async function readSong(file) {
  const { name, size } = file;
  if (size === 0) throw new DeviceError(`${name} is empty: choose another file.`);
  const header = await readHeader(file).catch(() => {
    throw new DeviceError(`${name} can't be read any more: choose it again.`);
  });
  if (!header.audio) throw new DeviceError(silent(name));
  const seconds = header.seconds ?? (await mediaSeconds(file));
  requireUsable(name, { ...header, seconds });
  const bits = header.fine ? 24 : 16;
  if (header.wav) {
    const { wav } = header;
    if (wav.nSamples === 0) throw new DeviceError(silent(name));
    const note = wav.cut ? "cut off: its end is missing" : "";
    return { source: { file, wav }, nSamples: wav.channels * wav.nSamples, bits, note };
  }
  const source = await decode(file, header.sampleRate ?? USUAL_RATE);
  const { channels, sampleRate } = source;
  const [nChannels, nSamples] = [channels.length, channels[0].length];
  requireUsable(name, { sampleRate, channels: nChannels, seconds: nSamples / sampleRate });
  return { source, nSamples: nChannels * nSamples, bits, note: "" };
}

const silent = (name) => `${name} has no sound in it: choose another file.`;

function requireUsable(name, { sampleRate, channels, seconds }) {
  if (channels > MOST_CHANNELS) {
    throw new DeviceError(`${name} has ${channels} channels: mix it down to stereo.`);
  }
  if (sampleRate !== null && !(sampleRate >= RATES[0] && sampleRate <= RATES[1])) {
    const mend = "convert it to 44,100 Hz";
    throw new DeviceError(`${name} has a sampling rate of ${sampleRate} Hz: ${mend}.`);
  }
  if (seconds === Infinity) {
    throw new DeviceError(`${name} doesn't say how long it is: convert it to WAV or MP3.`);
  }
  // below the rate of the network, it is computed at that rate
  const most = MOST_SAMPLES / ((channels ?? 2) * Math.max(sampleRate ?? 0, USUAL_RATE));
  if (seconds > most) {
    const limit = `this page takes ${Math.floor(most / 60)} minutes of such a song`;
    const length = inWords(seconds);
    throw new DeviceError(`${name} is ${length} long, and ${limit}: choose a part of it.`);
  }
}

async function decode(file, rate) {
  const { name } = file;
  if (file.size > MOST_BYTES) {
    const most = MOST_BYTES / 2 ** 20;
    throw new DeviceError(`${name} has more than ${most} MB: make it shorter, or convert it to MP3.`);
  }
  const bytes = await file.arrayBuffer();
  let audio;
  try {
    // A context of the song's own rate decodes without resampling.
    audio = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new DeviceError(
      `${name} is no song that this browser can read, or a damaged one: ` +
        "choose an MP3, M4A, OGG, FLAC or WAV file.",
    );
  }
  if (audio.length === 0) throw new DeviceError(silent(name));
  const channels = Array.from({ length: audio.numberOfChannels }, (_, n) =>
    audio.getChannelData(n),
  );
  return { channels, sampleRate: rate };
}

// How long the browser says that a file is; null if it can't.
async function mediaSeconds(file) {
  const url = URL.createObjectURL(file);
  const media = new Audio();
  try {
    return await new Promise((resolve) => {
      media.addEventListener("loadedmetadata", () => resolve(media.duration));
      media.addEventListener("error", () => resolve(null));
      setTimeout(resolve, PATIENCE, null);
      media.preload = "metadata";
      media.src = url;
    });
  } finally {
    media.removeAttribute("src");
    URL.revokeObjectURL(url);
  }
}

function inWords(seconds) {
  const hours = Math.round(seconds / 3600);
  return hours < 2 ? `${Math.ceil(seconds / 60)} minutes` : `${hours} hours`;
}
