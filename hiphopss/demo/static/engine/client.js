// Separates songs on the visitor's device, by workers, so that the page stays responsive.

import { Kernels } from "./kernels.js";
import { ended, newLife } from "./lives.js";
import { Part } from "./loops/parts.js";
import { LoopSeparator } from "./loops/separator.js";
import { Rates } from "./rates.js";
import { SharedNetwork } from "./shared.js";
import { WeightsError, checkedWeights } from "./weights.js";
import { processors } from "./workers.js";

/** What can't be done on this device; the message is a sentence for the visitor. */
export class DeviceError extends Error {}

/**
 * Separate a song on this device. Call it in a worker: loops are looked for where it is called,
 * which takes some seconds for a long song.
 * @param {{channels: Float32Array[], sampleRate: number}} song
 * @param {object} options
 * @param {string | Loaded} options.weights  Address of a file of `hiphopss weights export --format
 *   web`, or what `load` gave for it.
 * @param {"auto" | "off"} [options.loops]  Whether to use what repeats in the song (by default, as
 *   weights of the preset "released" never do).
 * @param {(stage: "loading" | "separating", fraction: number) => void} [options.told]
 * @param {AbortSignal} [options.signal]
 * @param {(stems: Object<string, Float32Array[]>) => Promise<void>} [options.write]  Takes the
 *   stems piece by piece from the beginning on, each by source and channel. They are not given back
 *   then, as those of a long song don't fit into memory, and `song.channels` is empty afterwards.
 * @param {MessagePort[]} [options.ports]  Of workers that are there already. By default it makes as
 *   many as there are processors, up to four.
 * @returns {Promise<{stems: Object<string, Float32Array[]>, loop: ?string, beatsAMinute: ?number}>}
 *   Stems of the song's rate, channels and length; what was found to repeat in it, in words: null
 *   for nothing, and undefined if it wasn't looked for; and the tempo, where that tells it.
 * @throws {DeviceError}
 */
export async function separateSong(song, options) {
  const { told = () => {}, signal } = options;
  signal?.throwIfAborted();
  told("loading", 0);
  const { module, weights } =
    typeof options.weights === "string" ? await load(options.weights, signal) : options.weights;
  const crew = new Crew(options.ports ?? newWorkers(), signal);
  try {
    const rates = new Rates(crew, song.sampleRate, weights.config.sample_rate);
    if (!rates.arePossible)
      throw new DeviceError(`A song of ${song.sampleRate} samples a second can't be separated.`);
    await crew.start({ module, weights: weights.buffer });
    return await separated(song, rates, new SharedNetwork(crew, weights), {
      ...{ module, weights, told, signal, write: options.write },
      listens: weights.facts.loops && options.loops !== "off",
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof RangeError ? new DeviceError(NO_MEMORY) : error;
  } finally {
    crew.dismiss();
  }
}

/** Separate a song by a network that is ready; see `separateSong`. */
async function separated(song, rates, network, { module, weights, listens, ...options }) {
  const { told, signal, write } = options;
  const nSamples = song.channels[0].length;
  const { sources } = network;
  const stems = sources.map(() => song.channels.map(() => new Float32Array(write ? 0 : nSamples)));
  const byName = (arrays) => Object.fromEntries(sources.map((name, s) => [name, arrays[s]]));
  const resampled = await rates.resampled(Part.of(song.channels));
  if (write) song.channels = []; // memory for what follows
  let done = 0;
  const counted = (n) => told("separating", (done += n) / resampled.length);
  counted(0);
  const separator = listens
    ? new LoopSeparator(network, () => new Kernels(module), weights.facts.loops)
    : network;
  let at = 0;
  for await (const piece of rates.back(separator.stems(resampled, counted), nSamples)) {
    signal?.throwIfAborted();
    if (write) await write(byName(piece));
    else piece.forEach((stem, s) => stem.forEach((samples, c) => stems[s][c].set(samples, at)));
    at += piece[0][0].length;
  }
  const { loop, beatsAMinute } = listens ? separator : {};
  return { stems: byName(stems), loop, beatsAMinute };
}

function newWorkers() {
  const address = new URL("worker.js", import.meta.url);
  return Array.from({ length: processors() }, () => new Worker(address, { type: "module" }));
}

/**
 * The engine's kernels, compiled, and weights.
 * @typedef {{module: WebAssembly.Module, weights: import("./weights.js").Weights}} Loaded
 */

/**
 * Fetch the kernels and the weights, and check these.
 * @param {string} address  Of the weights.
 * @param {AbortSignal} [signal]
 * @returns {Promise<Loaded>}
 * @throws {DeviceError}
 */
export async function load(address, signal) {
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
  #busy; // number of tasks of each worker
  #waiting = new Map(); // what settles the answer to each task
  #failed;
  #fail;
  #tasks = 0;

  /** @param {(Worker|MessagePort)[]} workers @param {AbortSignal} [signal] */
  constructor(workers, signal) {
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    this.#failed.catch(() => {});
    this.size = workers.length;
    this.#busy = new Map(workers.map((worker) => [worker, 0]));
    for (const worker of workers) {
      worker.onmessage = ({ data }) => this.#answered(data);
      worker.onerror = () => this.#fail(new DeviceError(STOPPED));
      worker.onmessageerror = worker.onerror;
    }
    const abort = () => {
      this.dismiss();
      this.#fail(signal.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
  }

  #answered({ id, error, memory, ...answer }) {
    if (error) this.#fail(new DeviceError(memory ? NO_MEMORY : `${STOPPED} (${error})`));
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }

  #ask(worker, message, moved = []) {
    const id = this.#tasks++;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.#busy.set(worker, this.#busy.get(worker) + 1);
    worker.postMessage({ id, ...message }, moved);
    const done = () => this.#busy.set(worker, this.#busy.get(worker) - 1);
    return Promise.race([answer.finally(done), this.#failed]);
  }

  /** Make all workers ready. */
  start(setting) {
    const begin = async (worker) => {
      const life = newLife();
      await this.#ask(worker, { task: "start", life, ...setting });
      ended(life).then(() => this.#fail(new DeviceError(STOPPED)));
    };
    return Promise.all([...this.#busy.keys()].map(begin));
  }

  /** Hand a task to the worker that has the fewest. @param {Transferable[]} moved */
  hand(task, moved) {
    const [idlest] = [...this.#busy].reduce((one, other) => (other[1] < one[1] ? other : one));
    return this.#ask(idlest, task, moved);
  }

  /** End all workers at once, whatever they do; those behind ports are for others to end. */
  dismiss() {
    for (const worker of this.#busy.keys()) worker.terminate?.();
  }
}

const NO_MEMORY = "This song needs more memory than the browser gives: try a shorter one.";
const STOPPED = "The browser stopped the separation: close other tabs and try again.";
