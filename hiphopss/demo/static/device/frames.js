// MP3 and AAC files are a row of frames without a header of the whole: the frames are counted.

const MP3_RATES = [44100, 48000, 32000]; // of version 1; half and a quarter of it in 2 and 2.5
const MP3_KBITS = [
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320], // version 1
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160], // versions 2 and 2.5
];
const AAC_RATES = [
  96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
];
const SEARCHED = 65536; // bytes in which the first frame must begin
const PIECE = 1 << 20; // bytes that are read at a time
const ALIKE = 4; // frames in a row that show that these are frames
const MOST_SECONDS = 1e5; // of what is counted

/**
 * The length of the ID3 tag at the beginning of a file, in bytes.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
export function tagLength(bytes) {
  if (bytes.length < 10 || String.fromCharCode(...bytes.subarray(0, 3)) !== "ID3") return 0;
  const size = bytes.subarray(6, 10).reduce((sum, byte) => 128 * sum + (byte & 127), 0);
  return 10 + size + (bytes[5] & 16 ? 10 : 0);
}

/**
 * Count the frames of an MP3 or AAC file.
 * @param {Blob} file
 * @param {number} start  Where to begin, in bytes.
 * @returns {Promise<?import("./headers.js").Header>}  Null if there are no frames.
 */
export async function countFrames(file, start) {
  let bytes = new Uint8Array(await file.slice(start, start + PIECE).arrayBuffer());
  const offset = firstFrame(bytes);
  if (offset === null) return null;
  const first = frameAt(bytes, offset);
  let [at, origin, nSamples] = [start + offset, start, 0];
  while (nSamples < MOST_SECONDS * first.sampleRate) {
    if (at - origin + 8 > bytes.length) {
      bytes = new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
      origin = at;
    }
    const frame = frameAt(bytes, at - origin);
    if (!frame) break;
    nSamples += frame.nSamples;
    at += frame.length;
  }
  const { kind, sampleRate, channels } = first;
  return { kind, audio: true, sampleRate, channels, seconds: nSamples / sampleRate };
}

function firstFrame(bytes) {
  for (let at = 0; at < Math.min(SEARCHED, bytes.length); at++) {
    const first = frameAt(bytes, at);
    let next = at;
    for (let n = 0; n < ALIKE; n++) {
      const frame = frameAt(bytes, next);
      if (!frame || frame.kind !== first.kind || frame.sampleRate !== first.sampleRate) break;
      next += frame.length;
      if (n === ALIKE - 1 || next >= bytes.length) return at; // or the file ends with it
    }
  }
  return null;
}

function frameAt(bytes, at) {
  if (at + 7 > bytes.length || bytes[at] !== 0xff || (bytes[at + 1] & 0xe0) !== 0xe0) return null;
  return (bytes[at + 1] & 0xf6) === 0xf0 ? aacFrame(bytes, at) : mp3Frame(bytes, at);
}

function mp3Frame(bytes, at) {
  const version = (bytes[at + 1] >> 3) & 3; // 3 is version 1, 2 is 2, 0 is 2.5
  const layer = (bytes[at + 1] >> 1) & 3; // 1 is layer III
  const kbits = MP3_KBITS[version === 3 ? 0 : 1][bytes[at + 2] >> 4];
  const rate = MP3_RATES[(bytes[at + 2] >> 2) & 3];
  if (version === 1 || layer !== 1 || !kbits || !rate) return null;
  const sampleRate = rate / { 3: 1, 2: 2, 0: 4 }[version];
  const nSamples = version === 3 ? 1152 : 576;
  const padding = (bytes[at + 2] >> 1) & 1;
  const length = Math.floor((nSamples / 8) * ((1000 * kbits) / sampleRate)) + padding;
  const channels = bytes[at + 3] >> 6 === 3 ? 1 : 2;
  return { kind: "MP3", sampleRate, channels, nSamples, length };
}

function aacFrame(bytes, at) {
  const sampleRate = AAC_RATES[(bytes[at + 2] >> 2) & 15];
  const channels = ((bytes[at + 2] & 1) << 2) | (bytes[at + 3] >> 6);
  const length = ((bytes[at + 3] & 3) << 11) | (bytes[at + 4] << 3) | (bytes[at + 5] >> 5);
  if (!sampleRate || length < 7) return null;
  return { kind: "AAC", sampleRate, channels: channels || null, nSamples: 1024, length };
}
