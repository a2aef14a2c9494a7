// The strips beside the lanes: mute, solo, fader and pan of each stem, and the master; presets
// above them.

import { announce, byId, capital, element, icon, press } from "./dom.js";
import {
  factor,
  isAudible,
  neutralMix,
  ORIGINAL,
  PITCHES,
  SILENT_DB,
  TEMPOS,
} from "./graph.js";
import { Pads } from "./pads.js";
import { isSet, PRESETS, setPreset } from "./presets.js";

const TOP_DB = 12;

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

/** Shows and changes the player's mix. */
export class MixerView {
  #player;
  #timeline;
  #strips = new Map();
  #master = null;
  #bend = []; // sliders of tempo and pitch
  #before = []; // mutes and solos before a pad was held
  #pads = new Pads(byId("pads"), {
    mute: (source) => announce(this.toggleMute(source)),
    hold: (source, held) => this.#hold(source, held),
  });

  /**
   * @param {import("./player.js").Player} player
   * @param {import("./timeline.js").Timeline} timeline
   */
  constructor(player, timeline) {
    this.#player = player;
    this.#timeline = timeline;
    byId("presets").append(
      ...PRESETS.map((preset) => {
        const { id, name, meaning } = preset;
        const click = () => announce(this.#togglePreset(preset));
        const attributes = { type: "button", "data-preset": id, "aria-pressed": "false" };
        return element("button", { ...attributes, title: capital(meaning), click }, name);
      }),
    );
  }

  /** Make the rows of the player's song. */
  open() {
    const sources = Object.keys(this.#player.mix.stems);
    this.#strips.clear();
    this.#pads.open(sources);
    byId("tracks").replaceChildren(
      this.#originalRow(),
      ...sources.map((source, number) => this.#stemRow(source, number + 1)),
    );
    this.#master = this.#levelSlider("Master level", null, (value) => (this.#player.mix.master = value));
    this.#bend = this.#player.canBend ? this.#bendSliders() : [];
    const title = element("div", { class: "title" }, element("h3", {}, "Master"), meter("master"));
    byId("master").replaceChildren(title, this.#master.row, ...this.#bend.map(({ row }) => row));
    this.show();
  }

  /** Show the state of the player: mix, version, downloads. */
  show() {
    const { mix, listening, result } = this.#player;
    const version = result.versions.find(({ id }) => id === this.#player.version);
    byId("desk").dataset.listening = listening === ORIGINAL ? ORIGINAL : version.kind;
    this.#master.set(mix.master);
    for (const [number, name] of ["tempo", "pitch"].entries()) this.#bend[number]?.set(mix[name]);
    for (const button of byId("presets").children) {
      const preset = PRESETS.find(({ id }) => id === button.dataset.preset);
      press(button, isSet(mix, preset));
    }
    this.#pads.show((source) => !mix.stems[source].mute);
    const soloed = Object.keys(mix.stems).filter((source) => mix.stems[source].solo);
    for (const [source, strip] of this.#strips) {
      const { gain, pan, mute, solo } = mix.stems[source];
      const { audio, ending = "flac" } = version.stems[source];
      strip.level.set(gain);
      strip.pan.set(pan);
      press(strip.mute, mute);
      press(strip.solo, solo);
      press(strip.alone, solo && soloed.length === 1);
      strip.row.style.setProperty("--gain", factor(gain));
      strip.row.classList.toggle("silent", !isAudible(mix, source));
      strip.download.href = audio;
      strip.download.download = `${result.title} - ${source} (${version.name}).${ending}`;
      strip.download.setAttribute("aria-label", `Download ${source} (${version.name})`);
    }
  }

  /** Mute or let through; says which in words. @param {string} source @returns {string} */
  toggleMute(source) {
    const stem = this.#player.mix.stems[source];
    stem.mute = !stem.mute;
    const also = this.#changed(source);
    return `${capital(source)} ${stem.mute ? "muted" : "not muted"}${also}`;
  }

  /** Solo or not; says which in words. @param {string} source @returns {string} */
  toggleSolo(source) {
    const stem = this.#player.mix.stems[source];
    stem.solo = !stem.solo;
    const also = this.#changed(source);
    return `${capital(source)} ${stem.solo ? "solo" : "not solo"}${also}`;
  }

  /** Put every control back; says so. @returns {string} */
  reset() {
    Object.assign(this.#player.mix, neutralMix([...this.#strips.keys()]));
    this.#changed();
    return "Mixer reset";
  }

  // Hear one stem, or all as before; says which in words.
  #toggleAlone(source) {
    const { stems } = this.#player.mix;
    const others = Object.keys(stems).filter((other) => other !== source);
    const wasAlone = stems[source].solo && !others.some((other) => stems[other].solo);
    for (const other of others) stems[other].solo = false;
    stems[source].solo = !wasAlone;
    const also = this.#changed(source);
    return `${wasAlone ? "No stem alone any more" : `${capital(source)} alone`}${also}`;
  }

  #togglePreset(preset) {
    const { mix } = this.#player;
    const wasSet = isSet(mix, preset);
    setPreset(mix, wasSet ? null : preset);
    const also = this.#changed("stems");
    return `${preset.name}${wasSet ? " off" : `: ${preset.meaning}`}${also}`;
  }

  // One stem alone while its pad is held; then all is as before.
  #hold(source, held) {
    const { stems } = this.#player.mix;
    if (held) this.#before = Object.entries(stems).map(([name, { mute, solo }]) => [name, { mute, solo }]);
    for (const [name, before] of this.#before) {
      const alone = { mute: false, solo: name === source };
      Object.assign(stems[name], held ? alone : before);
    }
    this.#changed(source);
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
    const alone = element(
      "button",
      {
        type: "button",
        class: "name",
        "aria-pressed": "false",
        "aria-label": `${name} alone`,
        title: `Hear ${source} alone`,
        click: () => announce(this.#toggleAlone(source)),
      },
      name,
    );
    const stem = () => this.#player.mix.stems[source];
    const level = this.#levelSlider(`${name} level`, source, (value) => (stem().gain = value));
    const pan = this.#panSlider(`${name} pan`, source, (value) => (stem().pan = value));
    const download = downloadLink("", "");
    const title = element(
      "div",
      { class: "title" },
      element("h3", {}, alone),
      meter(source),
      mute,
      solo,
      download,
    );
    const row = element(
      "div",
      { class: "track", "data-source": source, role: "group", "aria-label": name },
      element("div", { class: "strip" }, title, level.row, pan.row),
      this.#timeline.lane(source),
    );
    this.#strips.set(source, { row, mute, solo, alone, level, pan, download });
    return row;
  }

  #toggle(letter, name, key, act) {
    const attributes = { type: "button", class: `toggle ${letter}`, "aria-pressed": "false" };
    return element(
      "button",
      { ...attributes, "aria-label": name, title: `${name} (${key})`, click: () => announce(act()) },
      letter,
    );
  }

  #levelSlider(name, source, take) {
    const range = { min: SILENT_DB, max: TOP_DB, step: 0.5, class: "level" };
    const words = { label: "Level", number: levelNumber, text: levelText };
    return this.#slider(name, source, range, take, words, 1);
  }

  #panSlider(name, source, take) {
    const range = { min: -100, max: 100, step: 1, class: "pan" };
    const words = { label: "Pan", number: panNumber, text: panText };
    return this.#slider(name, source, range, take, words, 100);
  }

  #bendSliders() {
    const { mix } = this.#player;
    const range = ([min, max], unit) => ({ min: min * unit, max: max * unit, step: 1, class: "pan" });
    const percent = (tempo) => Math.round(100 * tempo);
    const tempoWords = {
      label: "Tempo",
      number: (tempo) => `${percent(tempo)} %`,
      text: (tempo) => `${percent(tempo)} percent`,
    };
    const pitchWords = {
      label: "Pitch",
      number: (pitch) => `${pitch > 0 ? "+" : ""}${signed(pitch)} st`,
      text: (pitch) => `${pitch} semitones`,
    };
    const setTempo = (value) => (mix.tempo = value || 1);
    const setPitch = (value) => (mix.pitch = value);
    return [
      this.#slider("Tempo", null, range(TEMPOS, 100), setTempo, tempoWords, 100),
      this.#slider("Pitch", null, range(PITCHES, 1), setPitch, pitchWords, 1),
    ];
  }

  // A labelled range and its number; `unit` is how many of its steps make 1 of the value.
  #slider(name, source, range, take, { label, number, text }, unit) {
    const output = element("span", { class: "number", "aria-hidden": "true" });
    const input = element("input", {
      ...range,
      type: "range",
      "aria-label": name,
      input: () => change(input.valueAsNumber / unit),
      dblclick: () => change(0),
    });
    const change = (value) => {
      take(value);
      this.#changed(source);
    };
    const set = (value) => {
      input.value = value * unit;
      input.setAttribute("aria-valuetext", text(value));
      output.textContent = number(value);
    };
    const seen = element("span", { class: "label", "aria-hidden": "true" }, label);
    return { row: element("div", { class: "slider" }, seen, input, output), set };
  }

  // Who changes a stem wants to hear it: the stems are heard again if the original was; gives what
  // to say of that.
  #changed(source = null) {
    this.#player.mixChanged();
    if (!source || this.#player.listening !== ORIGINAL) return "";
    this.#player.listen(this.#player.version);
    return ". You hear the stems now, and not the original.";
  }
}

function meter(name) {
  return element("div", { class: "meter", "data-meter": name, "aria-hidden": "true" });
}

function downloadLink(href, name) {
  return element("a", { class: "icon", href, download: name, title: "Download" }, icon("download"));
}
