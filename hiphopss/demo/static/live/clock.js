// Finds drop-outs: moments in which the sound card got nothing to play, because the audio was not
// ready in time.

const WINDOW_SECONDS = 0.5;
const WARMING_UP = 1; // windows
const LEAST_LOST = 0.005; // seconds; clocks of browsers are exact to one or two milliseconds
const PAUSED = 2; // seconds: nobody calls that a drop-out
const FOLLOWING = 0.1; // how fast the two clocks' drift is followed

/**
 * Compares two clocks: the audio's, which counts what was played, and the wall's. Audio is made in
 * bursts, so that it is ahead by more or less; but it never catches up what it lost.
 */
export class LiveClock {
  /** Number of drop-outs. */
  dropouts = 0;
  /** Seconds that they took. */
  lost = 0;

  #began = null; // audio time at which this window began
  #least = Infinity; // how far the audio was behind in this window, at least
  #before = Infinity; // and in the window before
  #usual = null;
  #windows = 0;

  /**
   * Compare the clocks, often.
   * @param {number} audio @param {number} wall  Seconds.
   */
  tick(audio, wall) {
    this.#least = Math.min(this.#least, wall - audio);
    this.#began ??= audio;
    if (audio - this.#began >= WINDOW_SECONDS) this.#close(audio);
  }

  /** Begin anew after a pause; what was counted stays. */
  restart() {
    this.#began = this.#usual = null;
    this.#least = this.#before = Infinity;
    this.#windows = 0;
  }

  #close(audio) {
    const least = this.#least;
    const lost = Math.min(least, this.#before) - this.#usual; // both windows say so
    if (this.#windows++ < WARMING_UP) this.#usual = null;
    else if (this.#usual === null || least < this.#usual || lost > PAUSED) this.#usual = least;
    else if (lost > LEAST_LOST) {
      this.dropouts++;
      this.lost += lost;
      this.#usual += lost;
    } else if (least - this.#usual < LEAST_LOST) {
      this.#usual += FOLLOWING * (least - this.#usual);
    }
    this.#before = least;
    this.#least = Infinity;
    this.#began = audio;
  }
}
