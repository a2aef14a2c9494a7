// The region that is repeated: what becomes of a change of it, and what to say of that.

import { timeText } from "./times.js";

/** The shortest region, in seconds. */
export const MIN_LOOP = 0.05;

/**
 * @typedef {object} Loop
 * @property {boolean} on
 * @property {number} start  Seconds, as `end`.
 * @property {number} end
 */

/**
 * Whether a position is in a loop.
 * @param {Loop} loop
 * @param {number} position
 * @returns {boolean}
 */
export const contains = (loop, position) => loop.start <= position && position < loop.end;

/**
 * Whether a loop is the whole song.
 * @param {Loop} loop
 * @param {number} seconds  Of the song.
 * @returns {boolean}
 */
export const isWhole = (loop, seconds) => loop.start === 0 && loop.end === seconds;

/**
 * Make a change fit the song. An edge that is moved over the other takes it along, so that the loop
 * keeps its length.
 * @param {Loop} loop
 * @param {Partial<Loop>} change
 * @param {{seconds: number, sample_rate: number}} song
 * @returns {{loop: Loop, told: string}}  The new loop, and in words what differs from what was
 *   asked for; empty if nothing does.
 */
export function changedLoop(loop, change, { seconds, sample_rate: rate }) {
  const onSample = (time) => Math.round(time * rate) / rate;
  const within = (low, time, high) => Math.max(low, Math.min(time, high));
  const asked = { ...loop, ...change };
  const length = Math.max(loop.end - loop.start, MIN_LOOP);
  let { start, end } = asked;
  if (start >= end) {
    if (change.start === undefined) start = end - length;
    else end = start + length;
  }
  start = onSample(within(0, start, seconds - MIN_LOOP));
  end = within(start + MIN_LOOP, onSample(end), seconds);
  const told = inWords(change, { start, end }, loop, seconds);
  return { loop: { on: asked.on, start, end }, told };
}

// Times that were asked for are kept to the hundredth that is shown, or it is told why not.
function inWords(change, { start, end }, before, seconds) {
  const differs = (edge, now) => change[edge] !== undefined && Math.abs(change[edge] - now) > 0.005;
  const told = [];
  if (differs("end", end) && end === seconds) told.push(`The song ends at ${timeText(seconds)}.`);
  else if (differs("start", start) && start === 0) told.push("The song starts at 0:00.");
  else if (differs("start", start) || differs("end", end)) {
    told.push(`A loop is at least ${MIN_LOOP} seconds long, and within the song.`);
  }
  const moved = (edge, now) => change[edge] === undefined && Math.abs(before[edge] - now) > 0.005;
  if (moved("start", start)) told.push(`The start moved along to ${timeText(start)}.`);
  if (moved("end", end)) told.push(`The end moved along to ${timeText(end)}.`);
  return told.join(" ");
}
