// What a file says of itself before it is decoded: its kind, sampling rate, channels and length.
//
// Browsers decode at the rate of the context that they are asked by, so the file's own must be
// known; and they decode a song as a whole, so one that is too long must be told before.

import { readMp4 } from "./mp4.js";
import { countFrames, tagLength } from "./frames.js";
import { readWav } from "./wav-file.js";

/**
 * @typedef {object} Header
 * @property {string} kind  "WAV", "FLAC", "OGG", "MP3", "AAC", "MP4", "WebM"; "" for any other.
 * @property {boolean} audio  False if it is known that there is no audio in it.
 * @property {?number} sampleRate  In Hz; null if that is not known, as all the others.
 * @property {?number} channels
 * @property {?number} seconds
 * @property {boolean} [fine]  Whether samples have more precision than 16 bits.
 * @property {import("./wav-file.js").Wav} [wav]
 */

const BEGINNING = 65536; // bytes that hold all that is looked for at a file's beginning, and end

/** Of what can't be known here. @type {Header} */
const UNKNOWN = { kind: "", audio: true, sampleRate: null, channels: null, seconds: null };

/** Read the header of an audio file. @param {Blob} file @returns {Promise<Header>} */
export async function readHeader(file) {
  const wav = await readWav(file);
  if (wav) return headerOfWav(wav);
  let bytes = await beginning(file, 0);
  const tag = tagLength(bytes); // of MP3 files, and of some FLAC files
  if (tag) bytes = await beginning(file, tag);
  if (text(bytes, 0, 4) === "fLaC") return headerOfFlac(bytes, 8);
  if (text(bytes, 0, 4) === "OggS") return headerOfOgg(bytes, await end(file));
  if (text(bytes, 4, 4) === "ftyp") return { ...UNKNOWN, ...(await readMp4(file)) };
  if (text(bytes, 0, 4) === "\x1aE\xdf\xa3") return { ...UNKNOWN, kind: "WebM" };
  return (await countFrames(file, tag)) ?? { ...UNKNOWN };
}

function headerOfWav(wav) {
  const { sampleRate, channels, nSamples, bits } = wav;
  const seconds = nSamples / sampleRate;
  return { kind: "WAV", audio: true, sampleRate, channels, seconds, fine: bits > 16, wav };
}

// The first block of a FLAC stream, whose numbers are packed: 20 bits of the rate, 3 of the
// channels, 5 of a sample's bits, and 36 of the length.
function headerOfFlac(bytes, at) {
  if (bytes.length < at + 18) return { ...UNKNOWN, kind: "FLAC" };
  const view = new DataView(bytes.buffer, bytes.byteOffset + at);
  const packed = view.getBigUint64(10);
  const part = (shift, bits) => Number((packed >> BigInt(shift)) & ((1n << BigInt(bits)) - 1n));
  const [sampleRate, nSamples] = [part(44, 20), part(0, 36)];
  return {
    kind: "FLAC",
    audio: true,
    sampleRate: sampleRate || null,
    channels: part(41, 3) + 1,
    seconds: nSamples && sampleRate ? nSamples / sampleRate : null,
    fine: part(36, 5) + 1 > 16,
  };
}

// Each stream of an OGG file begins with a page of its own; the last page says how long it is.
function headerOfOgg(bytes, last) {
  let header = null;
  for (let at = 0; text(bytes, at, 4) === "OggS" && bytes[at + 5] & 2 && !header; ) {
    const nSegments = bytes[at + 26];
    const body = at + 27 + nSegments;
    header = headerOfStream(bytes, body);
    at = body + bytes.subarray(at + 27, body).reduce((sum, length) => sum + length, 0);
  }
  if (!header) return { ...UNKNOWN, kind: "OGG", audio: false };
  const nSamples = lastPosition(last);
  const seconds = nSamples === null ? null : nSamples / header.sampleRate;
  return { kind: "OGG", audio: true, ...header, seconds };
}

function headerOfStream(bytes, at) {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (bytes.length < at + 64) return null;
  if (text(bytes, at, 7) === "\x01vorbis") {
    return { channels: bytes[at + 11], sampleRate: view.getUint32(at + 12, true) };
  }
  if (text(bytes, at, 8) === "OpusHead") return { channels: bytes[at + 9], sampleRate: 48000 };
  if (text(bytes, at, 5) !== "\x7fFLAC") return null;
  const { channels, sampleRate, fine } = headerOfFlac(bytes, at + 17);
  return { channels, sampleRate, fine };
}

function lastPosition(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = bytes.length - 27; at >= 0; at--) {
    if (text(bytes, at, 4) !== "OggS") continue;
    const position = view.getBigInt64(at + 6, true);
    if (position >= 0n) return Number(position);
  }
  return null;
}

async function beginning(file, at) {
  return new Uint8Array(await file.slice(at, at + BEGINNING).arrayBuffer());
}

async function end(file) {
  return new Uint8Array(await file.slice(Math.max(0, file.size - BEGINNING)).arrayBuffer());
}

function text(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
