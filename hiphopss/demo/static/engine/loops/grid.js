// The grid of frames on which copies lie under each other, as in hiphopss/loops/grid.py.

import { rint } from "../rounding.js";
import { FourierTransform } from "../transform.js";

/** Length of a frame in samples. */
export const FRAME = 4096;
export const N_BINS = FRAME / 2 + 1;
const NEAREST_HOP = FRAME / 2;

/** The periodic Hann window, for analysis and synthesis. */
const WINDOW = Float32Array.from(
  { length: FRAME },
  (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / FRAME),
);
const SQUARED = WINDOW.map((value) => value * value);

/** Frames of a song whose beat repeats after a step. */
export class Grid {
  /**
   * @param {number} step  Length of the step in samples.
   * @param {number} nSamples  Length of the song.
   */
  constructor(step, nSamples) {
    /** Number of frames from one copy to the next. */
    this.framesPerStep = Math.max(1, rint(step / NEAREST_HOP));
    /** Samples between frames. */
    this.hop = step / this.framesPerStep;
    this.nSamples = nSamples;
    /** Number of frames; each sample is in two of them. */
    this.nFrames = Math.ceil(nSamples / this.hop) + 1;
  }

  /** First sample of a frame; the first frame is centred on the first sample. */
  start(frame) {
    return rint(frame * this.hop) - FRAME / 2;
  }

  /** The sample after the last one of the frames before `last`. */
  end(last) {
    return this.start(last - 1) + FRAME;
  }

  /** What the spectrum of a bin is turned by, to where the frame is meant to be, in radians. */
  angle(frame) {
    const exact = frame * this.hop;
    return ((2 * Math.PI) / FRAME) * (exact - rint(exact));
  }

  /** Sum of the squared windows of frames, from the first one's start. */
  weights(first, last) {
    const begin = this.start(first);
    const total = new Float32Array(this.end(last) - begin);
    for (let frame = first; frame < last; frame++) {
      const at = this.start(frame) - begin;
      for (let n = 0; n < FRAME; n++) total[at + n] += SQUARED[n];
    }
    return total;
  }
}

/**
 * Transforms frames of a grid. Spectra are in planes of `width` numbers: a row of frames for the
 * real part of each signal, then one for each imaginary part.
 */
export class FrameTransform {
  #kernels;
  #transform;
  #window;
  #starts;
  #samples = null;

  /** @param {import("../kernels.js").Kernels} kernels @param {number} most  Frames at a time. */
  constructor(kernels, most) {
    this.#kernels = kernels;
    this.#transform = new FourierTransform(kernels, FRAME);
    this.#window = kernels.floats(WINDOW);
    this.#starts = kernels.integers(most);
    this.most = most;
    this.width = this.#transform.width;
  }

  /** Room for spectra of as many frames as are transformed at a time. */
  room(nSignals) {
    return this.#kernels.floats(2 * nSignals * this.most * this.width);
  }

  /** Numbers from the planes of a signal to those of the next, and from frame to frame. */
  get apart() {
    return this.most * this.width;
  }

  /**
   * Spectra of a range of frames.
   * @param {import("../kernels.js").Numbers} spectra  What `room` gives.
   * @param {Grid} grid
   * @param {Float32Array[]} signals  Samples that cover the frames.
   * @param {number} offset  Position of the first of them in the song, which may be negative.
   * @param {number} first @param {number} last  The frames.
   * @param {boolean} turned  Turn the spectra to where the frames are meant to be.
   */
  analyse(spectra, grid, signals, offset, first, last, turned = true) {
    const begin = grid.start(first);
    const end = grid.end(last);
    const samples = this.#roomFor(end - begin);
    this.#setStarts(grid, first, last, begin);
    signals.forEach((signal, n) => {
      samples.view.set(signal.subarray(begin - offset, end - offset));
      this.#transform.analyse(
        spectra.at(n * this.apart), spectra.at((signals.length + n) * this.apart),
        samples.pointer, this.#starts.pointer, last - first, this.#window.pointer,
      );
    });
    for (let frame = first; turned && frame < last; frame++)
      this.turn(spectra.at((frame - first) * this.width), this.apart, signals.length,
        grid.angle(frame));
  }

  /** Turn the spectra of a frame; an angle of the other sign turns them back. */
  turn(planes, apart, nSignals, angle) {
    if (angle === 0) return;
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    this.#kernels.turn(planes, apart, nSignals, this.width, cosine, sine);
  }

  /**
   * Add windowed frames to samples.
   * @param {number} samples  Address of the sample at the position `begin`.
   * @param {number} re @param {number} im  Addresses of the spectra, frame by frame.
   */
  synthesise(samples, grid, re, im, first, last, begin) {
    this.#setStarts(grid, first, last, begin);
    this.#transform.synthesise(
      samples, this.#starts.pointer, re, im, last - first, this.#window.pointer,
    );
  }

  #setStarts(grid, first, last, begin) {
    const starts = this.#starts.view;
    for (let frame = first; frame < last; frame++)
      starts[frame - first] = grid.start(frame) - begin;
  }

  #roomFor(length) {
    if (!(this.#samples?.length >= length)) this.#samples = this.#kernels.floats(length);
    return this.#samples;
  }
}
