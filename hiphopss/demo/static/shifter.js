// Shifts the pitch of the whole mix, by a library that is fetched when hiphopss is packaged (see
// tests/vendor.py). So tempo and pitch are apart: tracks are played faster or slower, and the pitch
// that this changes is put back, and moved by as much as is asked for.
//
// What is heard passes the library in the audio graph; what is downloaded passes it in a worker.

import { PART_LOST, PageError } from "./errors.js";

const QUANTUM = 128; // samples of which the worker fills whole numbers
const LIBRARY = new URL("vendor/signalsmith-stretch.js", import.meta.url).href;

/** Whether a mix is played at another tempo or pitch. @param {import("./graph.js").Mix} mix */
export const isBent = ({ tempo, pitch }) => tempo !== 1 || pitch !== 0;

/**
 * Something that mixes pass through.
 * @typedef {object} Shifter
 * @property {AudioNode} node
 * @property {number} latency  Seconds.
 * @property {(mix: import("./graph.js").Mix) => Promise<void>} set
 */

/**
 * @param {BaseAudioContext} context
 * @returns {Promise<Shifter>}
 */
export async function makeShifter(context) {
  const { default: makeNode } = await import(LIBRARY);
  makeNode.moduleUrl = LIBRARY; // the page's policy allows no scripts from memory
  const ports = { numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [2] };
  const node = await makeNode(context, ports);
  const latency = await node.latency();
  const set = (mix) => node.schedule({ active: true, semitones: semitonesOf(mix) });
  return { node, latency, set };
}

// By how much pitch is shifted, as another tempo changes it.
const semitonesOf = ({ tempo, pitch }) => pitch - 12 * Math.log2(tempo);

/**
 * Shift blocks of a mix.
 * @param {AsyncIterable<Float32Array[]>} blocks  Of two channels.
 * @param {import("./graph.js").Mix} mix
 * @param {{sampleRate: number, nSamples: number}} format  `nSamples` of all blocks together.
 * @returns {AsyncIterable<Float32Array[]>}  As many samples, as if nothing held them back.
 */
export async function* shifted(blocks, mix, { sampleRate, nSamples }) {
  const url = new URL("./shifter-worker.js", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const ask = (message, transfer = []) =>
    new Promise((resolve, reject) => {
      const fail = () => reject(new PageError(PART_LOST));
      worker.onmessage = ({ data }) => (data.failed ? fail() : resolve(data));
      worker.onerror = fail;
      worker.postMessage(message, transfer);
    });
  try {
    const { latency } = await ask({ library: LIBRARY, sampleRate, semitones: semitonesOf(mix) });
    let early = Math.round(latency * sampleRate); // samples before the mix begins
    let left = nSamples;
    for await (const block of followedBySilence(blocks, early + QUANTUM)) {
      const { shifted: all } = await ask(block, block.map(({ buffer }) => buffer));
      const part = all.map((samples) => samples.slice(early, early + left));
      early = Math.max(0, early - all[0].length);
      left -= part[0].length;
      if (part[0].length > 0) yield part;
    }
  } finally {
    worker.terminate();
  }
}

async function* followedBySilence(blocks, nSamples) {
  yield* blocks;
  yield [0, 1].map(() => new Float32Array(nSamples));
}
