// The server's answers, and the songs on this device. All addresses are relative, so that a static
// copy works anywhere.

import { isOnDevice, readDeviceResult, removeDeviceSong } from "./device/library.js";
import { PageError } from "./errors.js";

/**
 * One separation of a song, or its true stems.
 * @typedef {object} Version
 * @property {string} id
 * @property {string} name
 * @property {"model"|"true"} kind
 * @property {string} [zip]  An archive of the stems as they are stored, if there is one.
 * @property {string} [note]  What to know of it: what of the song repeats.
 * @property {?number} [beats_per_minute]  Tempo, where the song's loops tell it.
 * @property {Object<string, Track>} stems
 */

/**
 * @typedef {object} Track
 * @property {string} audio
 * @property {string} [ending]  Of the audio file's name: "flac", if nothing is said.
 * @property {string} peaks
 * @property {string} spectrogram
 * @property {number} [crc]  CRC-32 of the audio file, of songs on this device.
 * @property {?{SDR: number, SIR: number, SAR: number}} metrics  In dB.
 */

/**
 * A separated song.
 * @typedef {object} Result
 * @property {string} id
 * @property {string} url  Where it was read from.
 * @property {string} title
 * @property {number} seconds
 * @property {number} sample_rate
 * @property {number} channels
 * @property {number} n_samples
 * @property {16|24} bits  Of a stored sample.
 * @property {string} [note]  What to know of it, such as that the file was cut off.
 * @property {Track} original
 * @property {Version[]} versions
 * @property {boolean} [removable]  Whether it can be removed from where it is.
 */

/** What the server refuses, or what is wrong with it. */
export class ServerError extends PageError {
  /**
   * @param {string} message
   * @param {?number} [status]  Of the answer, if there was one.
   */
  constructor(message, status = null) {
    super(message);
    this.isGone = status === 404;
  }
}

// When the server has too many visitors, it says so with 503, and in how many seconds to ask again.
const BUSY_TRIES = 6;

const NO_ANSWER = "The server does not answer: see whether it still runs, and try again.";

const NO_SONG = "There is no such song here, or not any more: choose another.";

async function ask(url, options) {
  let answer;
  for (let tries = 1; tries <= BUSY_TRIES; tries++) {
    try {
      answer = await fetch(url, options);
    } catch {
      throw new ServerError(NO_ANSWER);
    }
    if (answer.status !== 503) break;
    const seconds = Number(answer.headers.get("retry-after") ?? 10);
    if (tries < BUSY_TRIES) await new Promise((done) => setTimeout(done, 1000 * seconds));
  }
  const { ok, status } = answer;
  if (!ok) throw new ServerError(worded(status, await answer.text()), status);
  return answer;
}

function worded(status, body) {
  try {
    const { error } = JSON.parse(body);
    if (error) return error;
  } catch {
    // not one of our server's own answers
  }
  if (status === 404) return "That is not there any more: choose the song again.";
  return `The server answered with the error ${status}: try again.`;
}

/** Read JSON. @param {string} url @returns {Promise<any>} */
export async function readJson(url) {
  return (await ask(url, { cache: "no-cache" })).json();
}

/** Read a result, with absolute addresses. @param {string} url @returns {Promise<Result>} */
export async function readResult(url) {
  if (isOnDevice(url)) return readDeviceResult(url);
  const result = await readJson(url).catch((error) => {
    throw error.isGone ? new ServerError(NO_SONG, 404) : error;
  });
  const base = new URL(url, document.baseURI).href;
  const absolute = (track) => {
    for (const kind of ["audio", "peaks", "spectrogram"]) {
      track[kind] = new URL(track[kind], base).href;
    }
  };
  absolute(result.original);
  for (const version of result.versions) {
    version.zip = new URL(version.zip, base).href;
    Object.values(version.stems).forEach(absolute);
  }
  return { ...result, url };
}

/** Read a file, which may lie on the disk. @param {string} url @returns {Promise<Blob>} */
export async function readFile(url) {
  return (await ask(url)).blob().catch(() => {
    throw new ServerError(NO_ANSWER); // it broke off
  });
}

/**
 * Ask for a separation.
 * @param {Object<string, string>} query  `model`, and `name`, `song` or `result`.
 * @param {?File} file  The song, where the query has a `name`.
 * @param {(fraction: number) => void} onUpload  Told how much has been sent.
 * @param {AbortSignal} signal  Stops the upload.
 * @returns {Promise<string>}  The job.
 */
export function startJob(query, file, onUpload, signal) {
  // fetch can't tell how much it has sent
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `api/jobs?${new URLSearchParams(query)}`);
    request.upload.addEventListener("progress", (event) => onUpload(event.loaded / event.total));
    request.addEventListener("error", () => reject(new ServerError(NO_ANSWER)));
    request.addEventListener("abort", () => reject(new DOMException("Cancelled", "AbortError")));
    request.addEventListener("load", () => {
      const { status, responseText } = request;
      if (status === 202) resolve(JSON.parse(responseText).job);
      else reject(new ServerError(worded(status, responseText), status));
    });
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/** Where a job stands. @param {string} job @returns {Promise<object>} */
export function readJob(job) {
  return readJson(`api/jobs/${encodeURIComponent(job)}`);
}

/** Cancel a job. @param {string} job */
export function cancelJob(job) {
  // kept alive, so that it is sent when the page is being closed
  return ask(`api/jobs/${encodeURIComponent(job)}`, { method: "DELETE", keepalive: true });
}

/** Remove a result from where it is. @param {Result} result */
export function removeResult({ id, url }) {
  if (isOnDevice(url)) return removeDeviceSong(id);
  return ask(`api/results/${encodeURIComponent(id)}`, { method: "DELETE" });
}
