// Times as people read and write them.

/** Minutes and seconds, as a clock that runs shows them: 1:05.3. @param {number} seconds @returns {string} */
export function clock(seconds) {
  const tenths = Math.floor(10 * seconds + 1e-6);
  const rest = String(tenths % 600).padStart(3, "0");
  return `${Math.floor(tenths / 600)}:${rest.slice(0, 2)}.${rest.slice(2)}`;
}

/** The nearest hundredth, without zeros at the end: 1:05, 1:05.3. @param {number} seconds @returns {string} */
export function timeText(seconds) {
  const hundredths = Math.round(100 * seconds);
  const [whole, fraction] = ((hundredths % 6000) / 100).toFixed(2).split(".");
  const point = `.${fraction}`.replace(/\.?0+$/, "");
  return `${Math.floor(hundredths / 6000)}:${whole.padStart(2, "0")}${point}`;
}

/**
 * Read a time that is written as 1:05.3 or as 65.3, with a point or a comma.
 * @param {string} text
 * @returns {?number}  Seconds; null if it is no time.
 */
export function readTime(text) {
  const parts = /^(?:(\d+):(?=[0-5]?\d(?!\d)))?(\d+(?:[.,]\d*)?)$/.exec(text.trim());
  return parts && 60 * Number(parts[1] ?? 0) + Number(parts[2].replace(",", "."));
}
