// Separation of a stream: for every block of samples, as many samples of each stem, delayed. As in
// hiphopss/live/stream.py, whose names these are.
//
// No memory is taken while the stream runs, so it can be used in an AudioWorklet.

import { Network } from "./network.js";
import { StreamingNetwork } from "./streaming.js";
import { FourierTransform, analysisWindow, inverseNorm } from "./transform.js";

const LOUDEST = 1e30; // full scale is 1; larger samples would overflow

/**
 * Delay of a stream's stems in samples.
 * @param {import("./weights.js").SignalConfig} config
 * @param {number} lookahead  Number of frames.
 * @param {number} blockMultiple  All blocks are multiples of so many samples.
 */
export function latency(config, lookahead, blockMultiple) {
  return (lookahead + 1) * config.hop + margin(config, blockMultiple);
}

// Samples are completed a hop at a time; this many are held back so that enough are ready.
function margin({ hop }, blockMultiple) {
  return hop - greatestDivisor(blockMultiple, hop);
}

/** Separates block by block, with a constant delay. */
export class StreamingSeparator {
  #kernels;
  #network;
  #config;
  #width;
  #nChannels;
  #blockMultiple;
  #transform;
  #rooms;
  #filled;
  #nFrames;
  #nReady;

  /**
   * @param {import("./kernels.js").Kernels} kernels
   * @param {import("./weights.js").Weights} weights
   * @param {object} [options]
   * @param {number} [options.lookahead]  Frames that are received after a frame before it is
   *   separated, 0 to 29: more are better and later.
   * @param {number} [options.channels]
   * @param {boolean} [options.average]  Average the masks of all patches that contain a frame.
   * @param {number} [options.blockMultiple]  All blocks will be multiples of so many samples.
   */
  constructor(kernels, weights, options = {}) {
    const { lookahead = 0, channels = 2, average = true, blockMultiple = 1 } = options;
    const network = new Network(kernels, weights);
    const { config } = network;
    this.#kernels = kernels;
    this.#network = new StreamingNetwork(network, { lookahead, average });
    this.#config = config;
    this.#width = network.width;
    this.#nChannels = channels;
    this.#blockMultiple = blockMultiple;
    this.#transform = new FourierTransform(kernels, config.frame);
    this.sources = weights.sources;
    this.sampleRate = config.sample_rate;
    /** Number of samples that were not finite, or far too large. */
    this.nMended = 0;
    this.#prepare();
    this.reset();
  }

  get lookahead() {
    return this.#network.lookahead;
  }

  /**
   * Look ahead by another number of frames from the next frame on: the latency changes, and for a
   * hop, the stems with the old one fade into those with the new one.
   */
  set lookahead(lookahead) {
    this.#network.lookahead = lookahead;
  }

