// Finds drop-outs: moments in which the sound card got nothing to play, because the audio was not
// ready in time.

const WINDOW_SECONDS = 0.5;
const SPARE = 0.01; // seconds that browsers make in advance, at least
const PAUSED = 2; // seconds: nobody calls that a drop-out

/**
 * Compares two clocks: the audio's, which counts what was made, and the wall's. Audio is made in
 * bursts, so that it is usually behind by up to some milliseconds. When it is much later than that,
 * the sound card had to go on without it. Drop-outs within half a second count as one.
 */
export class LiveClock {
  /** Number of drop-outs. */
  dropouts = 0;
  /** Seconds that they took. */
  lost = 0;

  // How far the audio is usually behind, at most: as far as in the second halves of the last two
  // windows, so that it knows what a drop-out left behind for ever. Null until that is known.
  #usual = null;
  #before = null;
  #most = -Infinity; // in the second half of this window, so far
  #began = null; // audio time at which this window began
  #late = 0; // seconds that were lost in this window

  /**
   * Compare the clocks, often.
   * @param {number} audio @param {number} wall  Seconds.
   */
  tick(audio, wall) {
    const behind = wall - audio;
    this.#began ??= audio;
    if (this.#usual !== null) this.#watch(behind - this.#usual);
    const passed = audio - this.#began;
    if (passed >= WINDOW_SECONDS / 2) this.#most = Math.max(this.#most, behind);
    if (passed >= WINDOW_SECONDS) this.#close(audio);
  }

  #watch(late) {
    if (late > PAUSED) return this.#restart();
    if (late <= Math.max(this.#late, SPARE)) return;
    if (this.#late === 0) this.dropouts++;
    this.lost += late - this.#late;
    this.#late = late;
  }

  #restart() {
    this.#usual = this.#before = this.#began = null;
    this.#most = -Infinity;
  }

  #close(audio) {
    if (this.#before !== null) this.#usual = Math.max(this.#before, this.#most);
    this.#before = this.#most;
    this.#most = -Infinity;
    this.#began = audio;
    this.#late = 0;
  }
}
