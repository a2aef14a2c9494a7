// The way to separate a song on this device: nothing is sent anywhere.

import { ended, newLife } from "../engine/lives.js";
import { makeWorkers } from "../engine/workers.js";
import { PART_LOST } from "../errors.js";
import { readSong } from "./decoding.js";
import { DeviceError, explained } from "./errors.js";
import {
  addressOf,
  filesInMemory,
  keepInMemory,
  removeBrokenOff,
  removeDeviceSong,
} from "./library.js";
import { hasRoom } from "./store.js";

const STOPPED = "The browser stopped the separation: close other tabs and try again.";
const N_TRACKS = 5; // the song, and its stems

// What the stages are called, and the shares of the time that they take.
const STAGES = {
  reading: { doing: "Reading the song", from: 0.02, to: 0.06 },
  keeping: { doing: "Reading the song", from: 0.06, to: 0.1 },
  loading: { doing: "Getting ready", from: 0.1, to: 0.1 },
  separating: { doing: "Separating", from: 0.1, to: 0.97 },
  drawing: { doing: "Drawing", from: 0.97, to: 1 },
};

/** The way to separate a song in this browser. @implements {import("../intake.js").Way} */
export class DeviceWay {
  id = "device";
  name = "On this device";
  promise =
    "Your song stays on this device: this page separates it by itself, and sends it nowhere.";
  limits = "MP3, M4A, OGG, FLAC, WAV; up to 10 minutes.";
  #models;

  /** @param {object} site  What `site.json` says. */
  constructor(site) {
    this.#models = site.device.models;
    removeBrokenOff().catch(() => {}); // it is tried again at the next visit
  }

  separate(file, { model, told, signal }) {
    told("Reading the song", 0);
    return this.#work(model, signal, told, async () => {
      const { nSamples, ...song } = await readSong(file);
      const onDisk = await hasRoom((N_TRACKS * nSamples * song.bits) / 8);
      return { id: newId(), onDisk, files: null, song: { ...song, title: titleOf(file.name) } };
    });
  }

  separateAgain(id, { model, told, signal }) {
    return this.#work(model, signal, told, async () => {
      const files = filesInMemory(id);
      return { id, onDisk: files === null, files };
    });
  }

  async #work(id, signal, told, prepare) {
    try {
      const model = this.#models.find((offered) => offered.id === id);
      if (!model) throw new DeviceError("That model works on the server only: choose another.");
      const task = await prepare();
      signal.throwIfAborted();
      return await follow({ ...task, model: located(model) }, told, signal);
    } catch (error) {
      throw error.name === "AbortError" ? error : new DeviceError(explained(error));
    }
  }
}

// Have a worker do it; gives the address of the song.
async function follow(task, told, signal) {
  const worker = new Worker(new URL("./job.js", import.meta.url), { type: "module" });
  const life = newLife();
  let engine = null;
  const buffers = (task.song?.source.channels ?? []).map(({ buffer }) => buffer);
  try {
    const files = await new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      worker.addEventListener("error", (event) =>
        reject(new DeviceError(event.message ? explained(event) : PART_LOST)),
      );
      const stopped = () => reject(new DeviceError(STOPPED));
      worker.addEventListener("messageerror", stopped);
      engine = makeWorkers((event) => {
        if (event.message) stopped();
        else reject(new DeviceError(PART_LOST));
      });
      worker.addEventListener("message", ({ data }) => {
        if (data.lives) ended(life).then(stopped);
        else if (data.error) reject(new DeviceError(data.error));
        else if (data.stage) told(...progress(data));
        else resolve(data.done);
      });
      const { ports } = engine;
      // The song moves there: it is not copied.
      worker.postMessage({ ...task, life, ports }, [...buffers, ...ports]);
    });
    if (files) keepInMemory(task.id, files);
    return addressOf(task.id);
  } catch (error) {
    worker.terminate();
    if (task.song) removeDeviceSong(task.id).catch(() => {}); // it is tried again at the next visit
    throw error;
  } finally {
    worker.terminate();
    engine?.end();
  }
}

function progress({ stage, fraction }) {
  const { doing, from, to } = STAGES[stage] ?? STAGES.separating;
  return [doing, from + (to - from) * (fraction ?? 0)];
}

// A worker's own address is another than the page's.
function located({ id, name, weights }) {
  return { id, name, weights: new URL(weights, document.baseURI).href };
}

function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The title of a song, from its file's name. @param {string} name @returns {string} */
function titleOf(name) {
  const plain = name.replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[\p{Cc}\s]+/gu, " ");
  return plain.trim().slice(0, 80) || "Song";
}
