// Makes an audio file of blocks as they come, in a worker, so that a song is never in memory as a
// whole.

import { PART_LOST, PageError } from "../errors.js";

/**
 * What is to be made.
 * @typedef {object} Kind
 * @property {"wav"|"mp3"} format
 * @property {number} rate  Of the blocks, in Hz.
 * @property {number} channels
 * @property {16|24} [bits]  Of a sample in a WAV file.
 * @property {string} [title]  What MP3 files say of themselves.
 *
 * @typedef {object} Made
 * @property {Blob} blob
 * @property {number} crc  Its CRC-32, which archives need.
 * @property {number} clipped  How many samples were beyond full scale.
 * @property {number} peak  The largest magnitude before clipping.
 */

/**
 * @param {Kind} kind
 * @param {AsyncIterable<Float32Array[]>} blocks  By channel; full scale is 1. They are taken away.
 * @param {object} options
 * @param {(nSamples: number) => void} options.told  How many samples are done.
 * @param {AbortSignal} options.signal
 * @returns {Promise<Made>}
 */
export async function makeFile(kind, blocks, { told, signal }) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const stopped = new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
  const source = blocks[Symbol.asyncIterator]();
  const ask = (task, moved = []) => {
    const answer = new Promise((resolve, reject) => {
      const fail = (message) => reject(new PageError(message));
      worker.onmessage = ({ data }) => (data.error ? fail(data.error) : resolve(data));
      worker.onerror = ({ message }) => fail(message || PART_LOST);
      worker.postMessage(task, moved);
    });
    return settled(Promise.race([answer, stopped]));
  };
  try {
    signal.throwIfAborted();
    let last = ask({ begin: kind });
    let nSamples = 0;
    for (;;) {
      // Whatever blocks wait for, the visitor can cancel.
      const { value: block, done } = await settled(Promise.race([source.next(), stopped]));
      if (done) break;
      await last; // the next block was made meanwhile
      nSamples += block[0].length;
      told(nSamples);
      last = ask(
        { block },
        block.map(({ buffer }) => buffer),
      );
    }
    await last;
    return await ask({ end: true });
  } finally {
    worker.terminate();
    source.return?.().catch(() => {}); // it ends when it can
  }
}

// A promise whose error may be met later.
function settled(promise) {
  promise.catch(() => {});
  return promise;
}
