// The beat under a voice, estimated from its copies; as in hiphopss/loops/beat.py.

import { EDGES, N_BANDS } from "./agreement.js";
import { FRAME, FrameTransform, Grid, N_BINS } from "./grid.js";

const TOGETHER = 4; // frames that are transformed at a time
const FLOATS = Float32Array.BYTES_PER_ELEMENT;

/**
 * The constants of the loop stage, as `hiphopss.loops.beat.Constants` describes them.
 * @typedef {object} Constants
 * @property {number} least_likeness
 * @property {number} most_copies
 * @property {number} gate
 * @property {number} sure
 * @property {number} voice_apart
 * @property {number} voice_alike
 * @property {number} disagreement
 * @property {number} leakage
 * @property {number} few
 * @property {number} voice_repeats
 * @property {number} rest_repeats
 * @property {number} averaged
 * @property {number} floor
 * @property {number} most_raised
 * @property {number} rounds
 */

/**
 * Frames of a copy, or of the place itself.
 * @typedef {object} Copy
 * @property {number} first  The first of the frames, which may lie outside of the song.
 * @property {Float32Array[]} samples  One array a channel, from the first frame's first sample on.
 * @property {Uint8Array} masks  [nFrames, nSources, N_BINS]
 */

/**
 * What is known of some frames.
 * @typedef {object} Material
 * @property {number} step  Length of the step in samples, and of the song: they make the grid.
 * @property {number} nSamples
 * @property {number} nFrames
 * @property {Copy} here
 * @property {Copy[]} copies
 * @property {Float32Array[]} agreements  [nFrames, N_BANDS] of each copy, -1..1.
 * @property {Float32Array[]} shares  [nFrames, N_BANDS]: how much of each source repeats.
 */

/**
 * How much of each source repeats, without what the voice has of the beat.
 * @param {Float32Array[]} shares  Of the network's estimate of each source.
 * @param {Constants} constants
 * @returns {Float32Array[]}  Of the sources themselves, 0.02..0.98.
 */
export function unleaked(shares, { leakage }) {
  const [voice, ...others] = shares;
  const clipped = (value) => Math.min(Math.max(value, 0.02), 0.98);
  const own = voice.map((share, n) => {
    const leaked = leakage * Math.max(...others.map((other) => other[n]));
    return clipped((share - leaked) / (1 - Math.min(leaked, 0.9)));
  });
  return [own, ...others.map((other) => other.map(clipped))];
}

/** The steps whose copies agree best in some frames, at most `most`. */
export function chosen(scores, most) {
  const best = [...scores.keys()].filter((step) => scores.get(step) > 0);
  return best.sort((one, other) => scores.get(other) - scores.get(one)).slice(0, most);
}

/** How clear copies are, how much their disagreement counts, and how much they are believed. */
function judged(agreement, { gate, disagreement }) {
  const clear = agreement.map((q) => Math.min(Math.max((q - gate) / 0.1, 0), 1));
  const sure = agreement.map((q) => Math.min(Math.max(q, 1e-3), 0.999));
  return {
    clear,
    doubts: sure.map((s) => (disagreement * (1 - s)) / s + 1e-3),
    believed: sure.map((s, n) => clear[n] * s ** 2),
  };
}

/** How much of each source repeats, after what is known of beats where copies agree. */
function believedShares(shares, agreements, judgements, constants) {
  const { gate, sure, few, voice_repeats: ofVoice, rest_repeats: ofRest } = constants;
  if (!agreements.length) return shares;
  const trust = agreements[0].map((_, n) => {
    const most = Math.max(...agreements.map((agreement) => agreement[n]));
    const best = Math.min(Math.max((most - gate) / (sure - gate), 0), 1);
    const nCopies = judgements.reduce((sum, { believed }) => sum + believed[n], 0);
    return (best * nCopies) / (nCopies + few);
  });
  return shares.map((share, source) => {
    const known = source ? ofRest : ofVoice;
    return share.map((value, n) => value + trust[n] * (known - value));
  });
}

/** Separates blocks of frames by what is known of them and of their copies. */
export class BlockSeparator {
  #kernels;
  #constants;
  #frames;
  #room = null;

  /** @param {import("../kernels.js").Kernels} kernels @param {Constants} constants */
  constructor(kernels, constants) {
    this.#kernels = kernels;
    this.#constants = constants;
    this.#frames = new FrameTransform(kernels, TOGETHER);
  }

