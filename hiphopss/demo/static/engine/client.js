// Separates songs on the visitor's device, by workers, so that the page stays responsive.

import { Separator } from "./separator.js";
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
 * @param {(stems: Object<string, Float32Array[]>) => Promise<void>} [options.write]  Takes the stems
 *   piece by piece from the beginning on, each by source and channel; they are not given back then,
 *   as those of a long song don't fit into memory.
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
  const { config, sources } = weights;
  if (song.sampleRate !== config.sample_rate)
    throw new DeviceError(`This song has ${song.sampleRate} samples a second, not 44,100.`);
  const crew = new Crew(options.workers ?? processors(), signal);
  try {
    await crew.start({ module, weights: weights.buffer });
    const whole = () => song.channels.map(() => new Float32Array(options.write ? 0 : nSamples));
    const stems = sources.map(whole);
    const byName = (arrays) => Object.fromEntries(sources.map((name, s) => [name, arrays[s]]));
    const pieces = options.write && new InOrder((piece) => options.write(byName(piece)));
    let done = 0;
    told("separating", 0);
    await crew.share(Separator.parts(config, nSamples), async (part, ask) => {
      const answer = await ask(partTask(song.channels, part, config));
      if (pieces) await pieces.put(part, answer.stems);
      else
        answer.stems.forEach((stem, s) =>
          stem.forEach((samples, c) => stems[s][c].set(samples, part.start)),
        );
      done += part.stop - part.start;
      told("separating", done / nSamples);
    });
    return { stems: byName(stems), loop: null };
  } finally {
    crew.dismiss();
  }
}

/** The samples that a part of a song is computed from, as a task. */
function partTask(channels, { start, stop }, config) {
  const nSamples = channels[0].length;
  const { from, to } = Separator.reach(config, start, stop, nSamples);
  const offset = Math.max(from, 0);
  const own = channels.map((samples) => samples.slice(offset, Math.max(to, 0)));
  const moved = own.map((samples) => samples.buffer);
  return [{ task: "separate", channels: own, offset, start, stop, nSamples }, moved];
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

/** Gives on what comes in any order, in the order of the song. */
class InOrder {
  #write;
  #next = 0;
  #early = new Map(); // pieces whose turn has not come, by their first sample
  #writing = Promise.resolve();

  /** @param {(piece: Float32Array[][]) => Promise<void>} write */
  constructor(write) {
    this.#write = write;
  }

  put({ start, stop }, piece) {
    this.#early.set(start, { piece, stop });
    this.#writing = this.#writing.then(() => this.#giveOn());
    return this.#writing;
  }

  async #giveOn() {
    while (this.#early.has(this.#next)) {
      const { piece, stop } = this.#early.get(this.#next);
      this.#early.delete(this.#next);
      this.#next = stop;
      await this.#write(piece);
    }
  }
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
