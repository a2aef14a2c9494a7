// The songs that are kept on this device, as the page reads them.

import { DeviceError } from "./errors.js";
import { songsFolder } from "./store.js";

const ADDRESS = /^device:([\w-]+)$/;
const GONE = "That song is not on this device, or not any more: choose its file again.";
const IN_USE = "The song is being separated: remove it when that has ended.";
const TRIES = 20; // a file can be removed as soon as the worker that wrote it is gone
const PAUSE = 100; // milliseconds

const inMemory = new Map(); // id -> files by name, of songs that are not on the disk
const opened = new Map(); // id -> addresses of its files in this page, by name
const files = new Map(); // address -> file

/** Whether an address is one of these songs. @param {string} address */
export const isOnDevice = (address) => ADDRESS.test(address);

/** The address of a song. @param {string} id @returns {string} */
export const addressOf = (id) => `device:${id}`;

/**
 * The file of a track on this device.
 * @param {string} url  Its address in this page.
 * @returns {?Blob}
 */
export const fileAt = (url) => files.get(url) ?? null;

/**
 * The files of a song that is not on the disk.
 * @param {string} id
 * @returns {?Object<string, Blob>}
 */
export const filesInMemory = (id) => inMemory.get(id) ?? null;

/**
 * Take a song that could not be kept on the disk.
 * @param {string} id
 * @param {Object<string, Blob>} kept
 */
export function keepInMemory(id, kept) {
  inMemory.set(id, kept);
}

/**
 * Read a song, with addresses that this page can use.
 * @param {string} address
 * @returns {Promise<import("../api.js").Result>}
 */
export async function readDeviceResult(address) {
  const id = ADDRESS.exec(address)[1];
  const description = await describe(id);
  const urls = opened.get(id) ?? {};
  opened.set(id, urls);
  const url = async (name) => {
    if (!urls[name]) {
      const found = await file(id, name);
      urls[name] = URL.createObjectURL(found);
      files.set(urls[name], found);
    }
    return urls[name];
  };
  const withUrls = async (track) => {
    const located = { ...track };
    for (const kind of ["audio", "peaks", "spectrogram"]) {
      located[kind] = await url(track[kind]);
    }
    return located;
  };
  const versions = [];
  for (const version of description.versions) {
    const stems = {};
    for (const [source, track] of Object.entries(version.stems)) {
      stems[source] = await withUrls(track);
    }
    versions.push({ ...version, stems });
  }
  const original = await withUrls(description.original);
  return { ...description, original, versions, removable: true, url: address };
}

/**
 * List the songs on this device, the latest first.
 * @returns {Promise<{address: string, title: string, seconds: number}[]>}
 */
export async function listDeviceSongs() {
  const songs = [];
  for (const id of [...(await idsOnDisk()), ...inMemory.keys()]) {
    try {
      const { title, seconds, made } = await describe(id);
      songs.push({ address: addressOf(id), title, seconds, made });
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error; // else it isn't finished, or was broken off
    }
  }
  return songs.sort((a, b) => b.made - a.made);
}

/** Remove a song. @param {string} id */
export async function removeDeviceSong(id) {
  if (inMemory.has(id)) {
    forget(id);
    return;
  }
  for (let tries = 1; ; tries++) {
    try {
      await (await songsFolder()).removeEntry(id, { recursive: true });
      forget(id);
      return;
    } catch (error) {
      if (error.name === "NotFoundError" || !navigator.storage?.getDirectory) {
        forget(id);
        return;
      }
      if (tries === TRIES) throw new DeviceError(IN_USE);
      await new Promise((done) => setTimeout(done, PAUSE));
    }
  }
}

/** Remove what jobs left that were broken off, such as by closing the page. */
export async function removeBrokenOff() {
  for (const id of await idsOnDisk()) {
    // a job that runs in another tab holds this
    await navigator.locks.request(lockOf(id), { ifAvailable: true }, async (lock) => {
      if (lock && !(await exists(id))) await removeDeviceSong(id);
    });
  }
}

/** The lock that the job of a song holds. @param {string} id */
export const lockOf = (id) => `hiphopss-song-${id}`;

async function exists(id) {
  try {
    await describe(id);
    return true;
  } catch {
    return false;
  }
}

async function describe(id) {
  try {
    return JSON.parse(await (await file(id, "result.json")).text());
  } catch {
    throw new DeviceError(GONE, true);
  }
}

async function file(id, name) {
  const kept = inMemory.get(id);
  if (kept) return kept[name];
  const folder = await (await songsFolder()).getDirectoryHandle(id);
  return (await folder.getFileHandle(name)).getFile();
}

async function idsOnDisk() {
  if (!navigator.storage?.getDirectory) return [];
  try {
    const ids = [];
    for await (const id of (await songsFolder()).keys()) ids.push(id);
    return ids;
  } catch {
    return []; // such as in private windows of some browsers
  }
}

function forget(id) {
  inMemory.delete(id);
  for (const url of Object.values(opened.get(id) ?? {})) {
    URL.revokeObjectURL(url);
    files.delete(url);
  }
  opened.delete(id);
}
