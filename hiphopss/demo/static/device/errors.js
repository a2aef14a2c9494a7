// What goes wrong on a visitor's device, in a sentence.

import { PageError } from "../errors.js";
import { FullError } from "./store.js";

/** What can't be done on this device. */
export class DeviceError extends PageError {
  /**
   * @param {string} message
   * @param {boolean} [isGone]  Whether a song is not there any more.
   */
  constructor(message, isGone = false) {
    super(message);
    this.isGone = isGone;
  }
}

const FULL =
  "This browser has no room left for the song: remove a song that you kept here, " +
  "or free some space on the disk.";
const NO_MEMORY =
  "There is not enough memory for this song: close other tabs, or choose a shorter song.";

/** What to tell of an error. @param {unknown} error @returns {string} */
export function explained(error) {
  if (error instanceof PageError) return error.message;
  if (error instanceof FullError || error?.name === "QuotaExceededError") return FULL;
  if (error instanceof RangeError) return NO_MEMORY;
  return `Something went wrong on this device (${error?.message ?? error}): try again.`;
}
