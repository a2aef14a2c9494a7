// Separates any part of a mixture into its stems, as hiphopss/separation/separator.py does.
//
// A part is computed from the samples around it alone, so parts can be separated one by one, in any
// order and by several workers. Joined, they are the stems of the whole.

import { Network } from "./network.js";
import { crossfadeWeights, patchHop, separationPatchCount } from "./patches.js";
import { FourierTransform, analysisWindow, frameCount, inverseNorm } from "./transform.js";

const RUN = 128; // patches that are processed together

/**
 * Frames and patches that a part of a signal needs.
 * @typedef {object} Reach
 * @property {number} firstFrame  First frame of which the part has samples.
 * @property {number} lastFrame
 * @property {number} firstPatch
 * @property {number} nPatches
 * @property {number} nAfter  Number of the signal's patches after these.
 * @property {number} from  First sample that is needed, and the one after the last; there are none
 *   before 0 and from the signal's length on: zeros take their place.
 * @property {number} to
 */

/** The network, ready to separate any number of songs at its own sampling rate. */
export class Separator {
  #kernels;
  #transform;
  #window;
  #norm;
  #room = null;

  /**
   * @param {import("./kernels.js").Kernels} kernels
   * @param {import("./weights.js").Weights} weights
   */
  constructor(kernels, weights) {
    const { config } = weights;
    this.config = config;
    this.sources = weights.sources;
    this.network = new Network(kernels, weights);
    this.#kernels = kernels;
    this.#transform = new FourierTransform(kernels, config.frame);
    const window = analysisWindow(config);
    this.#window = kernels.floats(window);
    this.#norm = kernels.floats(inverseNorm(window, config.hop));
  }

  /**
   * Cut a signal into parts of a good size.
   * @param {import("./weights.js").SignalConfig} config
   * @param {number} nSamples
   * @returns {{start: number, stop: number}[]}
   */
  static parts(config, nSamples) {
    const size = RUN * patchHop(config) * config.hop;
    const n = Math.ceil(nSamples / size);
    return Array.from({ length: n }, (_, part) => ({
      start: part * size,
      stop: Math.min((part + 1) * size, nSamples),
    }));
  }

  /**
   * What a part of a signal needs.
   * @param {import("./weights.js").SignalConfig} config
   * @param {number} start @param {number} stop  First sample, and the one after the last.
   * @param {number} nSamples  Of the whole signal.
   * @returns {Reach}
   */
  static reach(config, start, stop, nSamples) {
    const { hop, context } = config;
    const step = patchHop(config);
    const nFrames = frameCount(nSamples, config);
    const inAll = separationPatchCount(nFrames, config, false);
    const firstFrame = Math.floor(start / hop);
    const lastFrame = Math.floor((stop - 1) / hop) + 1;
    const firstPatch = Math.max(0, Math.ceil((firstFrame - context + 1) / step));
    const lastPatch = Math.min(inAll - 1, Math.floor(lastFrame / step));
    const endFrame = Math.min(lastPatch * step + context, nFrames);
    return {
      firstFrame,
      lastFrame,
      firstPatch,
      nPatches: lastPatch - firstPatch + 1,
      nAfter: inAll - 1 - lastPatch,
      from: (firstPatch * step - 1) * hop,
      to: endFrame * hop,
    };
  }

  /**
   * Separate a part of a signal.
   * @param {Float32Array[]} channels  Samples of the mixture.
   * @param {number} offset  Position of the first of them in the signal. They must reach as far as
   *   `reach` says, or to the signal's ends.
   * @param {number} start @param {number} stop  The part.
   * @param {number} nSamples  Of the whole signal.
   * @returns {Float32Array[][]}  Stems by source and channel, from `start` to `stop`.
   */
  separate(channels, offset, start, stop, nSamples) {
    const reach = Separator.reach(this.config, start, stop, nSamples);
    const nFrames = (reach.to - reach.from) / this.config.hop - 1;
    const room = this.#roomFor(channels.length, reach.nPatches);
    this.#analyse(room, channels, offset, reach, nFrames);
    const { firstPatch, nPatches, nAfter } = reach;
    const weights = crossfadeWeights(this.config, firstPatch, nPatches, nAfter);
    this.network.joinedMasks(room.joined, room.magnitudes, weights, room.nPatches);
    const inJoined = (nPatches - 1) * patchHop(this.config) + this.config.context;
    const own = channels.map((samples) => samples.subarray(start - offset, stop - offset));
    return this.#stems(room, own, reach, inJoined, start);
  }

