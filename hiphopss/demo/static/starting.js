// The beginning of an audio context, which browsers may refuse.

import { PageError } from "./errors.js";

const START_MILLISECONDS = 5000;

const SILENT =
  "The browser does not begin to play. Is sound allowed for this page, and are loudspeakers or " +
  "headphones connected? Then try again.";

/**
 * Wait until a context has begun. Where sound is not allowed, or there is nothing to play on, it
 * may wait for ever.
 * @param {AudioContext} context
 * @throws {PageError}  After some seconds.
 */
export function started(context) {
  const late = new Promise((_, reject) => {
    setTimeout(() => reject(new PageError(SILENT)), START_MILLISECONDS);
  });
  return Promise.race([context.resume(), late]);
}
