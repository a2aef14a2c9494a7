// The network one frame at a time, and the separation of a stream with it, as in
// hiphopss/network/streaming.py and hiphopss/live/stream.py, whose names these are.

import { FILTERS, Network, TIME_FILTER } from "./network.js";
import { inverseNorm } from "./separator.js";
import { FourierTransform, analysisWindow } from "./transform.js";

/** Larger samples (full scale is 1) would overflow in single precision. */
export const LOUDEST = 1e30;

const PANEL = 8; // as in kernels.c

/**
 * Weight of each position of a patch in the resulting masks.
 * @param {import("./weights.js").SignalConfig} config
 * @param {number} lookahead  Number of frames, 0 to context - 1.
 * @returns {Float64Array}  [context], with sum 1; zeros before position context - 1 - lookahead.
 */
export function positionWeights({ context }, lookahead) {
  const last = context - 1;
  if (!Number.isInteger(lookahead) || lookahead < 0 || lookahead > last)
    throw new RangeError(`lookahead ${lookahead}: give a whole number of frames, 0 to ${last}`);
  const weights = Float64Array.from({ length: context }, (_, position) =>
    position < last - lookahead ? 0 : Math.min(position, last - position) + 1,
  );
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

/** A network that receives one frame at a time and uses constant memory. */
export class StreamingNetwork {
  #network;
  #conv1;
  #conv2;
  #code;
  #hidden;
  #decoded;
  #outputs;
  #outputsOf;
  #lift;
  #weights;
  #masks; // of the newest patch and of the one before, which take turns
  #nSteps; // since the lookahead is what it is

  /** @param {Network} network  It is only read, so several streams may share it. */
  constructor(network, lookahead = 0) {
    const { kernels, nDecoders, nEncoded, width } = network;
    const { context } = network.config;
    const nSources = network.decoderOf.length;
    this.#network = network;
    this.#conv1 = new LastRows(kernels, TIME_FILTER);
    this.#conv2 = new LastRows(kernels, nEncoded);
    this.#code = kernels.floats(network.bottleneck.panels * PANEL);
    this.#hidden = kernels.floats(nDecoders * nEncoded * FILTERS);
    this.#decoded = kernels.floats(nDecoders * context * FILTERS);
    this.#outputs = kernels.floats(nDecoders * context * width);
    this.#outputsOf = kernels.integers(nSources);
    this.#lift = kernels.floats(nSources * context * width);
    this.#weights = kernels.floats(context);
    this.#masks = [0, 1].map(() => kernels.floats(nSources * context * width));
    this.lookahead = lookahead;
    this.reset();
  }

  get lookahead() {
    return this.nUsed - 1;
  }

  /**
   * From the next step on, look ahead by another number of frames. The masks of the frames that
   * were looked at before are then averages of fewer patches, but they still sum to 1.
   */
  set lookahead(lookahead) {
    const weights = positionWeights(this.#network.config, lookahead);
    const { config, decoderOf, lift, width } = this.#network;
    /** Number of a patch's frames that are used: its last ones. */
    this.nUsed = lookahead + 1;
    this.first = config.context - this.nUsed;
    const size = this.nUsed * width;
    decoderOf.forEach((decoder, source) => {
      this.#outputsOf.view[source] = this.#outputs.at(decoder * size);
      const from = (source * config.context + this.first) * width;
      const [to, all] = [this.#lift.view, lift.view];
      to.set(all.subarray(from, from + size), source * size);
    });
    this.#weights.view.set(weights.subarray(this.first));
    this.#forgetMasks();
  }

  #forgetMasks() {
    for (const masks of this.#masks) masks.view.fill(0);
    this.#nSteps = 0;
  }

  /** Forget all frames: the stream starts with silence. */
  reset() {
    const { conv1Kernel, conv2Kernel } = this.#network;
    this.#conv1.fill(conv1Kernel.bias.view);
    conv2Kernel.apply(this.#conv2.next, FILTERS, this.#conv1.pointer, FILTERS, 1);
    this.#conv2.push();
    this.#conv2.fill(this.#conv2.newest);
    this.#forgetMasks();
  }

  /**
   * Process the next frame, and compute the masks of the one `lookahead` frames before it. In the
   * first `lookahead` steps, those are of frames before the first.
   * @param {number} magnitudes  Address of a row of the mixture's scaled magnitudes.
   * @param {Int32Array} masks  Filled with the addresses of the sources' masks, which the step
   *   after the next overwrites.
   */
  step(magnitudes, masks) {
    this.encode(magnitudes);
    this.decode();
    this.output();
    this.join(masks);
  }

  /** Up to the bottleneck. */
  encode(magnitudes) {
    const { kernels, conv1Kernel, conv2Kernel, bottleneck, width } = this.#network;
    conv1Kernel.apply(this.#conv1.next, FILTERS, magnitudes, width, 1);
    this.#conv1.push();
    conv2Kernel.apply(this.#conv2.next, FILTERS, this.#conv1.pointer, FILTERS, 1);
    this.#conv2.push();
    bottleneck.apply(this.#code.pointer, this.#code.length, this.#conv2.pointer, FILTERS, 1);
    kernels.rectify(this.#code.pointer, this.#code.length);
  }

  /** The decoders and conv2 inverse, as far as the used frames need them. */
  decode() {
    const { kernels, decoders, conv2Inverse, nDecoders, nEncoded } = this.#network;
    const [hidden, decoded] = [this.#hidden, this.#decoded];
    const earliest = Math.max(0, this.first - TIME_FILTER + 1); // position of conv2
    const columns = (nEncoded - earliest) * FILTERS;
    for (let decoder = 0; decoder < nDecoders; decoder++) {
      const start = (decoder * nEncoded + earliest) * FILTERS;
      kernels.matmul(
        hidden.at(start),
        columns,
        this.#code.pointer,
        this.#code.length,
        decoders.values.at(start * decoders.rows),
        1,
        decoders.rows,
        columns / PANEL,
        decoders.bias.at(start),
        0,
      );
      kernels.rectify(hidden.at(start), columns);
    }
    decoded.view.fill(0, 0, nDecoders * this.nUsed * FILTERS);
    for (let decoder = 0; decoder < nDecoders; decoder++)
      for (let frame = 0; frame < TIME_FILTER; frame++) {
        const position = Math.max(0, this.first - frame);
        const row = decoder * this.nUsed + position + frame - this.first;
        const from = hidden.at((decoder * nEncoded + position) * FILTERS);
        const n = nEncoded - position;
        conv2Inverse[frame].apply(decoded.at(row * FILTERS), FILTERS, from, FILTERS, n, 1);
      }
  }

  /** Conv1 inverse. */
  output() {
    const { conv1Inverse, nDecoders, width } = this.#network;
    const rows = nDecoders * this.nUsed;
    conv1Inverse.apply(this.#outputs.pointer, width, this.#decoded.pointer, FILTERS, rows);
  }

  /** The masks of the newest patch, and their sum with those of the ones before. */
  join(addresses) {
    const { kernels, decoderOf, config, floor, width } = this.#network;
    const [masks, before] = this.#masks;
    const size = this.nUsed * width;
    kernels.soft_masks(
      0,
      0,
      this.#outputsOf.pointer,
      this.#weights.pointer,
      this.#lift.pointer,
      floor.at(this.first * width),
      this.nUsed,
      width,
      masks.pointer,
    );
    decoderOf.forEach((_, source) => {
      // The second frame of the last step's patch is the first frame of this one's.
      const from = before.at(source * size + width);
      kernels.add(masks.at(source * size), from, size - width);
      addresses[source] = masks.at(source * size);
    });
    this.#masks.reverse();
    if (this.#nSteps === this.lookahead) return;
    // After a change of the lookahead, the frame was in fewer patches.
    const seen = this.#weights.view.subarray(0, ++this.#nSteps).reduce((a, b) => a + b);
    for (const mask of addresses) kernels.scale(mask, 1 / seen, width);
  }
}

/** The last rows of a sequence as one vector, without moving them. */
class LastRows {
  #rows;
  #length;
  #next = 0;

  // Each row is written twice, `length` rows apart, so that the rows before the newest one always
  // precede it in memory.
  constructor(kernels, length) {
    this.#rows = kernels.floats(2 * length * FILTERS);
    this.#length = length;
  }

  /** Take `row` for every row. @param {Float32Array} row */
  fill(row) {
    for (let n = 0; n < 2 * this.#length; n++) this.#rows.view.set(row, n * FILTERS);
  }

  /** Address where the next row is to be written, before `push`. */
  get next() {
    return this.#rows.at(this.#next * FILTERS);
  }

  /** Replace the oldest row by the one that was written. */
  push() {
    const start = this.#next * FILTERS;
    const rows = this.#rows.view;
    rows.copyWithin(start + this.#length * FILTERS, start, start + FILTERS);
    this.#next = (this.#next + 1) % this.#length;
  }

  /** Address of the rows, oldest first. */
  get pointer() {
    return this.#rows.at(this.#next * FILTERS);
  }

  /** The newest row. */
  get newest() {
    const start = (this.#next + this.#length - 1) * FILTERS;
    return this.#rows.view.slice(start, start + FILTERS);
  }
}

/**
 * Delay of a stream's stems in samples.
 * @param {import("./weights.js").SignalConfig} config
 * @param {number} lookahead  Number of frames.
 * @param {number} blockMultiple  All blocks are multiples of so many samples.
 */
export function latency(config, lookahead, blockMultiple) {
  return (lookahead + 1) * config.hop + margin(config, blockMultiple);
}

// Samples are completed a hop at a time; this many are held back, so that enough are ready.
function margin({ hop }, blockMultiple) {
  return hop - greatestDivisor(blockMultiple, hop);
}

function greatestDivisor(a, b) {
  return b ? greatestDivisor(b, a % b) : a;
}

/** Separates block by block, with a constant delay and constant memory. */
export class StreamingSeparator {
  #kernels;
  #network;
  #transform;
  #window;
  #norm; // what a hop of overlap-added samples is multiplied by
  #blockMultiple;
  #samples; // the newest frame of each channel
  #sampleStarts;
  #spectra; // of the last frames, which take turns: [frame, channel, width]
  #magnitudes;
  #masks;
  #products; // masked spectra: [source, channel, width]
  #overlap; // samples of two hops: [source, channel, frame]
  #overlapStarts;
  #ready; // samples that are complete: by source and channel
  #nReady;
  #filled; // samples in the newest hop
  #nFrames;

  /**
   * @param {import("./kernels.js").Kernels} kernels
   * @param {import("./weights.js").Weights} weights
   * @param {object} [options]
   * @param {number} [options.lookahead]  Number of frames, 0 to context - 1.
   * @param {number} [options.channels]
   * @param {number} [options.blockMultiple]  Promise that all blocks are multiples of this number
   *   of samples, which saves up to a hop of latency.
   */
  constructor(kernels, weights, { lookahead = 0, channels = 2, blockMultiple = 1 } = {}) {
    const network = new Network(kernels, weights);
    const { frame, hop, context } = (this.config = weights.config);
    const nStems = weights.sources.length * channels;
    const window = analysisWindow(this.config);
    const parts = (size) => [0, 1].map(() => kernels.floats(size)); // real and imaginary
    this.#kernels = kernels;
    this.sources = weights.sources;
    this.channels = channels;
    this.#network = new StreamingNetwork(network, lookahead);
    this.#transform = new FourierTransform(kernels, frame);
    this.#window = kernels.floats(window);
    this.#norm = inverseNorm(window, hop);
    this.#blockMultiple = blockMultiple;
    this.#samples = kernels.floats(channels * frame);
    this.#sampleStarts = kernels.integers(starts(channels, frame));
    this.#spectra = parts(context * channels * network.width);
    this.#magnitudes = parts(network.width);
    this.#masks = new Int32Array(weights.sources.length);
    this.#products = parts(nStems * network.width);
    this.#overlap = kernels.floats(nStems * frame);
    this.#overlapStarts = kernels.integers(starts(nStems, frame));
    this.#ready = Array.from({ length: nStems }, () => new Float32Array(2 * hop));
    this.reset();
  }

  get lookahead() {
    return this.#network.lookahead;
  }

  /**
   * From the next frame on, look ahead by another number of frames: the latency changes, and the
   * stems before and after the change fade into each other for the length of a hop.
   */
  set lookahead(lookahead) {
    this.#network.lookahead = lookahead;
  }

  /** Delay of the stems in samples. */
  get latency() {
    return latency(this.config, this.lookahead, this.#blockMultiple);
  }

  /** Start a new stream. */
  reset() {
    this.#network.reset();
    for (const numbers of [this.#samples, this.#overlap, ...this.#spectra]) numbers.view.fill(0);
    for (const samples of this.#ready) samples.fill(0);
    this.#nReady = margin(this.config, this.#blockMultiple);
    this.#filled = 0;
    this.#nFrames = 0;
  }

  /**
   * Process samples of the mixture; write as many of each stem, from `latency` earlier.
   * @param {Float32Array[]} block  Consecutive samples by channel, finite and at most LOUDEST.
   * @param {Float32Array[][]} stems  Filled with the stems, by source and channel.
   */
  process(block, stems) {
    const { frame, hop } = this.config;
    const size = block[0].length;
    let [nIn, nOut] = [0, 0];
    while (nIn < size) {
      const nTaken = Math.min(hop - this.#filled, size - nIn);
      block.forEach((samples, channel) => {
        const at = channel * frame + hop + this.#filled;
        this.#samples.view.set(samples.subarray(nIn, nIn + nTaken), at);
      });
      this.#filled += nTaken;
      nIn += nTaken;
      if (this.#filled === hop) this.#separateFrame();
      nOut = this.#give(stems, nOut, size);
    }
  }

  /** Move samples that are ready and needed to `stems`; return the new end. */
  #give(stems, start, size) {
    const n = Math.min(this.#nReady, size - start);
    this.#ready.forEach((samples, row) => {
      const stem = stems[Math.floor(row / this.channels)][row % this.channels];
      stem.set(samples.subarray(0, n), start);
      samples.copyWithin(0, n, this.#nReady);
    });
    this.#nReady -= n;
    return start + n;
  }

  /** Separate the frame `lookahead` before the one that the newest hop completes. */
  #separateFrame() {
    this.#analyse();
    this.#network.step(this.#magnitudes[0].pointer, this.#masks);
    this.#mask();
    this.#synthesise();
  }

  #row(nFrame) {
    const { width } = this.#transform;
    return (nFrame % this.config.context) * this.channels * width;
  }

  /** Compute the spectra of the newest frame, and the scaled magnitudes of the channels' mean. */
  #analyse() {
    const { frame, hop, scale } = this.config;
    const { width } = this.#transform;
    const [sumRe, sumIm] = this.#magnitudes;
    const row = this.#row(this.#nFrames++);
    const [re, im] = this.#spectra.map((part) => part.at(row));
    const { pointer } = this.#samples;
    this.#transform.analyse(
      re,
      im,
      pointer,
      this.#sampleStarts.pointer,
      this.channels,
      this.#window.pointer,
    );
    for (const [sum, part] of [
      [sumRe, re],
      [sumIm, im],
    ]) {
      sum.view.fill(0);
      for (let channel = 0; channel < this.channels; channel++)
        this.#kernels.add(sum.pointer, part + 4 * channel * width, width);
    }
    const factor = scale / Math.sqrt(frame) / this.channels;
    this.#kernels.magnitudes(sumRe.pointer, sumRe.pointer, sumIm.pointer, factor, width);
    const samples = this.#samples.view;
    for (let channel = 0; channel < this.channels; channel++)
      samples.copyWithin(channel * frame, channel * frame + hop, (channel + 1) * frame);
    this.#filled = 0;
  }

  /** Apply the masks to the frame that they are of. */
  #mask() {
    const { width } = this.#transform;
    const nFrame = this.#nFrames - 1 - this.lookahead;
    this.#products.forEach((products, part) => {
      if (nFrame < 0) return products.view.fill(0); // this frame would precede the stream
      const row = this.#spectra[part].at(this.#row(nFrame));
      this.#masks.forEach((mask, source) => {
        for (let channel = 0; channel < this.channels; channel++)
          this.#kernels.multiply(
            products.at((source * this.channels + channel) * width),
            mask,
            row + 4 * channel * width,
            width,
          );
      });
    });
  }

  /** Complete a hop of the stems. */
  #synthesise() {
    const { frame, hop } = this.config;
    const [re, im] = this.#products;
    const nStems = this.#ready.length;
    this.#transform.synthesise(
      this.#overlap.pointer,
      this.#overlapStarts.pointer,
      re.pointer,
      im.pointer,
      nStems,
      this.#window.pointer,
    );
    const overlap = this.#overlap.view;
    const before = this.#nFrames - 1 === this.lookahead; // these samples precede the stream
    this.#ready.forEach((samples, row) => {
      const start = row * frame;
      for (let n = 0; n < hop; n++)
        samples[this.#nReady + n] = before ? 0 : overlap[start + n] * this.#norm[n];
      overlap.copyWithin(start, start + hop, start + frame);
      overlap.fill(0, start + hop, start + frame);
    });
    this.#nReady += hop;
  }
}

/** Where rows of `size` numbers begin. */
function starts(rows, size) {
  return Array.from({ length: rows }, (_, row) => row * size);
}