  /** Memory for a part. That of a smaller one is lost, so there is enough for a usual part. */
  #roomFor(nChannels, nPatches) {
    const kernels = this.#kernels;
    const { context, hop } = this.config;
    const step = patchHop(this.config);
    if (!(this.#room?.nPatches >= nPatches)) {
      const most = Math.max(nPatches, RUN + Math.ceil(context / step) + 1);
      const frames = (most - 1) * step + context;
      const size = frames * this.network.width;
      this.#room = {
        nPatches: most,
        size,
        samples: kernels.floats((frames + 1) * hop),
        starts: kernels.integers(Array.from({ length: frames }, (_, frame) => frame * hop)),
        re: [],
        im: [],
        magnitudes: kernels.floats(size),
        joined: kernels.floats(this.sources.length * size),
        productRe: kernels.floats(size),
        productIm: kernels.floats(size),
      };
    }
    const { re, im, size } = this.#room;
    while (re.length < nChannels) {
      re.push(kernels.floats(size));
      im.push(kernels.floats(size));
    }
    return this.#room;
  }

  /** Compute the spectra of all channels, and the scaled magnitudes of their mean. */
  #analyse(room, channels, offset, reach, nFrames) {
    const { config } = this;
    const { width } = this.network;
    const nNumbers = nFrames * width;
    const { samples, starts, productRe: re, productIm: im } = room;
    channels.forEach((channel, c) => {
      const view = samples.view;
      view.fill(0);
      const first = Math.max(reach.from, offset);
      const last = Math.min(reach.to, offset + channel.length);
      view.set(channel.subarray(first - offset, last - offset), first - reach.from);
      const [ownRe, ownIm] = [room.re[c].pointer, room.im[c].pointer];
      this.#transform.analyse(
        ownRe,
        ownIm,
        samples.pointer,
        starts.pointer,
        nFrames,
        this.#window.pointer,
      );
      if (c === 0) {
        re.view.set(room.re[0].view);
        im.view.set(room.im[0].view);
      } else {
        this.#kernels.add(re.pointer, ownRe, nNumbers);
        this.#kernels.add(im.pointer, ownIm, nNumbers);
      }
    });
    const scale = config.scale / Math.sqrt(config.frame) / channels.length;
    room.magnitudes.view.fill(0); // frames after the signal stay silent
    this.#kernels.magnitudes(room.magnitudes.pointer, re.pointer, im.pointer, scale, nNumbers);
  }

  /** Apply the masks, and transform back; the last stem is what the others leave. */
  #stems(room, mixture, reach, inJoined, start) {
    const { hop } = this.config;
    const { width } = this.network;
    const before = reach.firstFrame - reach.firstPatch * patchHop(this.config);
    const n = reach.lastFrame - reach.firstFrame + 1;
    const at = start - reach.firstFrame * hop + hop; // of the part in what is transformed back
    const rest = mixture.map((samples) => samples.slice());
    const stems = this.sources.slice(0, -1).map((_, source) =>
      mixture.map((own, c) => {
        const mask = room.joined.at((source * inJoined + before) * width);
        const parts = [room.re[c].at(before * width), room.im[c].at(before * width)];
        const samples = this.#inverse(room, mask, parts, n);
        const stem = samples.slice(at, at + own.length);
        for (let i = 0; i < stem.length; i++) rest[c][i] -= stem[i];
        return stem;
      }),
    );
    return [...stems, rest];
  }

  /** Samples of masked spectra of frames, from the first frame's first sample on. */
  #inverse(room, mask, [re, im], n) {
    const kernels = this.#kernels;
    const { hop } = this.config;
    const { productRe, productIm, samples, starts } = room;
    kernels.multiply(productRe.pointer, mask, re, n * this.network.width);
    kernels.multiply(productIm.pointer, mask, im, n * this.network.width);
    samples.view.fill(0, 0, (n + 1) * hop);
    this.#transform.synthesise(
      samples.pointer,
      starts.pointer,
      productRe.pointer,
      productIm.pointer,
      n,
      this.#window.pointer,
    );
    kernels.scale_by(samples.pointer, this.#norm.pointer, hop, (n + 1) * hop);
    return samples.view;
  }
}
