// Controls that a mixer is made of, wherever it is on the page.

import { capital, element } from "./dom.js";
import { PITCHES, SILENT_DB, TEMPOS, TOP_DB } from "./graph.js";

const signed = (value) => String(value).replace("-", "\u2212");

const LEVEL = {
  label: "Level",
  range: { min: SILENT_DB, max: TOP_DB, step: 0.5, class: "level" },
  number: (decibels) => (decibels <= SILENT_DB ? "\u2212\u221e dB" : `${signed(decibels)} dB`),
  text: (decibels) => (decibels <= SILENT_DB ? "silent" : `${decibels} decibels`),
};

const PAN = {
  label: "Pan",
  range: { min: -100, max: 100, step: 1, class: "pan" },
  unit: 100,
  number: (pan) => (pan ? `${pan < 0 ? "L" : "R"} ${percent(pan)}` : "C"),
  text: (pan) => (pan ? `${percent(pan)} percent ${pan < 0 ? "left" : "right"}` : "centre"),
};

const TEMPO = {
  label: "Tempo",
  range: { min: 100 * TEMPOS[0], max: 100 * TEMPOS[1], step: 1, class: "pan" },
  unit: 100,
  usual: 1,
  number: (tempo) => `${percent(tempo)} %`,
  text: (tempo) => `${percent(tempo)} percent`,
};

const PITCH = {
  label: "Pitch",
  range: { min: PITCHES[0], max: PITCHES[1], step: 1, class: "pan" },
  number: (pitch) => `${pitch > 0 ? "+" : ""}${signed(pitch)} st`,
  text: (pitch) => `${pitch} semitones`,
};

function percent(share) {
  return Math.round(100 * Math.abs(share));
}

/**
 * A row with a slider, and what sets it without telling.
 * @typedef {{row: HTMLElement, set: (value: number) => void}} Slider
 */

/**
 * A fader in decibels.
 * @param {string} name
 * @param {(value: number) => void} take
 * @returns {Slider}
 */
export function levelSlider(name, take) {
  return slider(name, LEVEL, take);
}

/**
 * From -1, left, to 1, right.
 * @param {string} name
 * @param {(value: number) => void} take
 * @returns {Slider}
 */
export function panSlider(name, take) {
  return slider(name, PAN, take);
}

/** How fast the song is played. @param {(value: number) => void} take @returns {Slider} */
export function tempoSlider(take) {
  return slider("Tempo", TEMPO, take);
}

/** In semitones. @param {(value: number) => void} take @returns {Slider} */
export function pitchSlider(take) {
  return slider("Pitch", PITCH, take);
}

/**
 * A labelled range and its number.
 * @param {string} name  For screen readers.
 * @param {object} kind
 * @param {string} kind.label  That is seen.
 * @param {object} kind.range  Attributes of the range.
 * @param {number} [kind.unit]  How many of its steps make 1 of the value.
 * @param {number} [kind.usual]  The value that a double click gives.
 * @param {(value: number) => string} kind.number  As it is seen.
 * @param {(value: number) => string} kind.text  As it is read out.
 * @param {(value: number) => void} take
 * @returns {Slider}
 */
export function slider(name, { label, range, unit = 1, usual = 0, number, text }, take) {
  const output = element("span", { class: "number", "aria-hidden": "true" });
  const input = element("input", {
    ...range,
    type: "range",
    "aria-label": name,
    input: () => take(input.valueAsNumber / unit),
    dblclick: () => take(usual),
  });
  const set = (value) => {
    input.value = value * unit;
    input.setAttribute("aria-valuetext", text(value));
    output.textContent = number(value);
  };
  const seen = element("span", { class: "label", "aria-hidden": "true" }, label);
  return { row: element("div", { class: "slider" }, seen, input, output), set };
}

/**
 * A button that is pressed or not.
 * @param {string} letter  M or S.
 * @param {string} name
 * @param {string} title
 * @param {() => void} act
 */
export function toggle(letter, name, title, act) {
  const attributes = { type: "button", class: `toggle ${letter}`, "aria-pressed": "false" };
  return element("button", { ...attributes, "aria-label": name, title, click: act }, letter);
}

/** A level meter; meters.js moves it. @param {string} name */
export function meter(name) {
  return element("div", { class: "meter", "data-meter": name, "aria-hidden": "true" });
}

/**
 * Buttons of presets.
 * @param {import("./presets.js").Preset[]} presets
 * @param {(preset: import("./presets.js").Preset) => void} act
 * @returns {HTMLElement[]}  Each with its preset's id as `data-preset`.
 */
export function presetButtons(presets, act) {
  return presets.map((preset) => {
    const { id, name, meaning } = preset;
    const attributes = { type: "button", "data-preset": id, "aria-pressed": "false" };
    const click = () => act(preset);
    return element("button", { ...attributes, title: capital(meaning), click }, name);
  });
}
