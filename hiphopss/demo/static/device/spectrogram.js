// Spectrograms, as hiphopss/demo/drawing.py computes and draws them.

import { analysisWindow, FourierTransform } from "../engine/transform.js";

const N_COLUMNS = 1000;
const N_BANDS = 128;
const RANGE_DB = 80; // levels that the colours cover
const FRAME_SECONDS = 0.046; // 2048 samples at 44.1 kHz
const LOWEST_HZ = 30;
const TOGETHER = 16; // frames that are transformed at a time

// Colours from the lowest to the highest level, evenly spaced: matplotlib's "magma".
const COLOURS = `000004 090720 1a1042 311165 4a1079 621980 792282 912b81 aa337d
  c23b75 d9466b ec5860 f7725c fc8e64 feaa74 fec68a fde2a3 fcfdbf`.split(/\s+/);

/** Power spectra of frames, by the engine's kernels. */
class PowerSpectra {
  #transform;
  #window;
  #frames;
  #starts;
  #re;
  #im;

  /** @param {import("../engine/kernels.js").Kernels} kernels @param {number} length  Of a frame. */
  constructor(kernels, length) {
    this.#transform = new FourierTransform(kernels, length);
    const window = analysisWindow({ window: "hann", frame: length });
    this.#window = kernels.floats(window);
    this.full = window.reduce((sum, value) => sum + value, 0) ** 2; // of a constant 1
    this.#frames = kernels.floats(TOGETHER * length);
    this.#starts = kernels.integers(Array.from({ length: TOGETHER }, (_, n) => n * length));
    this.#re = kernels.floats(TOGETHER * this.#transform.width);
    this.#im = kernels.floats(TOGETHER * this.#transform.width);
  }

  /**
   * @param {Float32Array[]} frames  At most TOGETHER.
   * @returns {Float32Array[]}  Of length / 2 + 1 bins each.
   */
  of(frames) {
    const { frame, width } = this.#transform;
    frames.forEach((samples, n) => this.#frames.view.set(samples, n * frame));
    this.#transform.analyse(
      this.#re.pointer,
      this.#im.pointer,
      this.#frames.pointer,
      this.#starts.pointer,
      frames.length,
      this.#window.pointer,
    );
    const [re, im] = [this.#re.view, this.#im.view];
    return frames.map((_, n) =>
      Float32Array.from(
        { length: frame / 2 + 1 },
        (_, k) => re[n * width + k] ** 2 + im[n * width + k] ** 2,
      ),
    );
  }
}

/** Takes the samples of a track, block by block, and gives levels over time and mel frequency. */
export class LevelMeter {
  #length;
  #perColumn;
  #starts; // of frames, in samples
  #bands;
  #spectra;
  #columns = new Float64Array(N_COLUMNS * N_BANDS);
  #done = 0; // frames
  #held; // samples that frames still need
  #origin; // the first of them
  #nHeld;

  /**
   * @param {number} nSamples  Of the whole track.
   * @param {number} sampleRate
   * @param {import("../engine/kernels.js").Kernels} kernels
   */
  constructor(nSamples, sampleRate, kernels) {
    const length = 2 ** Math.round(Math.log2(FRAME_SECONDS * sampleRate));
    this.#perColumn = Math.ceil(nSamples / (N_COLUMNS * length)); // frames that cover all samples
    const nFrames = N_COLUMNS * this.#perColumn;
    this.#starts = Float64Array.from(
      { length: nFrames },
      (_, n) => halfToEven(((n + 0.5) * nSamples) / nFrames) - length / 2,
    );
    this.#length = length;
    this.#bands = melBands(length, sampleRate);
    this.#spectra = new PowerSpectra(kernels, length);
    this.#held = new Float32Array(4 * length);
    this.#nHeld = length; // silence before the song
    this.#origin = -length;
  }

  /** @param {Float32Array[]} channels  The next samples, by channel. */
  push(channels) {
    const n = channels[0].length;
    this.#makeRoom(n);
    const mono = this.#held.subarray(this.#nHeld, this.#nHeld + n);
    mono.set(channels[0]);
    for (const samples of channels.slice(1)) {
      for (let i = 0; i < n; i++) mono[i] += samples[i];
    }
    for (let i = 0; i < n; i++) mono[i] /= channels.length;
    this.#nHeld += n;
    this.#measure();
  }

