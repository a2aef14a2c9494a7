// The strips beside the lanes: mute, solo, fader and pan of each stem, and the master; presets
// above them.

import {
  levelSlider,
  meter,
  panSlider,
  pitchSlider,
  presetButtons,
  tempoSlider,
  toggle,
} from "./controls.js";
import { announce, byId, capital, element, icon, press } from "./dom.js";
import { factor, isAudible, neutralMix, ORIGINAL } from "./graph.js";
import { Pads } from "./pads.js";
import { isSet, PRESETS, setPreset } from "./presets.js";

/** Shows and changes the player's mix. */
export class MixerView {
  #player;
  #timeline;
  #saveTrack;
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
   * @param {(name: string) => void} saveTrack  Saves a stem, or ORIGINAL, as a file.
   */
  constructor(player, timeline, saveTrack) {
    this.#player = player;
    this.#timeline = timeline;
    this.#saveTrack = saveTrack;
    byId("presets").append(
      ...presetButtons(PRESETS, (preset) => announce(this.#togglePreset(preset))),
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
    this.#master = levelSlider(
      "Master level",
      this.#taking(null, (value) => (this.#player.mix.master = value)),
    );
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
      strip.level.set(gain);
      strip.pan.set(pan);
      press(strip.mute, mute);
      press(strip.solo, solo);
      press(strip.alone, solo && soloed.length === 1);
      strip.row.style.setProperty("--gain", factor(gain));
      strip.row.classList.toggle("silent", !isAudible(mix, source));
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
    const state = ([name, { mute, solo }]) => [name, { mute, solo }];
    if (held) this.#before = Object.entries(stems).map(state);
    for (const [name, before] of this.#before) {
      const alone = { mute: false, solo: name === source };
      Object.assign(stems[name], held ? alone : before);
    }
    this.#changed(source);
  }

  #originalRow() {
    const download = this.#downloadButton(ORIGINAL);
    download.setAttribute("aria-label", "Download the original");
    const strip = element(
      "div",
      { class: "strip" },
      element("div", { class: "title" }, element("h3", {}, "Original"), download),
      element("p", { class: "hint" }, "The song as it is, past the faders"),
    );
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
    const level = levelSlider(
      `${name} level`,
      this.#taking(source, (value) => (stem().gain = value)),
    );
    const pan = panSlider(`${name} pan`, this.#taking(source, (value) => (stem().pan = value)));
    const download = this.#downloadButton(source);
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
    return toggle(letter, name, `${name} (${key})`, () => announce(act()));
  }

  #downloadButton(name) {
    const click = () => this.#saveTrack(name);
    const attributes = { type: "button", class: "icon download", title: "Download", click };
    return element("button", attributes, icon("download"));
  }

  #bendSliders() {
    const { mix } = this.#player;
    return [
      tempoSlider(this.#taking(null, (value) => (mix.tempo = value))),
      pitchSlider(this.#taking(null, (value) => (mix.pitch = value))),
    ];
  }

  // What takes a value of a stem, or of the master.
  #taking(source, take) {
    return (value) => {
      take(value);
      this.#changed(source);
    };
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
