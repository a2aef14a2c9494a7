// What was found of a song's loops, for people; as hiphopss/loops/found.py.

import { oneDigit, rint } from "../rounding.js";
import { N_BANDS } from "./agreement.js";

const SLOWEST = 70; // beats a minute; twice as many are too fast
const HEARD = 0.5; // agreement, in the mean over bands, of a copy that people would call one

/** A loop and how much of a song it covers. */
export class Found {
  /**
   * @param {object} facts
   * @param {number} facts.loopSeconds  Length of the loop.
   * @param {number} facts.beatsAMinute  Between 70 and 140.
   * @param {number} facts.likeness  How much the song is like itself one loop later.
   * @param {number} facts.copies  How often a place with copies is heard, itself included.
   * @param {number} facts.covered  Share of the song that has copies.
   */
  constructor(facts) {
    Object.assign(this, facts);
  }

  /** Length of the loop in bars of four beats. */
  get nBars() {
    return (this.loopSeconds * this.beatsAMinute) / 240;
  }

  /** The loop in one line. */
  describe() {
    const bars = String(Number(oneDigit(this.nBars)));
    return (
      `${oneDigit(this.beatsAMinute)} beats a minute, loop of ${bars} ` +
      `bar${bars === "1" ? "" : "s"}, ${oneDigit(this.copies)} copies, ` +
      `${rint(100 * this.covered)} % of the song`
    );
  }
}

/**
 * Sum up a song's copies.
 * @param {import("./period.js").Period} period
 * @param {import("./agreement.js").Agreement} agreement
 * @param {number} sampleRate
 * @returns {Found}
 */
export function found(period, agreement, sampleRate) {
  const { nFrames } = agreement;
  const counts = new Int32Array(nFrames);
  for (const step of agreement.signedSteps()) {
    const values = agreement.of(step, 0, nFrames);
    for (let frame = 0; frame < nFrames; frame++) {
      let sum = 0;
      for (let band = 0; band < N_BANDS; band++) sum += values[frame * N_BANDS + band];
      if (sum / N_BANDS > HEARD) counts[frame]++;
    }
  }
  const has = counts.filter((count) => count > 0);
  const stepSeconds = period.samples / sampleRate;
  const tempo = 240 / stepSeconds;
  return new Found({
    loopSeconds: stepSeconds * period.nSteps,
    beatsAMinute: tempo * 2 ** Math.ceil(Math.log2(SLOWEST / tempo)),
    likeness: period.likeness,
    copies: 1 + (has.length ? has.reduce((sum, count) => sum + count, 0) / has.length : 0),
    covered: has.length / nFrames,
  });
}
