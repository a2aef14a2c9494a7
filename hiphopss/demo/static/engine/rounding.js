// Rounding as Python and NumPy do it: halves go to the even neighbour.

/** The nearest whole number. @param {number} value */
export function rint(value) {
  const down = Math.floor(value);
  const rest = value - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

/** A number with one digit after the point, as `f"{value:.1f}"` writes it. */
export function oneDigit(value) {
  const tenths = value * 10;
  // Only halves and quarters are exactly between two tenths; elsewhere `toFixed` is exact.
  const between = Number.isInteger(value * 4) && !Number.isInteger(tenths);
  return between ? (rint(tenths) / 10).toFixed(1) : value.toFixed(1);
}
