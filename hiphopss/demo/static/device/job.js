// The worker of one separation on this device: it keeps the song, separates it, and draws it.

import { DeviceError as EngineError, separateSong } from "../engine/client.js";
import { explained } from "./errors.js";
import { lockOf } from "./library.js";
import { DiskFolder, MemoryFolder, put } from "./store.js";
import { Track } from "./track.js";
import { readSamples } from "./wav-file.js";

const NOTHING_REPEATS = "nothing repeats, so the stems are those of the network alone";
const BLOCK = 1 << 18; // samples that are read at a time

/**
 * What a job is asked.
 * @typedef {object} Task
 * @property {string} id  Of the song.
 * @property {string} title
 * @property {boolean} onDisk  Whether it is kept there.
 * @property {16|24} bits  Of the tracks' samples.
 * @property {string} note
 * @property {{id: string, name: string, weights: string}} model
 * @property {{file: Blob, wav: import("./wav-file.js").Wav}|
 *   {channels: Float32Array[], sampleRate: number}} source
 */

self.addEventListener("message", async ({ data: task }) => {
  const tell = (stage, fraction) => self.postMessage({ stage, fraction });
  try {
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
  const folder = task.onDisk ? await DiskFolder.open(task.id) : new MemoryFolder();
  const song = await takeSong(task, tell);
  const nSamples = song.channels[0].length;
  const format = {
    rate: song.sampleRate,
    channels: song.channels.length,
    nSamples,
    bits: task.bits,
  };
  const original = await keepOriginal(folder, format, song, tell);
  const version = await keepStems(folder, format, song, { ...task, top: original.top }, tell);
  const result = {
    id: task.id,
    title: task.title,
    made: Date.now(),
    seconds: Math.round((1000 * nSamples) / format.rate) / 1000,
    sample_rate: format.rate,
    channels: format.channels,
    n_samples: nSamples,
    bits: task.bits,
    top: original.top,
    note: task.note,
    original: original.track,
    versions: [version],
  };
  await put(folder, "result.json", JSON.stringify(result)); // last: without it, it is no song
  return folder.inMemory;
}

async function takeSong({ source }, tell) {
  if (source.channels) return source;
  const { file, wav } = source;
  const channels = Array.from({ length: wav.channels }, () => new Float32Array(wav.nSamples));
  for (let at = 0; at < wav.nSamples; at += BLOCK) {
    const block = await readSamples(file, wav, at, BLOCK);
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

async function keepStems(folder, format, song, { model, top }, tell) {
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
    const { loop } = await separateSong(song, {
      weights: model.weights,
      loops: "auto",
      told: tell,
      signal: new AbortController().signal, // a job is stopped with its worker
      write,
    });
    const stems = {};
    for (const [source, track] of tracks) {
      tell("drawing", Object.keys(stems).length / tracks.size);
      stems[source] = (await track.finish(top)).track;
    }
    const note = loop === undefined ? "" : `Loops: ${loop ?? NOTHING_REPEATS}`;
    return { id: model.id, name: model.name, kind: "model", note, stems };
  } finally {
    for (const track of tracks.values()) track.close();
  }
}
