// The worker of one separation on this device: it keeps the song, separates it, and draws it.

import { DeviceError as EngineError, load, separateSong } from "../engine/client.js";
import { Kernels } from "../engine/kernels.js";
import { live } from "../engine/lives.js";
import { DeviceError, explained } from "./errors.js";
import { lockOf } from "./library.js";
import { DiskFolder, MemoryFolder, put } from "./store.js";
import { Track } from "./track.js";
import { readSamples, readWav } from "./wav-file.js";

const NOTHING_REPEATS = "nothing repeats, so the stems are those of the network alone";
const BLOCK = 1 << 18; // samples that are read at a time

/**
 * What a job is asked.
 * @typedef {object} Task
 * @property {string} id  Of the song.
 * @property {?string} life  By which the worker shows that it has not ended.
 * @property {MessagePort[]} ports  Of the engine's workers.
 * @property {boolean} onDisk  Whether it is kept there.
 * @property {?Object<string, Blob>} files  Of a song that is here already, but not on the disk.
 * @property {{id: string, name: string, weights: string}} model
 * @property {NewSong} [song]  What is separated, if it is not here already.
 *
 * @typedef {object} NewSong
 * @property {string} title
 * @property {16|24} bits  Of the tracks' samples.
 * @property {string} note
 * @property {{file: Blob, wav: import("./wav-file.js").Wav}|
 *   {channels: Float32Array[], sampleRate: number}} source
 */

self.addEventListener("message", async ({ data: task }) => {
  const tell = (stage, fraction) => self.postMessage({ stage, fraction });
  try {
    await live(task.life);
    self.postMessage({ lives: true });
    const work = () => separate(task, tell);
    // By the lock, other tabs see that the song is being written.
    const made = task.onDisk ? await navigator.locks.request(lockOf(task.id), work) : await work();
    self.postMessage({ done: made });
  } catch (error) {
    const known = error instanceof EngineError;
    self.postMessage({ error: known ? error.message : explained(error) });
  }
});

async function separate(task, tell) {
  const folder = task.onDisk ? await DiskFolder.open(task.id) : new MemoryFolder(task.files ?? {});
  const known = task.song ? null : JSON.parse(await (await folder.file("result.json")).text());
  const source = task.song?.source ?? (await storedSong(folder, known));
  const song = await takeSong(source, tell);
  const engine = await load(task.model.weights);
  const kernels = new Kernels(engine.module); // for pictures
  const result = known ?? (await newResult(folder, task, song, { kernels, tell }));
  const version = await keepStems(folder, result, song, { ...task, engine, kernels, tell });
  const others = result.versions.filter(({ id }) => id !== version.id);
  result.versions = [...others, version];
  await put(folder, "result.json", JSON.stringify(result)); // last: without it, it is no song
  return folder.inMemory;
}

async function storedSong(folder, { original }) {
  const file = await folder.file(original.audio);
  return { file, wav: await readWav(file) };
}

async function newResult(folder, { id, song: { title, bits, note } }, song, { kernels, tell }) {
  const nSamples = song.channels[0].length;
  const result = {
    id,
    title,
    note,
    made: Date.now(),
    seconds: nSamples / song.sampleRate,
    sample_rate: song.sampleRate,
    channels: song.channels.length,
    n_samples: nSamples,
    bits,
    versions: [],
  };
  const { track, top } = await keepOriginal(folder, formatOf(result, kernels), song, tell);
  return { ...result, original: track, top };
}

/** @returns {import("./track.js").Format} */
function formatOf({ sample_rate: rate, channels, n_samples: nSamples, bits }, kernels) {
  return { rate, channels, nSamples, bits, kernels };
}

async function takeSong(source, tell) {
  if (source.channels) return source;
  const { file, wav } = source;
  const channels = Array.from({ length: wav.channels }, () => new Float32Array(wav.nSamples));
  for (let at = 0; at < wav.nSamples; at += BLOCK) {
    const block = await readSamples(file, wav, at, BLOCK);
    if (wav.float && !block.every((samples) => samples.every(Number.isFinite))) {
      throw new DeviceError("The song has samples that are no numbers: export it again.");
    }
    block.forEach((samples, channel) => channels[channel].set(samples, at));
    tell("reading", at / wav.nSamples);
  }
  return { channels, sampleRate: wav.sampleRate };
}

async function keepOriginal(folder, format, song, tell) {
  const track = await Track.create(folder, "original", format);
  try {
    for (let at = 0; at < format.nSamples; at += BLOCK) {
      track.write(song.channels.map((samples) => samples.subarray(at, at + BLOCK)));
      tell("keeping", at / format.nSamples);
    }
    return await track.finish(null);
  } finally {
    track.close();
  }
}

async function keepStems(folder, result, song, { model, ports, engine, kernels, tell }) {
  const format = formatOf(result, kernels);
  const tracks = new Map();
  const write = async (block) => {
    for (const [source, channels] of Object.entries(block)) {
      if (!tracks.has(source)) {
        tracks.set(source, await Track.create(folder, `${model.id}.${source}`, format));
      }
      tracks.get(source).write(channels);
    }
  };
  try {
    const { loop, beatsAMinute } = await separateSong(song, {
      weights: engine,
      ports,
      loops: "auto",
      told: tell,
      signal: new AbortController().signal, // a job is stopped with its worker
      write,
    });
    const stems = {};
    for (const [source, track] of tracks) {
      tell("drawing", Object.keys(stems).length / tracks.size);
      stems[source] = (await track.finish(result.top)).track;
    }
    const note = loop === undefined ? "" : `Loops: ${loop ?? NOTHING_REPEATS}`;
    const tempo = beatsAMinute ? Math.round(1000 * beatsAMinute) / 1000 : null;
    return { id: model.id, name: model.name, kind: "model", note, beats_per_minute: tempo, stems };
  } finally {
    for (const track of tracks.values()) track.close();
  }
}
