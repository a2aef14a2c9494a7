// The strips beside the lanes: mute, solo, fader, pan and scores of each stem, and the master.

import { byId, capital, element, icon, press } from "./dom.js";
import { isAudible, neutralMix, ORIGINAL, SILENT_DB } from "./graph.js";

const TOP_DB = 12;

const SCORES = {
  SDR: "Signal to distortion ratio: how much of the stem is right",
  SIR: "Signal to interference ratio: how little of the other stems leaks in",
  SAR: "Signal to artefacts ratio: how little the separation adds",
};

/** A fader's level in words. @param {number} decibels @returns {string} */
export function levelText(decibels) {
  return decibels <= SILENT_DB ? "silent" : `${decibels} decibels`;
}

/** A pan's position in words. @param {number} pan @returns {string} */
export function panText(pan) {
  const percent = Math.round(100 * Math.abs(pan));
  return percent ? `${percent} percent ${pan < 0 ? "left" : "right"}` : "centre";
}

const signed = (value) => String(value).replace("-", "\u2212");
const levelNumber = (decibels) => (decibels <= SILENT_DB ? "\u2212\u221e dB" : `${signed(decibels)} dB`);
const panNumber = (pan) => (pan ? `${pan < 0 ? "L" : "R"} ${Math.round(100 * Math.abs(pan))}` : "C");

/** Events: `mix` after a change of the player's mix by hand. */
export class MixerView extends EventTarget {
  #player;
  #timeline;
  #strips = new Map();
  #master = null;

  /**
   * @param {import("./player.js").Player} player
   * @param {import("./timeline.js").Timeline} timeline
   */
  constructor(player, timeline) {
    super();
    this.#player = player;
    this.#timeline = timeline;
  }

