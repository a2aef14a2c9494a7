// The network: from magnitudes of consecutive frames to joined masks, as in
// hiphopss/network/forward.py, whose names these are.

import { patchHop } from "./patches.js";
import { rowWidth } from "./transform.js";

export const N_FILTERS = 50;
export const TIME_FILTER = 15;
export const BOTTLENECK = 128;
export const PANEL = 8; // as in kernels.c
const CODES = 32; // number of patches that are decoded together

/** Numbers of a row of filters: all of them, and some zeros. */
export const FILTERS = Math.ceil(N_FILTERS / PANEL) * PANEL;

/** The right factor of products, with its columns in panels; and what is added to each row. */
export class Matrix {
  /**
   * @param {import("./kernels.js").Kernels} kernels
   * @param {number} rows @param {number} columns
   * @param {(row: number, column: number) => number} value
   * @param {?ArrayLike<number>} bias  A number a column.
   */
  constructor(kernels, rows, columns, value, bias = null) {
    const panels = Math.ceil(columns / PANEL);
    const packed = new Float32Array(panels * rows * PANEL);
    for (let column = 0; column < columns; column++) {
      const start = Math.floor(column / PANEL) * rows * PANEL + (column % PANEL);
      for (let row = 0; row < rows; row++) packed[start + row * PANEL] = value(row, column);
    }
    this.#kernels = kernels;
    this.rows = rows;
    this.panels = panels;
    this.values = kernels.floats(packed);
    this.bias = bias && kernels.floats(panels * PANEL);
    if (bias) this.bias.view.set(bias);
  }

  #kernels;

  /**
   * out = a times this, plus the bias; or, with `add`, out += a times this. `out` and `a` are
   * addresses, with so many numbers from row to row; rows of `a` may overlap.
   * @param {number} out @param {number} outStride
   * @param {number} a @param {number} aStride
   * @param {number} n  Rows of `a`.
   * @param {0 | 1} [add]
   * @param {number} [first] @param {number} [panels]  Of eight columns, if not all are wanted.
   */
  apply(out, outStride, a, aStride, n, add = 0, first = 0, panels = this.panels) {
    const values = this.values.at(first * this.rows * PANEL);
    const bias = this.bias?.at(first * PANEL) ?? 0;
    this.#kernels.matmul(out, outStride, a, aStride, values, n, this.rows, panels, bias, add);
  }
}

/** The network with its weights, which several streams may share. */
export class Network {
  /**
   * @param {import("./kernels.js").Kernels} kernels
   * @param {import("./weights.js").Weights} weights
   */
  constructor(kernels, weights) {
    const { config } = weights;
    this.kernels = kernels;
    this.config = config;
    this.nEncoded = config.context - TIME_FILTER + 1; // length of a valid convolution
    this.width = rowWidth(config.frame);
    this.bins = config.frame / 2 + 1;
    this.decoderOf = weights.decoders;
    this.nDecoders = Math.max(...weights.decoders) + 1;
    this.#prepareEncoder(weights.arrays);
    this.#prepareDecoders(weights.arrays);
    this.#prepareMasks(weights.arrays);
    this.#room = null;
  }

  #room;

