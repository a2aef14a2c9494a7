// The network, one frame at a time, as in hiphopss/network/streaming.py, whose names these are.

import { BOTTLENECK, FILTERS, PANEL, TIME_FILTER } from "./network.js";

const PANELS = FILTERS / PANEL; // of a position

/**
 * Weight of each position of a patch in the resulting masks.
 * @param {import("./weights.js").SignalConfig} config
 * @param {number} lookahead
 * @param {boolean} average  False uses only the newest patch's output for each frame.
 * @returns {Float64Array}  With sum 1; zeros before position `context - 1 - lookahead`.
 */
export function positionWeights({ context }, lookahead, average) {
  const last = context - 1;
  if (!(Number.isInteger(lookahead) && lookahead >= 0 && lookahead <= last))
    throw new RangeError(`lookahead ${lookahead}: give a whole number of frames, 0 to ${last}`);
  const weights = Float64Array.from({ length: context }, (_, position) => {
    const used = average ? position >= last - lookahead : position === last - lookahead;
    return used ? Math.min(position, last - position) + 1 : 0;
  });
  const sum = weights.reduce((total, weight) => total + weight);
  return weights.map((weight) => weight / sum);
}

/** A network that receives one frame at a time. */
export class StreamingNetwork {
  #network;
  #average;
  #lookahead;
  #first; // of the used positions
  #nUsed;
  #encoded; // first position of conv2 that is decoded, and how many there are
  #rooms;
  #conv1;
  #conv2;
  #turn = 0;
  #nSteps; // since the lookahead is what it is

