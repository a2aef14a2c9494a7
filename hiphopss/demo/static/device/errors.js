// What goes wrong on a visitor's device, in a sentence.

import { FullError } from "./store.js";

/** An error whose message is for the visitor. */
export class DeviceError extends Error {
  name = "DeviceError";
}

/** What to tell of an error. @param {unknown} error @returns {string} */
export function explained(error) {
  if (error instanceof PageError || error instanceof EngineError) return error.message;
  if (error instanceof FullError || error?.name === "QuotaExceededError") {
    return "This browser has no room left for the song: remove a song that you kept here, or free some space on the disk.";
  }
  if (error instanceof RangeError) {
    return "There is not enough memory for this song: close other tabs, or choose a shorter song.";
  }
  return `Something went wrong on this device (${error?.message ?? error}): try again.`;
}
