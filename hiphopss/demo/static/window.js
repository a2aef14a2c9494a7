// The part of the song that the timeline shows. It knows no page.

const LEAST_SECONDS = 1; // shown at most magnified
const MARGIN = 0.05; // of the window, before a position that is followed

export class Window {
  /** Length of the song. */
  seconds;
  /** The first moment that is shown. */
  from = 0;
  /** How much is shown. */
  length;

  /** @param {number} seconds  Of the song. */
  constructor(seconds) {
    this.seconds = this.length = seconds;
  }

  /** How many times the song is wider than what is shown. @returns {number} */
  get zoom() {
    return this.seconds / this.length;
  }

  /**
   * Where a moment is, 0 at the left and 1 at the right.
   * @param {number} seconds
   * @returns {number}
   */
  place(seconds) {
    return (seconds - this.from) / this.length;
  }

  /** The moment at a place. @param {number} place @returns {number} */
  at(place) {
    return this.from + place * this.length;
  }

  /** Whether a moment is shown. @param {number} seconds @returns {boolean} */
  shows(seconds) {
    return seconds >= this.from && seconds <= this.from + this.length;
  }

  /**
   * Show less or more; the moment at a place stays there.
   * @param {number} factor
   * @param {number} place
   */
  magnify(factor, place) {
    const fixed = this.at(place);
    const least = Math.min(LEAST_SECONDS, this.seconds);
    this.length = Math.max(least, Math.min(this.length / factor, this.seconds));
    this.begin(fixed - place * this.length);
  }

  /** Show what begins at a moment, as far as there is song. @param {number} seconds */
  begin(seconds) {
    this.from = Math.max(0, Math.min(seconds, this.seconds - this.length));
  }

  /** Show a moment, near the left where it wasn't shown. @param {number} seconds */
  reveal(seconds) {
    if (!this.shows(seconds)) this.begin(seconds - MARGIN * this.length);
  }
}
