// What stands in an MP3 file before its sound: its title, and a frame with what players can't know
// otherwise. By that frame they show the right length, find places in the song, and leave out the
// samples that every encoder adds at both ends, so that stems stay aligned with one another.
//
// Layouts: ID3v2.3 (https://id3.org/id3v2.3.0); the "Info tag" of LAME, which goes back to Xing's
// (http://gabriel.mp3-tech.org/mp3infotag.html).

const KBITS = {
  1: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
};
const RATES = { 1: [44_100, 48_000, 32_000], 2: [22_050, 24_000, 16_000] };
const HEADER_BYTES = 4;
const TAG_BYTES = 156; // Xing's part has 120, and LAME's 36
const PLACES = 100; // in the table that says where in the file they are
const EVERY = 32; // frames between those whose places are kept: about a second

const ENCODER_DELAY = 576; // samples that LAME adds at the beginning

/**
 * A frame as its header tells it.
 * @typedef {object} Frame
 * @property {number} bytes  Its size.
 * @property {number} samples  Of each channel.
 * @property {number} sideBytes  Of the part between header and sound.
 */

/** Follows the frames of a stream that comes in pieces of any size. */
export class FrameCounter {
  #header = new Uint8Array(HEADER_BYTES); // of the frame that comes next, as far as it is there
  #next = 0; // where that frame begins
  /** How many frames have begun. */
  frames = 0;
  /** How many bytes have come. */
  bytes = 0;
  /** The header of the first frame. @type {?Uint8Array} */
  first = null;
  /** CRC-16 of all bytes. */
  crc = 0;
  /** Where every 32nd frame begins. @type {number[]} */
  places = [];

  /** @param {Uint8Array} bytes  The next ones. */
  push(bytes) {
    const start = this.bytes;
    this.bytes += bytes.length;
    this.crc = crc16(this.crc, bytes);
    while (this.#next < this.bytes) {
      for (let n = Math.max(0, start - this.#next); n < HEADER_BYTES; n++) {
        if (this.#next + n >= this.bytes) return;
        this.#header[n] = bytes[this.#next + n - start];
      }
      this.first ??= this.#header.slice();
      if (this.frames++ % EVERY === 0) this.places.push(this.#next);
      this.#next += frameOf(this.#header).bytes;
    }
  }
}

/** @param {Uint8Array} header @returns {Frame} */
function frameOf([, kind, rates, mode]) {
  const version = kind & 8 ? 1 : 2;
  const samples = version === 1 ? 1152 : 576;
  const kbits = KBITS[version][rates >> 4];
  const rate = RATES[version][(rates >> 2) & 3];
  const padding = (rates >> 1) & 1;
  const isMono = mode >> 6 === 3;
  const sideBytes = version === 1 ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  return { bytes: Math.floor((125 * samples * kbits) / rate) + padding, samples, sideBytes };
}

/**
 * The frame before all others.
 * @param {FrameCounter} counter  Of those that follow it.
 * @param {number} nSamples  Of the song, of each channel.
 * @returns {Uint8Array}
 */
export function infoFrame(counter, nSamples) {
  const header = smallestHeader(counter.first);
  const { bytes, samples, sideBytes } = frameOf(header);
  const frame = new Uint8Array(bytes);
  const view = new DataView(frame.buffer);
  const at = HEADER_BYTES + sideBytes;
  const total = bytes + counter.bytes;
  frame.set(header);
  write(frame, at, "Xing");
  view.setUint32(at + 4, 0b1111); // all four fields follow
  view.setUint32(at + 8, counter.frames);
  view.setUint32(at + 12, total);
  frame.set(table(counter, bytes), at + 16);
  view.setUint32(at + 116, 100); // quality: the best
  write(frame, at + 120, "LAME3.100");
  frame[at + 129] = 0x04; // revision 0, method "vbr-mtrh"
  const padding = counter.frames * samples - ENCODER_DELAY - nSamples;
  const delays = (ENCODER_DELAY << 12) | Math.max(0, Math.min(padding, 0xfff));
  frame.set([delays >> 16, delays >> 8, delays], at + 141);
  view.setUint32(at + 148, total);
  view.setUint16(at + 152, counter.crc);
  view.setUint16(at + 154, crc16(0, frame.subarray(0, at + 154)));
  return frame;
}

// Of the lowest bitrate that has room for it.
function smallestHeader(first) {
  const header = first.slice();
  header[1] |= 1; // without a checksum
  for (let index = 1; ; index++) {
    header[2] = (index << 4) | (first[2] & 0b1100);
    const { bytes, sideBytes } = frameOf(header);
    if (bytes >= HEADER_BYTES + sideBytes + TAG_BYTES) return header;
  }
}

// Where in the file, in 256ths, each hundredth of the song begins.
function table({ frames, bytes, places }, before) {
  return Uint8Array.from({ length: PLACES }, (_, n) => {
    const place = places[Math.floor((n * frames) / PLACES / EVERY)] ?? 0;
    return Math.floor((256 * (before + place)) / (before + bytes));
  });
}

/**
 * The tag that says what a file is called.
 * @param {string} title
 * @returns {Uint8Array}
 */
export function titleTag(title) {
  const text = [1, 0xff, 0xfe]; // UTF-16, little-endian
  for (let n = 0; n < title.length; n++) {
    const code = title.charCodeAt(n);
    text.push(code & 0xff, code >> 8);
  }
  const tag = new Uint8Array(20 + text.length);
  write(tag, 0, "ID3");
  tag[3] = 3; // version 2.3
  tag.set(sevenBits(10 + text.length), 6);
  write(tag, 10, "TIT2");
  new DataView(tag.buffer).setUint32(14, text.length);
  tag.set(text, 20);
  return tag;
}

const sevenBits = (size) => [21, 14, 7, 0].map((shift) => (size >> shift) & 0x7f);

function write(bytes, at, text) {
  for (let n = 0; n < text.length; n++) bytes[at + n] = text.charCodeAt(n);
}

const TABLE = Uint16Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  return crc;
});

function crc16(before, bytes) {
  let crc = before;
  for (const byte of bytes) crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xff];
  return crc;
}
