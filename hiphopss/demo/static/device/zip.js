// ZIP archives of files as they are, without compression: audio hardly gets smaller by it. So an
// archive is a header before each file, and needs no memory for the files themselves.

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20; // of the format, which any program reads
const UTF8 = 0x0800; // names are UTF-8
const FIRST_DAY = 0x21; // 1 January 1980: files bear no date, so equal files are equal archives

/**
 * A file in an archive.
 * @typedef {object} Member
 * @property {string} name
 * @property {Blob} blob
 * @property {number} crc  Its CRC-32.
 */

/** Put files into an archive. @param {Member[]} members @returns {Blob} */
export function zipped(members) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const member of members) {
    const name = new TextEncoder().encode(member.name);
    const facts = header(member, name.length);
    parts.push(record(LOCAL, [], facts, []), name, member.blob);
    directory.push(record(CENTRAL, [VERSION], facts, [0, 0, 0, [0], [at]]), name);
    at += 30 + name.length + member.blob.size;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const count = members.length;
  const end = record(END, [0, 0, count, count], [], [[size], [at], 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

// What both the header of a file and its entry in the directory say.
function header({ blob, crc }, nameLength) {
  return [VERSION, UTF8, 0, 0, FIRST_DAY, [crc], [blob.size], [blob.size], nameLength, 0];
}

// A signature and numbers: of 16 bits, and of 32 where they stand in brackets.
function record(signature, ...fields) {
  const numbers = [[signature], ...fields.flat()];
  const length = numbers.reduce((sum, number) => sum + (Array.isArray(number) ? 4 : 2), 0);
  const view = new DataView(new ArrayBuffer(length));
  let at = 0;
  for (const number of numbers) {
    if (Array.isArray(number)) view.setUint32(at, number[0], true);
    else view.setUint16(at, number, true);
    at += Array.isArray(number) ? 4 : 2;
  }
  return new Uint8Array(view.buffer);
}

const TABLES = crcTables();

// Eight tables, by which eight bytes are taken at a time.
function crcTables() {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    tables[0][n] = crc;
  }
  for (let n = 0; n < 256; n++) {
    for (let k = 1; k < 8; k++) {
      const before = tables[k - 1][n];
      tables[k][n] = (before >>> 8) ^ tables[0][before & 255];
    }
  }
  return tables;
}

/**
 * The CRC-32 of bytes, continued.
 * @param {number} crc  Of the bytes before; 0 at the beginning.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
export function crc32(crc, bytes) {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES;
  let value = ~crc;
  let n = 0;
  for (; n + 8 <= bytes.length; n += 8) {
    value ^= bytes[n] | (bytes[n + 1] << 8) | (bytes[n + 2] << 16) | (bytes[n + 3] << 24);
    value =
      t7[value & 255] ^
      t6[(value >>> 8) & 255] ^
      t5[(value >>> 16) & 255] ^
      t4[value >>> 24] ^
      t3[bytes[n + 4]] ^
      t2[bytes[n + 5]] ^
      t1[bytes[n + 6]] ^
      t0[bytes[n + 7]];
  }
  for (; n < bytes.length; n++) value = (value >>> 8) ^ t0[(value ^ bytes[n]) & 255];
  return ~value >>> 0;
}