  /** Make the rows of the player's song. */
  open() {
    const sources = Object.keys(this.#player.mix.stems);
    this.#strips.clear();
    byId("tracks").replaceChildren(
      this.#originalRow(),
      ...sources.map((source, number) => this.#stemRow(source, number + 1)),
    );
    this.#master = this.#levelSlider("Master level", (value) => (this.#player.mix.master = value));
    const title = element("div", { class: "title" }, element("h3", {}, "Master"), meter("master"));
    byId("master").replaceChildren(title, this.#master.row);
    this.show();
  }

  /** Show the state of the player: mix, version, scores, downloads. */
  show() {
    const { mix, listening, result } = this.#player;
    const version = result.versions.find(({ id }) => id === this.#player.version);
    byId("desk").dataset.listening = listening === ORIGINAL ? ORIGINAL : version.kind;
    this.#master.set(mix.master);
    for (const [source, strip] of this.#strips) {
      const { gain, pan, mute, solo } = mix.stems[source];
      const { audio, ending = "flac", metrics } = version.stems[source];
      strip.level.set(gain);
      strip.pan.set(pan);
      press(strip.mute, mute);
      press(strip.solo, solo);
      strip.row.classList.toggle("silent", !isAudible(mix, source));
      strip.download.href = audio;
      strip.download.download = `${result.title} - ${source} (${version.name}).${ending}`;
      strip.download.setAttribute("aria-label", `Download ${source} (${version.name})`);
      strip.scores.replaceChildren(...(metrics ? scores(metrics) : []));
    }
  }

  /** Mute or let through; says which in words. @param {string} source @returns {string} */
  toggleMute(source) {
    const stem = this.#player.mix.stems[source];
    stem.mute = !stem.mute;
    this.#changed();
    return `${capital(source)} ${stem.mute ? "muted" : "not muted"}`;
  }

  /** Solo or not; says which in words. @param {string} source @returns {string} */
  toggleSolo(source) {
    const stem = this.#player.mix.stems[source];
    stem.solo = !stem.solo;
    this.#changed();
    return `${capital(source)} ${stem.solo ? "solo" : "not solo"}`;
  }

  /** Put every control back. */
  reset() {
    Object.assign(this.#player.mix, neutralMix([...this.#strips.keys()]));
    this.#changed();
  }

  #originalRow() {
    const { audio, ending = "flac" } = this.#player.result.original;
    const name = `${this.#player.result.title} - original.${ending}`;
    const strip = element(
      "div",
      { class: "strip" },
      element("div", { class: "title" }, element("h3", {}, "Original"), downloadLink(audio, name)),
      element("p", { class: "hint" }, "The song as it is, past the faders"),
    );
    strip.querySelector("a").setAttribute("aria-label", "Download the original");
    return element(
      "div",
      { class: "track original", "data-source": ORIGINAL },
      strip,
      this.#timeline.lane(ORIGINAL),
    );
  }

  #stemRow(source, number) {
    const name = capital(source);
    const mute = this.#toggle("M", `Mute ${source}`, `${number}`, () => this.toggleMute(source));
    const solo = this.#toggle("S", `Solo ${source}`, `shift ${number}`, () =>
      this.toggleSolo(source),
    );
    const stem = () => this.#player.mix.stems[source];
    const level = this.#levelSlider(`${name} level`, (value) => (stem().gain = value));
    const pan = this.#panSlider(`${name} pan`, (value) => (stem().pan = value));
    const download = downloadLink("", "");
    const metrics = element("p", { class: "scores" });
    const title = element(
      "div",
      { class: "title" },
      element("h3", {}, name),
      meter(source),
      mute,
      solo,
      download,
    );
    const row = element(
      "div",
      { class: "track", "data-source": source, role: "group", "aria-label": name },
      element("div", { class: "strip" }, title, level.row, pan.row, metrics),
      this.#timeline.lane(source),
    );
    this.#strips.set(source, { row, mute, solo, level, pan, download, scores: metrics });
    return row;
  }

  #toggle(letter, name, key, act) {
    const attributes = { type: "button", class: `toggle ${letter}`, "aria-pressed": "false" };
    return element(
      "button",
      { ...attributes, "aria-label": name, title: `${name} (${key})`, click: act },
      letter,
    );
  }

  #levelSlider(name, take) {
    const range = { min: SILENT_DB, max: TOP_DB, step: 0.5, class: "level" };
    return this.#slider("Level", name, range, take, levelNumber, levelText, 1);
  }

  #panSlider(name, take) {
    const range = { min: -100, max: 100, step: 1, class: "pan" };
    return this.#slider("Pan", name, range, take, panNumber, panText, 100);
  }

  // A labelled range and its number; `unit` is how many of its steps make 1 of the value.
  #slider(label, name, range, take, number, text, unit) {
    const output = element("span", { class: "number", "aria-hidden": "true" });
    const input = element("input", {
      ...range,
      type: "range",
      "aria-label": name,
      input: () => this.#changed(take(input.valueAsNumber / unit)),
      dblclick: () => this.#changed(take(0)),
    });
    const set = (value) => {
      input.value = value * unit;
      input.setAttribute("aria-valuetext", text(value));
      output.textContent = number(value);
    };
    const seen = element("span", { class: "label", "aria-hidden": "true" }, label);
    return { row: element("div", { class: "slider" }, seen, input, output), set };
  }

  #changed() {
    this.#player.mixChanged();
    this.dispatchEvent(new Event("mix"));
  }
}

function meter(name) {
  return element("div", { class: "meter", "data-meter": name, "aria-hidden": "true" });
}

function downloadLink(href, name) {
  return element("a", { class: "icon", href, download: name, title: "Download" }, icon("download"));
}

function scores(metrics) {
  return Object.entries(SCORES).map(([name, meaning]) => {
    const value = metrics[name] === null ? "\u2013" : signed(metrics[name].toFixed(1));
    const abbreviation = element("abbr", { title: `${meaning}, in dB` }, name);
    return element("span", {}, abbreviation, ` ${value}`);
  });
}
