// Short-time Fourier transform and its inverse, as in hiphopss/signal/transform.py.

const COSINE_TERMS = {
  blackmanharris: [0.35875, -0.48829, 0.14128, -0.01168],
  hann: [0.5, -0.5],
};
const LINE = 16; // rows are whole numbers of so many numbers

/** The symmetric window. @param {import("./weights.js").SignalConfig} config */
export function analysisWindow(config) {
  const terms = COSINE_TERMS[config.window];
  return Float64Array.from({ length: config.frame }, (_, n) => {
    const angle = (2 * Math.PI * n) / (config.frame - 1);
    return terms.reduce((sum, weight, k) => sum + weight * Math.cos(k * angle), 0);
  });
}

/** What a hop of overlap-added samples is multiplied by, where each lies in two frames. */
export function inverseNorm(window, hop) {
  return Float64Array.from({ length: hop }, (_, n) => 1 / (window[n] ** 2 + window[n + hop] ** 2));
}

/** Number of frames of a signal. @param {number} nSamples */
export function frameCount(nSamples, config) {
  return Math.ceil(nSamples / config.hop) + 2;
}

/** Numbers of a row of bins: all of them, and some more that are not used. */
export function rowWidth(frame) {
  return Math.ceil((frame / 2 + 4) / LINE) * LINE;
}

/** Fourier transform of real frames of one length, a power of two of at least eight. */
export class FourierTransform {
  #kernels;
  #turns;
  #scratch;

  /** @param {import("./kernels.js").Kernels} kernels @param {number} frame */
  constructor(kernels, frame) {
    this.#kernels = kernels;
    this.frame = frame;
    this.width = rowWidth(frame);
    const turns = Array.from({ length: frame }, (_, j) => (-2 * Math.PI * j) / frame);
    this.#turns = kernels.floats(turns.flatMap((angle) => [Math.cos(angle), Math.sin(angle)]));
    this.#scratch = kernels.floats(8 * (frame + 16));
  }

  /**
   * Spectra of frames of a signal.
   * @param {number} re @param {number} im  Addresses of rows of `width` numbers.
   * @param {number} samples  Address of the signal.
   * @param {number} starts  Address of the frames' first samples.
   * @param {number} n  Number of frames.
   * @param {number} window  Address of what each frame is multiplied by.
   */
  analyse(re, im, samples, starts, n, window) {
    const { frame, width } = this;
    const [turns, scratch] = [this.#turns.pointer, this.#scratch.pointer];
    this.#kernels.analyse(re, im, width, samples, starts, n, window, frame, turns, scratch);
  }

  /** Add the windowed inverse of spectra to a signal; arguments as in `analyse`. */
  synthesise(samples, starts, re, im, n, window) {
    const { frame, width } = this;
    const [turns, scratch] = [this.#turns.pointer, this.#scratch.pointer];
    this.#kernels.synthesise(samples, starts, re, im, width, n, window, frame, turns, scratch);
  }
}