  /** The levels in dB, of each column in turn, with low frequencies first. */
  levels() {
    this.push([new Float32Array(this.#length)]); // silence behind the song
    return Float32Array.from(
      this.#columns,
      (power) => 10 * Math.log10(power / this.#perColumn / this.#spectra.full + 1e-12),
    );
  }

  #makeRoom(n) {
    const free = this.#done < this.#starts.length ? this.#starts[this.#done] : Infinity;
    const unused = Math.min(this.#nHeld, Math.max(0, free - this.#origin));
    const kept = this.#held.subarray(unused, this.#nHeld);
    if (kept.length + n > this.#held.length) {
      const larger = new Float32Array(kept.length + n);
      larger.set(kept);
      this.#held = larger;
    } else {
      this.#held.copyWithin(0, unused, this.#nHeld);
    }
    this.#nHeld = kept.length;
    this.#origin += unused;
  }

  #measure() {
    const last = this.#origin + this.#nHeld - this.#length; // where a frame can begin
    while (this.#starts[this.#done] <= last) {
      const next = this.#starts.subarray(this.#done, this.#done + TOGETHER);
      const frames = Array.from(next.filter((start) => start <= last), (start) => {
        const at = start - this.#origin;
        return this.#held.subarray(at, at + this.#length);
      });
      for (const powers of this.#spectra.of(frames)) this.#add(powers);
    }
  }

  #add(powers) {
    const column = Math.floor(this.#done / this.#perColumn);
    this.#bands.forEach(({ first, weights }, band) => {
      let sum = 0;
      for (let n = 0; n < weights.length; n++) sum += weights[n] * powers[first + n];
      this.#columns[column * N_BANDS + band] += sum;
    });
    this.#done++;
  }
}

// NumPy's way to round.
function halfToEven(value) {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// Triangular filters, evenly spaced in mel, at least a bin wide.
function melBands(length, sampleRate) {
  const mel = (hertz) => 2595 * Math.log10(1 + hertz / 700);
  const [lowest, highest] = [mel(LOWEST_HZ), mel(sampleRate / 2)];
  const centres = Array.from({ length: N_BANDS }, (_, n) => {
    const at = lowest + ((highest - lowest) * n) / (N_BANDS - 1);
    return 700 * (10 ** (at / 2595) - 1);
  });
  const bin = sampleRate / length;
  return centres.map((centre, n) => {
    const [before, after] = [Math.max(0, n - 1), Math.min(N_BANDS - 1, n + 1)];
    const width = Math.max((centres[after] - centres[before]) / (after - before), bin);
    const first = Math.max(0, Math.ceil((centre - width) / bin));
    const last = Math.min(length / 2, Math.floor((centre + width) / bin));
    const weights = Float32Array.from(
      { length: last - first + 1 },
      (_, i) => Math.max(0, 1 - Math.abs((first + i) * bin - centre) / width),
    );
    return { first, weights };
  });
}

/**
 * Draw levels as a PNG: time from left to right, low frequencies at the bottom.
 * @param {Float32Array} levels
 * @param {number} top  The level of the brightest colour, in dB.
 * @returns {Promise<Blob>}
 */
export function drawLevels(levels, top) {
  const canvas = new OffscreenCanvas(N_COLUMNS, N_BANDS);
  const context = canvas.getContext("2d");
  const image = context.createImageData(N_COLUMNS, N_BANDS);
  const colours = palette();
  for (let column = 0; column < N_COLUMNS; column++) {
    for (let band = 0; band < N_BANDS; band++) {
      const place = (levels[column * N_BANDS + band] - top) / RANGE_DB + 1;
      const colour = Math.max(0, Math.min(255, Math.floor(256 * place)));
      const dot = 4 * ((N_BANDS - 1 - band) * N_COLUMNS + column);
      image.data.set(colours.subarray(3 * colour, 3 * colour + 3), dot);
      image.data[dot + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

// 256 colours, between those that are given in straight lines.
function palette() {
  const given = COLOURS.map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const colours = new Uint8ClampedArray(3 * 256);
  for (let n = 0; n < 256; n++) {
    const at = (n / 255) * (given.length - 1);
    const below = Math.min(given.length - 2, Math.floor(at));
    for (let c = 0; c < 3; c++) {
      const [from, to] = [given[below][c], given[below + 1][c]];
      colours[3 * n + c] = from + (at - below) * (to - from);
    }
  }
  return colours;
}
