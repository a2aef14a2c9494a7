// How near the stems of a version come to the true ones, as a table with words.

import { byId, capital, element } from "./dom.js";

const SCORES = ["SDR", "SIR", "SAR"];

// From so many decibels of SDR on.
const WORDS = [
  [10, "very good"],
  [6, "good"],
  [3, "fair"],
  [0, "rough"],
  [-Infinity, "more wrong than right"],
];

/** An SDR in a word. @param {number} decibels @returns {string} */
export const scoreWord = (decibels) => WORDS.find(([least]) => decibels >= least)[1];

/** Show the scores of a version, if it has any. @param {import("./api.js").Version} version */
export function showScores(version) {
  const scored = Object.entries(version.stems).filter(([, { metrics }]) => metrics);
  byId("scores").hidden = scored.length === 0;
  const rows = scored.map(([source, { metrics }]) => row(source, metrics));
  byId("scores-table").replaceChildren(...rows);
}

function row(source, metrics) {
  const known = metrics.SDR !== null;
  return element(
    "tr",
    { "data-source": source },
    element("th", { scope: "row" }, capital(source)),
    element("td", {}, known ? scoreWord(metrics.SDR) : "\u2013"),
    ...SCORES.map((name) =>
      element("td", { class: "number", "data-score": name }, decibelText(metrics[name])),
    ),
  );
}

const decibelText = (value) =>
  value === null ? "\u2013" : value.toFixed(1).replace("-", "\u2212");
