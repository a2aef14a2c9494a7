// Separates songs on the visitor's device, by workers, so that the page stays responsive.

import { Song } from "./anyrate.js";
import { WeightsError, checkedWeights } from "./weights.js";

const MOST_WORKERS = 4; // each takes some 50 MB

/** What can't be done on this device; the message is a sentence for the visitor. */
export class DeviceError extends Error {}

/**
 * Separate a song on this device.
 * @param {{channels: Float32Array[], sampleRate: number}} song
 * @param {object} options
 * @param {string} options.weights  Address of a file of `hiphopss weights export --format web`.
 * @param {"auto" | "off"} [options.loops]
 * @param {(stage: "loading" | "separating", fraction: number) => void} [options.told]
 * @param {AbortSignal} [options.signal]
 * @param {number} [options.workers]  By default as many as there are processors, up to four.
 * @returns {Promise<{stems: Object<string, Float32Array[]>, loop: ?string}>}  Stems of the song's
 *   rate, channels and length, and what was found to repeat in it, in words.
 * @throws {DeviceError}
 */
export async function separateSong(song, options) {
  const { told = () => {}, signal } = options;
  signal?.throwIfAborted();
  told("loading", 0);
  const { module, weights } = await load(options.weights, signal);
  const nSamples = song.channels[0].length;
  const { sources } = weights;
  const plan = new Song(weights.config, song.sampleRate, nSamples);
  if (!plan.isPossible)
    throw new DeviceError(`Songs of ${song.sampleRate} samples a second can't be separated here.`);
  const crew = new Crew(options.workers ?? processors(), signal);
  try {
    await crew.start({ module, weights: weights.buffer, rate: song.sampleRate, nSamples });
    const stems = sources.map(() => song.channels.map(() => new Float32Array(nSamples)));
    let done = 0;
    told("separating", 0);
    await crew.share(plan.parts(), async (part, ask) => {
      const answer = await ask(partTask(song.channels, part, plan));
      answer.stems.forEach((stem, s) =>
        stem.forEach((samples, c) => stems[s][c].set(samples, part.start)),
      );
      done += part.stop - part.start;
      told("separating", done / nSamples);
    });
    return { stems: Object.fromEntries(sources.map((name, s) => [name, stems[s]])), loop: null };
  } finally {
    crew.dismiss();
  }
}

/** The samples that a part of a song is computed from, as a task. */
function partTask(channels, { start, stop }, plan) {
  const { from, to } = plan.needs(start, stop);
  const own = channels.map((samples) => samples.slice(from, to));
  const moved = own.map((samples) => samples.buffer);
  return [{ task: "separate", channels: own, offset: from, start, stop }, moved];
}

function processors() {
  return Math.min(navigator.hardwareConcurrency || 2, MOST_WORKERS);
}

/** Fetch the kernels and the weights, and check these. */
async function load(address, signal) {
  if (!globalThis.WebAssembly)
    throw new DeviceError("This browser can't separate songs, as it has no WebAssembly.");
  try {
    const [module, buffer] = await Promise.all([
      fetched(new URL("kernels.wasm", import.meta.url), signal).then(WebAssembly.compile),
      fetched(address, signal),
    ]);
    return { module, weights: { ...(await checkedWeights(buffer)), buffer } };
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof WeightsError)
      throw new DeviceError("The model didn't arrive whole: reload the page to get it again.");
    if (error instanceof WebAssembly.CompileError)
      throw new DeviceError("This browser can't separate songs: a newer one can.");
    throw error instanceof DeviceError ? error : lost();
  }
}

async function fetched(address, signal) {
  const response = await fetch(address, { signal });
  if (!response.ok) throw lost();
  return response.arrayBuffer();
}

function lost() {
  return new DeviceError("The model can't be loaded: check the connection and try again.");
}

/** Workers that do tasks; all end when the signal says so. */
class Crew {
  #workers;
  #waiting = new Map(); // what settles the answer to each task
  #failed;
  #fail;
  #tasks = 0;

  constructor(size, signal) {
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    this.#failed.catch(() => {});
    const address = new URL("worker.js", import.meta.url);
    this.#workers = Array.from({ length: size }, () => new Worker(address, { type: "module" }));
    for (const worker of this.#workers) {
      worker.onmessage = ({ data }) => this.#answered(data);
      worker.onerror = () => this.#fail(new DeviceError(STOPPED));
      worker.onmessageerror = worker.onerror;
    }
    signal?.addEventListener("abort", () => {
      this.dismiss();
      this.#fail(signal.reason);
    });
  }

  #answered({ id, error, memory, ...answer }) {
    if (error) this.#fail(new DeviceError(memory ? NO_MEMORY : `${STOPPED} (${error})`));
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  #ask(worker, message, moved = []) {
    const id = this.#tasks++;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    worker.postMessage({ id, ...message }, moved);
    return Promise.race([answer, this.#failed]);
  }

  /** Make all workers ready. */
  start(setting) {
    const message = { task: "start", ...setting };
    return Promise.all(this.#workers.map((worker) => this.#ask(worker, message)));
  }

  /**
   * Let the workers do something with each item, two items at a time in each.
   * @template T
   * @param {T[]} items
   * @param {(item: T, ask: (task: [object, Transferable[]]) => Promise<object>) => Promise<void>} work
   */
  async share(items, work) {
    const left = items.values();
    const hand = async (worker) => {
      for (const item of left) await work(item, (task) => this.#ask(worker, ...task));
    };
    // While a worker does one, the next one is already there.
    await Promise.all([...this.#workers, ...this.#workers].map(hand));
  }

  /** End all workers at once, whatever they do. */
  dismiss() {
    for (const worker of this.#workers) worker.terminate();
  }
}

const NO_MEMORY = "This song needs more memory than the browser gives: try a shorter one.";
const STOPPED = "The browser stopped the separation: close other tabs and try again.";