  /**
   * @param {import("./network.js").Network} network  Streams may share it, but one at a time.
   * @param {{lookahead?: number, average?: boolean}} [options]
   */
  constructor(network, { lookahead = 0, average = true } = {}) {
    const { kernels, config, nDecoders, nEncoded, width } = network;
    const nSources = network.decoderOf.length;
    const size = config.context * width;
    this.#network = network;
    this.#average = average;
    this.#rooms = {
      weights: kernels.floats(config.context),
      lift: kernels.floats(nSources * size),
      code: kernels.floats(BOTTLENECK),
      hidden: kernels.floats(nDecoders * nEncoded * FILTERS),
      decoded: kernels.floats(nDecoders * config.context * FILTERS),
      outputs: kernels.floats(nDecoders * size),
      outputsOf: kernels.integers(nSources),
      // Masks of the newest patch and of the one before, which take turns.
      masks: [0, 1].map(() => kernels.floats(nSources * size)),
    };
    this.#conv1 = new LastRows(kernels, TIME_FILTER);
    this.#conv2 = new LastRows(kernels, nEncoded);
    this.lookahead = lookahead;
    this.reset();
  }

  get lookahead() {
    return this.#lookahead;
  }

  /**
   * Look ahead by another number of frames from the next step on. The first masks are then averages
   * of fewer patches, but they also sum to 1.
   */
  set lookahead(lookahead) {
    const { config, nEncoded, decoderOf, width, lift } = this.#network;
    const weights = positionWeights(config, lookahead, this.#average);
    const rooms = this.#rooms;
    this.#lookahead = lookahead;
    this.#first = weights.findIndex((weight) => weight > 0);
    this.#nUsed = weights.filter((weight) => weight > 0).length;
    const start = Math.max(0, this.#first - TIME_FILTER + 1);
    this.#encoded = { start, n: Math.min(nEncoded, this.#first + this.#nUsed) - start };
    rooms.weights.view.set(weights.subarray(this.#first, this.#first + this.#nUsed));
    const view = lift.view;
    decoderOf.forEach((decoder, source) => {
      const from = (source * config.context + this.#first) * width;
      rooms.lift.view.set(view.subarray(from, from + this.stride), source * this.stride);
      rooms.outputsOf.view[source] = rooms.outputs.at(decoder * this.stride);
    });
    this.#forgetMasks();
  }

  #forgetMasks() {
    for (const masks of this.#rooms.masks) masks.view.fill(0);
    this.#nSteps = 0;
  }

  /** Numbers between the masks of two sources. */
  get stride() {
    return this.#nUsed * this.#network.width;
  }

  /** Forget all frames: the stream starts with silence. */
  reset() {
    const { conv1Kernel, conv2Kernel } = this.#network;
    this.#conv1.fill(conv1Kernel.bias.view);
    conv2Kernel.apply(this.#conv2.next, FILTERS, this.#conv1.flat, FILTERS, 1);
    this.#conv2.fill(this.#conv2.nextRow());
    this.#forgetMasks();
  }

  /**
   * Process the next frame, and compute the masks of the one `lookahead` frames before it.
   * @param {number} magnitudes  Address of the mixture's scaled magnitudes.
   * @returns {number}  Address of the masks of the first source; those of the others follow after
   *   `stride` numbers each. They are there until the step after the next.
   */
  step(magnitudes) {
    const network = this.#network;
    const { kernels, width } = network;
    const { code } = this.#rooms;
    network.conv1Kernel.apply(this.#conv1.next, FILTERS, magnitudes, width, 1);
    this.#conv1.push();
    network.conv2Kernel.apply(this.#conv2.next, FILTERS, this.#conv1.flat, FILTERS, 1);
    this.#conv2.push();
    network.bottleneck.apply(code.pointer, BOTTLENECK, this.#conv2.flat, FILTERS, 1);
    kernels.rectify(code.pointer, BOTTLENECK);
    this.#decode();
    return this.#join();
  }

  /** The masks of the newest patch, added to those of the ones before. */
  #join() {
    const { kernels, width, floor, decoderOf } = this.#network;
    const { outputsOf, weights, lift, masks } = this.#rooms;
    const [own, before] = [masks[this.#turn], masks[1 - this.#turn]];
    kernels.soft_masks(
      0,
      0,
      outputsOf.pointer,
      weights.pointer,
      lift.pointer,
      floor.at(this.#first * width),
      this.#nUsed,
      width,
      own.pointer,
    );
    // Of the weights' sum, the patches that the frame was in since the lookahead changed have this.
    const isFull = this.#nSteps === this.#nUsed - 1;
    let seen = isFull ? 1 : 0;
    if (!isFull) for (let n = 0; n <= this.#nSteps; n++) seen += weights.view[n];
    for (let source = 0; source < decoderOf.length; source++) {
      const start = source * this.stride;
      // The second frame of the last step's patch is the first frame of this one's.
      kernels.add(own.at(start), before.at(start + width), this.stride - width);
      if (!isFull) kernels.scale(own.at(start), 1 / seen, width);
    }
    if (!isFull) this.#nSteps++;
    this.#turn = 1 - this.#turn;
    return own.pointer;
  }

  /** From the bottleneck to the outputs of the used positions, without biases. */
  #decode() {
    const network = this.#network;
    const { kernels, nDecoders, nEncoded, width } = network;
    const { code, hidden, decoded, outputs } = this.#rooms;
    const { start, n } = this.#encoded;
    const [end, last] = [start + n, this.#first + this.#nUsed - 1];
    decoded.view.fill(0, 0, nDecoders * this.#nUsed * FILTERS);
    for (let source = 0; source < nDecoders; source++) {
      const own = hidden.at(source * n * FILTERS);
      const panel = (source * nEncoded + start) * PANELS;
      network.decoders.apply(own, FILTERS, code.pointer, BOTTLENECK, 1, 0, panel, n * PANELS);
      kernels.rectify(own, n * FILTERS);
      for (let frame = 0; frame < TIME_FILTER; frame++) {
        const from = Math.max(start, this.#first - frame); // positions whose frame is used
        const rows = Math.min(end - 1, last - frame) - from + 1;
        if (rows <= 0) continue;
        const to = decoded.at((source * this.#nUsed + from + frame - this.#first) * FILTERS);
        const input = own + 4 * (from - start) * FILTERS;
        network.conv2Inverse[frame].apply(to, FILTERS, input, FILTERS, rows, 1);
      }
    }
    const rows = nDecoders * this.#nUsed;
    network.conv1Inverse.apply(outputs.pointer, width, decoded.pointer, FILTERS, rows);
  }
}

/**
 * The last rows of a sequence, one after the other without moving them: each row is written twice,
 * so that the rows before the newest one always precede it in memory.
 */
class LastRows {
  #rows;
  #length;
  #next = 0;

  constructor(kernels, length) {
    this.#rows = kernels.floats(2 * length * FILTERS);
    this.#length = length;
  }

  /** Make all rows equal. */
  fill(row) {
    for (let n = 0; n < 2 * this.#length; n++)
      for (let k = 0; k < FILTERS; k++) this.#rows.view[n * FILTERS + k] = row[k];
    this.#next = 0;
  }

  /** Address at which the next row is to be written. */
  get next() {
    return this.#rows.at(this.#next * FILTERS);
  }

  /** A copy of what was written there. */
  nextRow() {
    return this.#rows.view.slice(this.#next * FILTERS, (this.#next + 1) * FILTERS);
  }

  /** Take the row that was written; it replaces the oldest one. */
  push() {
    const start = this.#next * FILTERS;
    this.#rows.view.copyWithin(start + this.#length * FILTERS, start, start + FILTERS);
    this.#next = (this.#next + 1) % this.#length;
  }

  /** Address of the rows, the oldest one first. */
  get flat() {
    return this.#rows.at(this.#next * FILTERS);
  }
}
