// What can't be done live, in a sentence.

import { PageError } from "../errors.js";

/** Something that keeps sound from being separated live. */
export class LiveError extends PageError {}

const REFUSALS = {
  NotAllowedError: (what) =>
    `This page may not listen to ${what}: allow it in the browser, beside the page's address, ` +
    "and try again.",
  NotReadableError: (what) =>
    `The sound of ${what} can't be had just now: close other programs that use it, and try again.`,
};

const NONE = "No microphone was found: connect one, and try again.";

/**
 * What to tell if a browser refuses to let a page listen.
 * @param {unknown} error
 * @param {string} what  "the microphone" or "another tab".
 * @returns {LiveError}
 */
export function refusal(error, what) {
  if (["NotFoundError", "OverconstrainedError"].includes(error?.name)) return new LiveError(NONE);
  const told = REFUSALS[error?.name];
  if (told) return new LiveError(told(what));
  return new LiveError(`The browser does not let this page listen to ${what} (${error?.message}).`);
}
