// Reads WAV files piece by piece, exactly: what browsers decode is never in memory as a whole.

/**
 * What a WAV file holds.
 * @typedef {object} Wav
 * @property {number} sampleRate  In Hz.
 * @property {number} channels
 * @property {number} bits  Of a sample.
 * @property {boolean} float  Whether samples are floating-point numbers.
 * @property {number} dataAt  Where the samples begin, in bytes.
 * @property {number} nSamples  Of each channel.
 * @property {boolean} cut  Whether the header promises more samples than there are.
 */

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
const MOST_CHUNKS = 1000; // a file made to be walked through forever has more
const UNKNOWN = 0xffffffff; // the size of data that was never filled in

/**
 * Read the header of a WAV file.
 * @param {Blob} file
 * @returns {Promise<?Wav>}  Null if it is no WAV file, or one of a kind that is not read here.
 */
export async function readWav(file) {
  const start = await viewOf(file, 0, 12);
  const riff = letters(start, 0);
  if (!["RIFF", "RF64"].includes(riff) || letters(start, 8) !== "WAVE") return null;
  let format = null;
  let long = null; // bytes of data, where 32 bits can't say it
  for (let at = 12, n = 0; n < MOST_CHUNKS && at + 8 <= file.size; n++) {
    const chunk = await viewOf(file, at, 48);
    const [name, size] = [letters(chunk, 0), chunk.getUint32(4, true)];
    if (name === "ds64" && chunk.byteLength >= 24) long = Number(chunk.getBigUint64(16, true));
    if (name === "fmt " && chunk.byteLength >= 24) format = readFormat(chunk, size);
    if (name === "data") return format && withData(format, file, at + 8, long ?? size);
    at += 8 + size + (size % 2);
  }
  return null;
}

function readFormat(view, size) {
  let code = view.getUint16(8, true);
  if (code === EXTENSIBLE && size >= 40 && view.byteLength >= 34) code = view.getUint16(32, true);
  const format = {
    channels: view.getUint16(10, true),
    sampleRate: view.getUint32(12, true),
    bits: 8 * Math.floor(view.getUint16(20, true) / view.getUint16(10, true)), // of a container
    float: code === FLOAT,
  };
  const known = { [PCM]: [8, 16, 24, 32], [FLOAT]: [32, 64] }[code] ?? [];
  return known.includes(format.bits) && format.sampleRate > 0 ? format : null;
}

function withData(format, file, dataAt, promised) {
  const there = file.size - dataAt;
  const bytes = promised === UNKNOWN ? there : Math.min(promised, there);
  const perFrame = (format.bits / 8) * format.channels;
  const nSamples = Math.floor(bytes / perFrame);
  return { ...format, dataAt, nSamples, cut: promised !== UNKNOWN && promised > there };
}

/**
 * Read samples of a WAV file.
 * @param {Blob} file
 * @param {Wav} wav
 * @param {number} first  The first sample.
 * @param {number} count  How many of each channel; fewer where the file ends.
 * @returns {Promise<Float32Array[]>}  By channel; full scale is 1.
 */
export async function readSamples(file, wav, first, count) {
  const perFrame = (wav.bits / 8) * wav.channels;
  const n = Math.max(0, Math.min(count, wav.nSamples - first));
  const view = await viewOf(file, wav.dataAt + first * perFrame, n * perFrame);
  const read = reader(view, wav);
  return Array.from({ length: wav.channels }, (_, channel) => {
    const samples = new Float32Array(n);
    for (let i = 0, k = channel; i < n; i++, k += wav.channels) samples[i] = read(k);
    return samples;
  });
}

// Gives the function that reads the k-th number.
function reader(view, { bits, float }) {
  if (float && bits === 32) return (k) => view.getFloat32(4 * k, true);
  if (float) return (k) => view.getFloat64(8 * k, true);
  if (bits === 8) return (k) => (view.getUint8(k) - 128) / 128;
  if (bits === 16) return (k) => view.getInt16(2 * k, true) / 32768;
  if (bits === 32) return (k) => view.getInt32(4 * k, true) / 2147483648;
  return (k) => (view.getInt8(3 * k + 2) * 65536 + view.getUint16(3 * k, true)) / 8388608;
}

async function viewOf(file, start, length) {
  return new DataView(await file.slice(start, start + length).arrayBuffer());
}

function letters(view, at) {
  if (view.byteLength < at + 4) return "";
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}
