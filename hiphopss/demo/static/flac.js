// Reads FLAC files piece by piece: a few frames with the file's header before them are a file that
// browsers decode by themselves. What they decode is never in memory as a whole.

const HEADER_BYTES = 42; // the mark, and the block that describes the stream
const LAST_BLOCK = 0x80;
const MOST_BLOCKS = 1000; // of a file that is made to be walked through forever
const SCANNED = 1 << 20; // bytes that are looked through at a time
const FRAME_HEADER_BYTES = 16; // at most
const FULL_SCALE = 32768; // of 16 bits

/**
 * A FLAC file whose frames are known.
 * @typedef {object} Flac
 * @property {Blob} file
 * @property {number} channels
 * @property {number} sampleRate  In Hz.
 * @property {number} bits  Of a sample.
 * @property {number} nSamples  Of each channel.
 * @property {number} frameSamples  Of each frame but the last one.
 * @property {Uint8Array} header  To be put before frames.
 * @property {number[]} frames  Where they begin, in bytes, and where the last one ends.
 */

/**
 * Find the frames of a FLAC file.
 * @param {Blob} file
 * @returns {Promise<?Flac>}  Null if it is no such file, or one of frames of several lengths.
 */
export async function readFlac(file) {
  const view = await viewOf(file, 0, HEADER_BYTES);
  if (view.byteLength < HEADER_BYTES || view.getUint32(0) !== 0x664c6143) return null; // "fLaC"
  const [frameSamples, most] = [view.getUint16(8), view.getUint16(10)];
  const packed = view.getBigUint64(18); // 20 bits of the rate, 3 of channels, 5 of bits, and 36
  const nSamples = Number(packed & 0xfffffffffn);
  const begin = await endOfBlocks(file);
  if (frameSamples !== most || frameSamples === 0 || begin === null) return null;
  const frames = await framesOf(file, begin);
  if (frames.length !== Math.ceil(nSamples / frameSamples)) return null;
  const header = new Uint8Array(view.buffer);
  header[4] |= LAST_BLOCK;
  frames.push(file.size);
  return {
    file,
    channels: Number((packed >> 41n) & 7n) + 1,
    sampleRate: Number(packed >> 44n),
    bits: Number((packed >> 36n) & 31n) + 1,
    nSamples,
    frameSamples,
    header,
    frames,
  };
}

/**
 * Decode samples of a FLAC file.
 * @param {Flac} flac
 * @param {number} first  The first sample.
 * @param {number} count  How many of each channel; all must be there.
 * @returns {Promise<Float32Array[]>}  By channel; full scale is 1.
 * @throws {Error}  If the browser decodes something else.
 */
export async function readFrames(flac, first, count) {
  const { file, channels, sampleRate, nSamples, frameSamples, header, frames } = flac;
  const [from, to] = [Math.floor(first / frameSamples), Math.ceil((first + count) / frameSamples)];
  const bytes = new Blob([header, file.slice(frames[from], frames[to])]);
  // A context of the file's own rate decodes without resampling.
  const decoder = new OfflineAudioContext(1, 1, sampleRate);
  const audio = await decoder.decodeAudioData(await bytes.arrayBuffer());
  const length = Math.min(to * frameSamples, nSamples) - from * frameSamples;
  if (audio.length !== length || audio.numberOfChannels !== channels) {
    throw new Error(`${audio.length} samples instead of ${length}`);
  }
  return Array.from({ length: channels }, (_, channel) => {
    const samples = new Float32Array(count);
    audio.copyFromChannel(samples, channel, first - from * frameSamples);
    if (flac.bits === 16) onSteps(samples);
    return samples;
  });
}

// Some browsers divide numbers of 16 bits above zero by 32767, others by 32768, as WAV files are
// read: with them, both give the same.
function onSteps(samples) {
  for (let n = 0; n < samples.length; n++) {
    samples[n] = Math.min(Math.floor(FULL_SCALE * samples[n]), FULL_SCALE - 1) / FULL_SCALE;
  }
}

// Where the blocks before the frames end; null if that can't be found.
async function endOfBlocks(file) {
  for (let at = 4, n = 0; n < MOST_BLOCKS; n++) {
    const view = await viewOf(file, at, 4);
    if (view.byteLength < 4) return null;
    const word = view.getUint32(0);
    at += 4 + (word & 0xffffff);
    if (word >>> 31) return at;
  }
  return null;
}

// Frames say which number they have, and their headers have a checksum, so that nothing inside of a
// frame is taken for one.
async function framesOf(file, begin) {
  const frames = [];
  for (let start = begin; start < file.size; start += SCANNED) {
    const view = await viewOf(file, start, SCANNED + FRAME_HEADER_BYTES);
    const bytes = new Uint8Array(view.buffer);
    for (let at = bytes.indexOf(0xff); at >= 0 && at < SCANNED; at = bytes.indexOf(0xff, at + 1)) {
      if (bytes[at + 1] === 0xf8 && isFrame(bytes, at, frames.length)) frames.push(start + at);
    }
  }
  return frames;
}

// Whether a header of a frame with this number is there, in a file of frames of one length.
function isFrame(bytes, at, number) {
  const written = utf8(number);
  if (written.some((byte, n) => bytes[at + 4 + n] !== byte)) return false;
  const [length, rate] = [bytes[at + 2] >> 4, bytes[at + 2] & 15];
  const more = { 6: 1, 7: 2 }[length] ?? 0; // bytes that tell the length, and the rate
  const end = at + 4 + written.length + more + ({ 12: 1, 13: 2, 14: 2 }[rate] ?? 0);
  let crc = 0;
  for (let n = at; n < end; n++) {
    crc ^= bytes[n];
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x80 ? 0x107 : 0);
  }
  return crc === bytes[end];
}

// A number as a frame has it: in the bytes that text has for the character of that number.
function utf8(number) {
  if (number < 0x80) return [number];
  const bytes = [];
  let rest = number;
  let most = 0x40; // behind what fits into the first byte
  for (; rest >= most; most >>= 1) {
    bytes.unshift(0x80 | (rest & 0x3f));
    rest >>= 6;
  }
  return [0x100 - 2 * most + rest, ...bytes];
}

async function viewOf(file, start, length) {
  return new DataView(await file.slice(start, start + length).arrayBuffer());
}