  /** Delay of the stems in samples. */
  get latency() {
    return latency(this.#config, this.lookahead, this.#blockMultiple);
  }

  #prepare() {
    const { frame, hop } = this.#config;
    const [kernels, width, nChannels] = [this.#kernels, this.#width, this.#nChannels];
    const rows = this.sources.length * nChannels;
    const window = analysisWindow(this.#config);
    const starts = (n) => kernels.integers(Array.from({ length: n }, (_, row) => row * frame));
    const spectra = () => kernels.floats(this.#config.context * nChannels * width);
    this.#rooms = {
      samples: kernels.floats(nChannels * frame),
      starts: starts(rows),
      window: kernels.floats(window),
      norm: kernels.floats(inverseNorm(window, hop)),
      re: spectra(),
      im: spectra(),
      mean: kernels.floats(2 * width),
      magnitudes: kernels.floats(width),
      products: [0, 1].map(() => kernels.floats(rows * width)),
      added: kernels.floats(rows * frame), // frames that overlap
      ready: kernels.floats(rows * 2 * hop),
    };
  }

  /** Start a new stream. */
  reset() {
    const { samples, added, ready, re, im } = this.#rooms;
    this.#network.reset();
    for (const numbers of [samples, added, ready, re, im]) numbers.view.fill(0);
    this.#filled = 0; // samples in the newest hop
    this.#nFrames = 0;
    this.#nReady = margin(this.#config, this.#blockMultiple);
  }

  /**
   * Process samples of the mixture, and give as many of each stem, from `latency` earlier. Samples
   * that are not finite count as zeros, and are counted.
   * @param {Float32Array[]} block  One array a channel, all of one length.
   * @param {Float32Array[][]} stems  By source and channel, of the same length; they are filled.
   */
  process(block, stems) {
    const { hop, frame } = this.#config;
    const n = block[0].length;
    let [taken, given] = [0, 0];
    while (taken < n) {
      const count = Math.min(hop - this.#filled, n - taken);
      const view = this.#rooms.samples.view;
      for (let c = 0; c < this.#nChannels; c++) {
        const at = c * frame + hop + this.#filled;
        for (let i = 0; i < count; i++) {
          const sample = block[c][taken + i];
          const isUsable = Math.abs(sample) <= LOUDEST; // false for NaN
          view[at + i] = isUsable ? sample : 0;
          if (!isUsable) this.nMended++;
        }
      }
      this.#filled += count;
      taken += count;
      if (this.#filled === hop) this.#separateFrame();
      given = this.#give(stems, given, n);
    }
  }

  /**
   * End the stream and start a new one.
   * @returns {Float32Array[][]}  The last `latency` samples of the stems.
   */
  flush() {
    const zeros = () =>
      Array.from({ length: this.#nChannels }, () => new Float32Array(this.latency));
    const stems = this.sources.map(zeros);
    this.process(zeros(), stems);
    this.reset();
    return stems;
  }

  /** Move samples that are ready and needed to `stems`; return the new end. */
  #give(stems, start, end) {
    const { hop } = this.#config;
    const n = Math.min(this.#nReady, end - start);
    const view = this.#rooms.ready.view;
    for (let s = 0; s < stems.length; s++) {
      for (let c = 0; c < this.#nChannels; c++) {
        const from = (s * this.#nChannels + c) * 2 * hop;
        for (let i = 0; i < n; i++) stems[s][c][start + i] = view[from + i];
        view.copyWithin(from, from + n, from + this.#nReady);
      }
    }
    this.#nReady -= n;
    return start + n;
  }

  /** Separate the frame `lookahead` before the one that the newest hop completes. */
  #separateFrame() {
    const { hop, frame } = this.#config;
    const { samples, magnitudes } = this.#rooms;
    const { context } = this.#config;
    this.#analyse(this.#nFrames % context);
    const masks = this.#network.step(magnitudes.pointer);
    const nFrame = this.#nFrames - this.lookahead; // the frame that the masks are for
    this.#nFrames += 1;
    // Earlier frames would precede the stream, and of the first one the first half does.
    if (nFrame >= 0) this.#inverse(masks, nFrame % context);
    this.#makeReady(nFrame !== 0);
    const view = samples.view;
    for (let c = 0; c < this.#nChannels; c++)
      view.copyWithin(c * frame, c * frame + hop, (c + 1) * frame);
    this.#filled = 0;
  }

  /** Compute the spectra of all channels, and the scaled magnitudes of their mean. */
  #analyse(place) {
    const { samples, starts, window, re, im, mean, magnitudes } = this.#rooms;
    const [kernels, width, n] = [this.#kernels, this.#width, this.#nChannels];
    const at = place * n * width;
    const [ownRe, ownIm, meanRe, meanIm] = [re.at(at), im.at(at), mean.pointer, mean.at(width)];
    this.#transform.analyse(ownRe, ownIm, samples.pointer, starts.pointer, n, window.pointer);
    mean.view.fill(0);
    for (let c = 0; c < n; c++) {
      kernels.add(meanRe, re.at(at + c * width), width);
      kernels.add(meanIm, im.at(at + c * width), width);
    }
    const scale = this.#config.scale / Math.sqrt(this.#config.frame) / n;
    kernels.magnitudes(magnitudes.pointer, meanRe, meanIm, scale, width);
  }

  /** Add the masked frame to those that overlap with it. */
  #inverse(masks, place) {
    const { re, im, products, added, starts, window } = this.#rooms;
    const [width, nChannels] = [this.#width, this.#nChannels];
    const rows = this.sources.length * nChannels;
    for (let row = 0; row < rows; row++) {
      const mask = masks + 4 * Math.floor(row / nChannels) * this.#network.stride;
      const at = (place * nChannels + (row % nChannels)) * width;
      this.#kernels.multiply(products[0].at(row * width), mask, re.at(at), width);
      this.#kernels.multiply(products[1].at(row * width), mask, im.at(at), width);
    }
    const [productRe, productIm] = [products[0].pointer, products[1].pointer];
    this.#transform.synthesise(
      added.pointer,
      starts.pointer,
      productRe,
      productIm,
      rows,
      window.pointer,
    );
  }

  /** A hop of samples is ready: that which is complete, or silence before the stream. */
  #makeReady(isInside) {
    const { frame, hop } = this.#config;
    const { added, ready, norm } = this.#rooms;
    const [sums, view, factors] = [added.view, ready.view, norm.view];
    for (let row = 0; row < this.sources.length * this.#nChannels; row++) {
      const [from, to] = [row * frame, row * 2 * hop + this.#nReady];
      for (let i = 0; i < hop; i++) view[to + i] = isInside ? sums[from + i] * factors[i] : 0;
      sums.copyWithin(from, from + hop, from + frame);
      sums.fill(0, from + hop, from + frame);
    }
    this.#nReady += hop;
  }
}

function greatestDivisor(a, b) {
  return b ? greatestDivisor(b, a % b) : a;
}
