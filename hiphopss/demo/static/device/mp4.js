// The header of an MP4 file (M4A is one): boxes in boxes.

const MOST_BOXES = 1000;
const MOST_MOOV = 64 << 20; // bytes of the index of a file

/**
 * Read the header of an MP4 file.
 * @param {Blob} file
 * @returns {Promise<Partial<import("./headers.js").Header>>}
 */
export async function readMp4(file) {
  const moov = await findMoov(file);
  if (!moov) return { kind: "MP4" };
  const tracks = all(moov, "trak").map(readTrack);
  const track = tracks.find(({ handler }) => handler === "soun");
  if (!track) return { kind: "MP4", audio: false };
  const { sampleRate, channels, seconds } = track;
  return { kind: "MP4", audio: true, sampleRate, channels, seconds };
}

async function findMoov(file) {
  for (let at = 0, n = 0; n < MOST_BOXES && at + 8 <= file.size; n++) {
    const view = new DataView(await file.slice(at, at + 16).arrayBuffer());
    const box = boxAt(view, 0, file.size - at);
    if (!box) return null;
    if (box.name === "moov" && box.end <= MOST_MOOV) {
      const bytes = await file.slice(at + box.start, at + box.end).arrayBuffer();
      return new DataView(bytes);
    }
    at += box.end;
  }
  return null;
}

function readTrack(trak) {
  const mdia = first(trak, "mdia");
  const hdlr = mdia && first(mdia, "hdlr");
  const mdhd = mdia && first(mdia, "mdhd");
  const minf = mdia && first(mdia, "minf");
  const stbl = minf && first(minf, "stbl");
  const stsd = stbl && first(stbl, "stsd");
  const handler = hdlr?.byteLength >= 12 ? name(hdlr, 8) : "";
  if (handler !== "soun" || !(mdhd?.byteLength >= 24)) return { handler };
  const long = mdhd.getUint8(0) === 1 && mdhd.byteLength >= 36; // 64-bit times
  const timescale = mdhd.getUint32(long ? 20 : 12);
  const duration = long ? Number(mdhd.getBigUint64(24)) : mdhd.getUint32(16);
  const seconds = timescale && duration && duration !== 0xffffffff ? duration / timescale : null;
  if (!(stsd?.byteLength >= 44)) return { handler, sampleRate: null, channels: null, seconds };
  // The rate is of 16 bits; where more are needed, the clock of the track ticks at the rate.
  const rate = stsd.getUint16(8 + 32);
  const sampleRate = rate >= 8000 ? rate : timescale;
  return { handler, sampleRate, channels: stsd.getUint16(8 + 24), seconds };
}

function boxAt(view, at, most) {
  if (at + 8 > view.byteLength) return null;
  let size = view.getUint32(at);
  let head = 8;
  if (size === 1 && at + 16 <= view.byteLength) {
    size = Number(view.getBigUint64(at + 8));
    head = 16;
  }
  if (size === 0) size = most; // to the end
  return size < head ? null : { name: name(view, at + 4), start: at + head, end: at + size };
}

function all(view, wanted) {
  const found = [];
  for (let at = 0, n = 0; n < MOST_BOXES; n++) {
    const box = boxAt(view, at, view.byteLength - at);
    if (!box || box.end > view.byteLength) break;
    if (box.name === wanted) found.push(part(view, box));
    at = box.end;
  }
  return found;
}

function first(view, wanted) {
  return all(view, wanted)[0] ?? null;
}

function part(view, { start, end }) {
  return new DataView(view.buffer, view.byteOffset + start, end - start);
}

function name(view, at) {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
}
