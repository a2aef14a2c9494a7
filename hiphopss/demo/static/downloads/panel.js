// What can be saved of the song that is open, and as what; one file is made after the other.

import { fileAt } from "../device/library.js";
import { zipped } from "../device/zip.js";
import { announce, byId, element, save } from "../dom.js";
import { ORIGINAL } from "../graph.js";
import { timeText } from "../times.js";
import { trackBlocks } from "./blocks.js";
import { makeFile } from "./file.js";
import {
  chosenFormat,
  fileName,
  formatHint,
  FORMATS,
  offeredFormats,
  rememberFormat,
} from "./formats.js";

const SHOWN_AFTER = 400; // milliseconds: what is done sooner needs no bar

/** @typedef {(fraction: number) => void} Told */

export class Downloads {
  #player;
  #hasMp3;
  #last = Promise.resolve();
  #stop = new AbortController();

  /**
   * @param {import("../player.js").Player} player
   * @param {object} site  What the server offers.
   */
  constructor(player, site) {
    this.#player = player;
    this.#hasMp3 = site.mp3;
    byId("made-with").hidden = !site.mp3;
    const on = (id, event, act) => byId(id).addEventListener(event, act);
    on("format", "change", ({ target }) => {
      rememberFormat(target.value);
      this.#showFormat();
    });
    on("save-mix", "click", () => this.#saveMix(null, "mix"));
    on("save-loop", "click", () => {
      const { start, end } = player.loop;
      const what = `mix of ${timeText(start)} to ${timeText(end)}`.replaceAll(":", ".");
      return this.#saveMix({ start, end }, what);
    });
    on("save-zip", "click", () => this.#saveZip());
    on("saving-cancel", "click", () => {
      this.close();
      announce("Download cancelled");
    });
  }

  /** Offer what there is for the player's song. */
  open() {
    const offered = offeredFormats(this.#stored, this.#hasMp3);
    const options = offered.map((id) => element("option", { value: id }, FORMATS[id].name));
    byId("format").replaceChildren(...options);
    byId("format").value = chosenFormat(offered);
    this.#showFormat();
  }

  /** Stop what is being made. */
  close() {
    this.#stop.abort(new DOMException("Stopped", "AbortError"));
    this.#stop = new AbortController();
  }

  /** Save a stem as it was separated, or the original. @param {string} name */
  saveTrack(name) {
    const format = byId("format").value;
    const track = name === ORIGINAL ? this.#result.original : this.#version.stems[name];
    const called = fileName(this.#result.title, name, format);
    if (format === this.#stored) return follow(track.audio, called);
    return this.#make(called, (told, signal) =>
      this.#converted(track, { format, title: `${this.#result.title} - ${name}`, told, signal }),
    );
  }

  #saveZip() {
    const format = byId("format").value;
    const { result: { title }, version: { name, stems, zip } } = this.#now;
    const called = fileName(title, name, "zip");
    if (format === this.#stored && zip) return follow(zip, called);
    return this.#make(called, async (told, signal) => {
      const members = [];
      const sources = Object.entries(stems);
      for (const [source, track] of sources) {
        const part = (fraction) => told((members.length + fraction) / sources.length);
        const options = { format, title: `${title} - ${source}`, told: part, signal };
        const { blob, crc } =
          format === this.#stored
            ? { blob: fileAt(track.audio), crc: track.crc }
            : await this.#converted(track, options);
        members.push({ name: fileName(title, source, format), blob, crc });
      }
      return { blob: zipped(members) };
    });
  }

  #saveMix(part, what) {
    const format = byId("format").value === "mp3" ? "mp3" : "wav";
    const { title } = this.#result;
    return this.#make(fileName(title, what, format), async (told, signal) => {
      const mix = await this.#player.render(part);
      const { sampleRate: rate, channels, nSamples, blocks } = mix;
      const kind = { format, rate, channels, bits: 16, title: `${title} - ${what}` };
      return makeFile(kind, blocks, { told: (done) => told(done / nSamples), signal });
    });
  }

  #converted(track, { format, title, told, signal }) {
    const { sample_rate: rate, channels, bits, n_samples: nSamples } = this.#result;
    const kind = { format, rate, channels, bits, title };
    const options = { told: (done) => told(done / nSamples), signal };
    return makeFile(kind, trackBlocks(track, rate), options);
  }

  // Makes a file when those before it are done, and saves it.
  #make(called, make) {
    const { signal } = this.#stop;
    const made = this.#last.then(() => {
      if (!signal.aborted) return this.#makeNow(called, make, signal);
    });
    this.#last = made.catch(() => {}); // it is told where it was asked for
    return made;
  }

  async #makeNow(called, make, signal) {
    announce(`Making ${called}`);
    const progress = byId("saving-progress");
    progress.removeAttribute("value");
    byId("saving-text").textContent = `Making ${called}`;
    const showing = setTimeout(() => (byId("saving").hidden = false), SHOWN_AFTER);
    try {
      const { blob, clipped, peak } = await make((fraction) => (progress.value = fraction), signal);
      signal.throwIfAborted();
      save(blob, called);
      const over = (20 * Math.log10(peak)).toFixed(1);
      announce(
        clipped
          ? `Saved, with ${clipped} clipped samples: lower the master by ${over} dB for none`
          : `${called} is saved`,
      );
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      clearTimeout(showing);
      byId("saving").hidden = true;
    }
  }

  #showFormat() {
    const { sample_rate: rate } = this.#result;
    byId("format-hint").textContent = formatHint(byId("format").value, rate);
  }

  get #result() {
    return this.#player.result;
  }

  get #version() {
    return this.#result.versions.find(({ id }) => id === this.#player.version);
  }

  get #now() {
    return { result: this.#result, version: this.#version };
  }

  // The ending of the song's files where they are.
  get #stored() {
    return this.#result.original.ending ?? "flac";
  }
}

// Have the browser save what is at an address.
function follow(href, name) {
  announce(`Saving ${name}`);
  element("a", { href, download: name }).click();
}