  #prepareEncoder(arrays) {
    const { kernels, nEncoded, bins } = this;
    const conv1 = arrays["conv1/kernel"]; // [bins, filters]
    const conv2 = arrays["conv2/kernel"]; // [frames, channels, filters], earliest frame first
    this.conv1Kernel = new Matrix(
      kernels,
      bins,
      N_FILTERS,
      (bin, filter) => conv1[bin * N_FILTERS + filter],
      arrays["conv1/bias"],
    );
    this.conv2Kernel = new Matrix(
      kernels,
      TIME_FILTER * FILTERS,
      N_FILTERS,
      spread((row, filter) => conv2[row * N_FILTERS + filter]),
      arrays["conv2/bias"],
    );
    const kernel = arrays["bottleneck/kernel"]; // [time, filters, bottleneck]
    this.bottleneck = new Matrix(
      kernels,
      nEncoded * FILTERS,
      BOTTLENECK,
      spread((row, column) => kernel[row * BOTTLENECK + column]),
      arrays["bottleneck/bias"],
    );
    /** What a position of conv2 adds to each frame of its filter. */
    this.conv2Inverse = Array.from(
      { length: TIME_FILTER },
      (_, frame) =>
        new Matrix(
          kernels,
          N_FILTERS,
          N_FILTERS,
          (filter, channel) => conv2[(frame * N_FILTERS + channel) * N_FILTERS + filter],
        ),
    );
    this.conv1Inverse = new Matrix(kernels, N_FILTERS, this.width, (filter, bin) =>
      bin < bins ? conv1[bin * N_FILTERS + filter] : 0,
    );
  }

  #prepareDecoders(arrays) {
    const kernel = arrays["decoders/kernel"]; // [bottleneck, decoders, time, filters]
    const used = this.nDecoders * this.nEncoded * N_FILTERS;
    const columns = this.nDecoders * this.nEncoded * FILTERS;
    const bias = spread((column) => arrays["decoders/bias"][column]);
    const value = spread((column, row) => kernel[row * used + column]);
    this.decoders = new Matrix(
      this.kernels,
      BOTTLENECK,
      columns,
      (row, column) => value(column, row),
      Float32Array.from({ length: columns }, (_, column) => bias(column)),
    );
  }

  #prepareMasks(arrays) {
    const { kernels, bins, width } = this;
    const size = this.config.context * width;
    const [noise, bias] = [arrays["masks/noise"], arrays["output/bias"]];
    this.floor = kernels.floats(size);
    this.lift = kernels.floats(bias.length * size);
    const [floor, lift] = [this.floor.view, this.lift.view];
    floor.fill(1);
    for (let frame = 0; frame < this.config.context; frame++)
      floor.set(noise.subarray(frame * bins, (frame + 1) * bins), frame * width);
    bias.forEach((value, source) => {
      for (let at = 0; at < size; at++) lift[source * size + at] = value + floor[at];
    });
  }

  /**
   * Compute the masks of consecutive patches, joined by the cross-fade.
   * @param {import("./kernels.js").Numbers} joined  Filled with [sources, nFrames, width], where
   *   nFrames is `(nPatches - 1) * hop + context`.
   * @param {import("./kernels.js").Numbers} magnitudes  [nFrames, width]; zeros after the signal.
   *   none.
   * @param {Float64Array} weights  From `crossfadeWeights`.
   * @param {number} most  Number of patches for which to take memory, if there isn't enough.
   */
  joinedMasks(joined, magnitudes, weights, most) {
    const { config, kernels, width } = this;
    const nPatches = weights.length / config.context;
    const nFrames = (nPatches - 1) * patchHop(config) + config.context;
    const room = this.#roomFor(nPatches, most);
    room.weights.view.set(weights);
    joined.view.fill(0, 0, 4 * nFrames * width);
    this.#encode(room, magnitudes, nPatches, nFrames);
    for (let first = 0; first < nPatches; first += CODES) {
      const n = Math.min(CODES, nPatches - first);
      const codes = room.codes.at(first * BOTTLENECK);
      this.#decode(room, codes, n);
      for (let patch = first; patch < first + n; patch++) {
        this.#outputs(room, patch - first);
        kernels.soft_masks(
          joined.at(patch * patchHop(config) * width),
          nFrames,
          room.outputsOf.pointer,
          room.weights.at(patch * config.context),
          this.lift.pointer,
          this.floor.pointer,
          config.context,
          width,
          0,
        );
      }
    }
  }

  /** Memory for at least so many patches. */
  #roomFor(needed, nPatches) {
    if (this.#room?.nPatches >= needed) return this.#room;
    const { kernels, nDecoders, nEncoded, width } = this;
    const { context } = this.config;
    const nFrames = (nPatches - 1) * patchHop(this.config) + context;
    const outputs = kernels.floats(nDecoders * context * width);
    this.#room = {
      nPatches,
      weights: kernels.floats(nPatches * context),
      conv1: kernels.floats(nFrames * FILTERS),
      conv2: kernels.floats(nFrames * FILTERS),
      codes: kernels.floats(nPatches * BOTTLENECK),
      hidden: kernels.floats(CODES * nDecoders * nEncoded * FILTERS),
      decoded: kernels.floats(nDecoders * context * FILTERS),
      outputs,
      outputsOf: kernels.integers(this.decoderOf.map((n) => outputs.at(n * context * width))),
    };
    return this.#room;
  }

  /** Compute the bottleneck of each patch from frames. */
  #encode(room, magnitudes, nPatches, nFrames) {
    const { conv1, conv2, codes } = room;
    const hop = patchHop(this.config) * FILTERS;
    this.conv1Kernel.apply(conv1.pointer, FILTERS, magnitudes.pointer, this.width, nFrames);
    const nPositions = nFrames - TIME_FILTER + 1;
    this.conv2Kernel.apply(conv2.pointer, FILTERS, conv1.pointer, FILTERS, nPositions);
    this.bottleneck.apply(codes.pointer, BOTTLENECK, conv2.pointer, hop, nPatches);
    this.kernels.rectify(codes.pointer, nPatches * BOTTLENECK);
  }

  /** Compute the decoders' hidden layers from bottlenecks. */
  #decode(room, codes, n) {
    const size = this.nDecoders * this.nEncoded * FILTERS;
    this.decoders.apply(room.hidden.pointer, size, codes, BOTTLENECK, n);
    this.kernels.rectify(room.hidden.pointer, n * size);
  }

  /** Compute conv2 inverse and conv1 inverse of one of the decoded patches, without biases. */
  #outputs(room, patch) {
    const { nDecoders, nEncoded, width } = this;
    const { context } = this.config;
    room.decoded.view.fill(0);
    for (let source = 0; source < nDecoders; source++) {
      const hidden = room.hidden.at((patch * nDecoders + source) * nEncoded * FILTERS);
      for (let frame = 0; frame < TIME_FILTER; frame++) {
        const to = room.decoded.at((source * context + frame) * FILTERS);
        this.conv2Inverse[frame].apply(to, FILTERS, hidden, FILTERS, nEncoded, 1);
      }
    }
    const rows = nDecoders * context;
    this.conv1Inverse.apply(room.outputs.pointer, width, room.decoded.pointer, FILTERS, rows);
  }
}

/** A function of rows with gaps after each row's filters, from one of rows without; 0 in gaps. */
function spread(value) {
  return (row, column) => {
    const [time, filter] = [Math.floor(row / FILTERS), row % FILTERS];
    return filter < N_FILTERS ? value(time * N_FILTERS + filter, column) : 0;
  };
}
