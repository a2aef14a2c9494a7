// The faders of what is separated live, with presets above them.

import { levelSlider, meter, presetButtons, toggle } from "../controls.js";
import { capital, element, press } from "../dom.js";
import { isAudible, neutralMix } from "../graph.js";
import { isSet, PRESETS, setPreset } from "../presets.js";

/** Shows and changes a mix. */
export class LiveStrips {
  /** @type {import("../graph.js").Mix} */
  mix;
  #changed;
  #strips;
  #presets;
  #master;

  /** @param {string[]} sources @param {() => void} changed  Called after a change of the mix. */
  constructor(sources, changed) {
    this.mix = neutralMix(sources);
    this.#changed = changed;
    this.#strips = new Map(sources.map((source) => [source, this.#strip(source)]));
    this.#presets = presetButtons(PRESETS, (preset) => {
      setPreset(this.mix, isSet(this.mix, preset) ? null : preset);
      this.#show();
    });
    this.#master = levelSlider("Level of all", (value) => {
      this.mix.master = value;
      this.#show();
    });
    this.#show();
  }

  /** @returns {HTMLElement[]} */
  get elements() {
    const attributes = { class: "group presets", role: "group", "aria-label": "Mix" };
    const title = element("div", { class: "title" }, element("h3", {}, "All"), meter("master"));
    const all = element("div", { class: "strip master" }, title, this.#master.row);
    const strips = [...this.#strips.values()].map(({ row }) => row);
    return [
      element("div", attributes, ...this.#presets),
      element("div", { class: "live-strips" }, ...strips, all),
    ];
  }

  #strip(source) {
    const name = capital(source);
    const change = (act) => {
      act(this.mix.stems[source]);
      this.#show();
    };
    const mute = toggle("M", `Mute ${source}`, `Mute ${source}`, () =>
      change((stem) => (stem.mute = !stem.mute)),
    );
    const solo = toggle("S", `Solo ${source}`, `Solo ${source}`, () =>
      change((stem) => (stem.solo = !stem.solo)),
    );
    const level = levelSlider(`${name} level`, (value) => change((stem) => (stem.gain = value)));
    const heading = element("h3", {}, name);
    const title = element("div", { class: "title" }, heading, meter(source), mute, solo);
    const attributes = { class: "strip", "data-source": source, role: "group", "aria-label": name };
    return { row: element("div", attributes, title, level.row), mute, solo, level };
  }

  #show() {
    const { stems, master } = this.mix;
    this.#master.set(master);
    for (const button of this.#presets) {
      const preset = PRESETS.find(({ id }) => id === button.dataset.preset);
      press(button, isSet(this.mix, preset));
    }
    for (const [source, { row, mute, solo, level }] of this.#strips) {
      level.set(stems[source].gain);
      press(mute, stems[source].mute);
      press(solo, stems[source].solo);
      row.classList.toggle("silent", !isAudible(this.mix, source));
    }
    this.#changed();
  }
}