  /**
   * Samples of all stems but the last that still have to be added to their neighbours'.
   * @param {Material} material
   * @returns {{samples: Float32Array[], offset: number}}  One array for each channel of each stem,
   *   and the position of their first samples in the song.
   */
  separate(material) {
    const { here, nFrames, agreements } = material;
    const grid = new Grid(material.step, material.nSamples);
    const nStems = material.shares.length - 1;
    const nChannels = here.samples.length;
    const begin = grid.start(here.first);
    const length = grid.end(here.first + nFrames) - begin;
    const room = this.#roomFor(nChannels, nStems, length, agreements.length);
    room.out.view.fill(0);
    const judgements = agreements.map((agreement) => judged(agreement, this.#constants));
    const unleakedShares = unleaked(material.shares, this.#constants);
    const shares = believedShares(unleakedShares, agreements, judgements, this.#constants);
    for (let at = 0; at < nFrames; at += TOGETHER) {
      const n = Math.min(TOGETHER, nFrames - at);
      this.#spectra(room, grid, material, judgements, at, n);
      for (let frame = 0; frame < n; frame++)
        this.#split(room, grid, material, judgements, shares, at, frame);
      const first = here.first + at;
      for (let stem = 0; stem < nStems * nChannels; stem++) {
        const place = stem * this.#frames.apart;
        const planes = [room.re.at(place), room.im.at(place)];
        const to = room.out.at(stem * room.length);
        this.#frames.synthesise(to, grid, ...planes, first, first + n, begin);
      }
    }
    const out = room.out.view;
    const samples = Array.from({ length: nStems * nChannels }, (_, stem) =>
      out.slice(stem * room.length, stem * room.length + length),
    );
    return { samples, offset: begin };
  }

  /** Spectra of some frames and of their copies that agree. */
  #spectra(room, grid, { here, copies }, judgements, at, n) {
    const analyse = (copy, spectra) => {
      const first = copy.first + at;
      const offset = grid.start(copy.first);
      this.#frames.analyse(spectra, grid, copy.samples, offset, first, first + n);
    };
    analyse(here, room.here);
    copies.forEach((copy, number) => {
      if (isHeard(judgements[number].clear, at, n)) analyse(copy, room.copies[number]);
    });
  }

  /** Split a frame, and write the spectra of its stems. */
  #split(room, grid, { here, copies }, judgements, shares, at, frame) {
    const kernels = this.#kernels;
    const constants = this.#constants;
    const { width, apart } = this.#frames;
    const bands = (values) => values.subarray((at + frame) * N_BANDS, (at + frame + 1) * N_BANDS);
    const mixture = room.here.at(frame * width);
    shares.forEach((share, source) => room.bands.view.set(bands(share), source * N_BANDS));
    const known = room.frame.pointer;
    this.#setMasks(room, here, at + frame, shares.length);
    kernels.begin(known, mixture, room.masks.pointer, room.bands.pointer, constants.floor);
    copies.forEach((copy, number) => {
      const { clear, doubts, believed } = judgements[number];
      if (!isHeard(clear, at + frame, 1)) return;
      this.#setMasks(room, copy, at + frame, shares.length);
      [clear, doubts, believed].forEach((of, n) => room.bands.view.set(bands(of), n * N_BANDS));
      const told = [0, 1, 2].map((n) => room.bands.at(n * N_BANDS));
      kernels.add_copy(known, room.copies[number].at(frame * width), room.masks.pointer, ...told);
    });
    kernels.estimate(known, mixture, constants.averaged, constants.most_raised, constants.rounds);
    const nChannels = here.samples.length;
    const back = -grid.angle(here.first + at + frame);
    this.#frames.turn(room.beat, width, nChannels, back);
    this.#frames.turn(room.rest, width, nChannels, back);
    for (let source = 0; source < shares.length - 1; source++)
      for (let channel = 0; channel < nChannels; channel++) {
        const to = (source * nChannels + channel) * apart + frame * width;
        kernels.stem(known, source, channel, room.re.at(to));
        kernels.stem(known, source, nChannels + channel, room.im.at(to));
      }
  }

  #setMasks(room, copy, frame, nSources) {
    const size = nSources * N_BINS;
    const { buffer } = room.masks.view;
    const masks = new Uint8Array(buffer, room.masks.pointer, size);
    masks.set(copy.masks.subarray(frame * size, (frame + 1) * size));
  }

  #roomFor(nChannels, nStems, length, nCopies) {
    if (this.#room?.nChannels !== nChannels || this.#room.length < length)
      this.#room = this.#newRoom(nChannels, nStems, length + FRAME);
    while (this.#room.copies.length < nCopies)
      this.#room.copies.push(this.#frames.room(nChannels));
    return this.#room;
  }

  #newRoom(nChannels, nStems, length) {
    const kernels = this.#kernels;
    const { width, apart } = this.#frames;
    const [nPlanes, nSources] = [2 * nChannels, nStems + 1];
    const planes = (n) => kernels.floats(n * width).pointer;
    // powers, own, shares, heard; repeating, precision, weighted; beat, rest; of_beat, of_rest
    const sizes = [nSources, nSources, nSources, nSources, 1, 1, nPlanes, nPlanes, nPlanes];
    const pointers = [...sizes, nSources, nSources, 4].map(planes);
    const edges = kernels.integers(EDGES).pointer;
    const numbers = [width, N_BINS, N_BANDS, nPlanes, apart, edges, ...pointers];
    return {
      nChannels,
      length,
      frame: kernels.integers(numbers), // as loops.c has it
      beat: pointers[7],
      rest: pointers[8],
      here: this.#frames.room(nChannels),
      copies: [],
      masks: kernels.floats(Math.ceil((nSources * N_BINS) / FLOATS)),
      bands: kernels.floats(nSources * N_BANDS),
      re: kernels.floats(nStems * nChannels * apart),
      im: kernels.floats(nStems * nChannels * apart),
      out: kernels.floats(nStems * nChannels * length),
    };
  }
}

/** Whether anything is clear in some frames. */
function isHeard(clear, at, n) {
  return clear.subarray(at * N_BANDS, (at + n) * N_BANDS).some((value) => value > 0);
}
