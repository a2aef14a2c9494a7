// What can be saved of the song that is open, and as what; one file is made after the other.

import { fileAt } from "../device/library.js";
import { zipped } from "../device/zip.js";
import { announce, byId, element, save } from "../dom.js";
import { ORIGINAL } from "../graph.js";
import { timeText } from "../times.js";
import { makeFile } from "./file.js";
import {
  chosenFormat,
  fileName,
  formatHint,
  FORMATS,
  offeredFormats,
  rememberFormat,
} from "./formats.js";

const BLOCK = 1 << 17; // samples that are read at a time
const SHOWN_AFTER = 400; // milliseconds: what is done sooner needs no bar

/** The downloads of the player's song. */
export class Downloads {
  #player;
  #hasMp3;
  #failed;
  #last = Promise.resolve();
  #stop = new AbortController();

  /**
   * @param {import("../player.js").Player} player
   * @param {object} site  What the server offers.
   * @param {(error: Error) => void} failed  Told what can't be made.
   */
  constructor(player, site, failed) {
    this.#player = player;
    this.#failed = failed;
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
      this.#saveMix({ start, end }, what);
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
    byId("saving").hidden = true; // though what it waits for may take a moment to end
  }

  /** Save a stem as it was separated, or the original. @param {string} name */
  saveTrack(name) {
    const format = byId("format").value;
    const version = this.#version;
    const { bits } = this.#result;
    const track = name === ORIGINAL ? this.#result.original : version.stems[name];
    const called = fileName(this.#result.title, name, format);
    if (format === this.#stored) {
      follow(track.audio, called);
      return;
    }
    const title = `${this.#result.title} - ${name}`;
    const sounds = () => this.#player.sounds(name === ORIGINAL ? ORIGINAL : version.id);
    this.#make(called, async (told, signal) => {
      const sound = (await sounds())[name];
      return converted(sound, { format, bits, title, told, signal });
    });
  }

  #saveZip() {
    const format = byId("format").value;
    const { title, bits } = this.#result;
    const { id, name, stems, zip } = this.#version;
    const called = fileName(title, name, "zip");
    const isStored = format === this.#stored;
    if (isStored && zip) {
      follow(zip, called);
      return;
    }
    this.#make(called, async (told, signal) => {
      const sounds = isStored ? {} : await this.#player.sounds(id);
      const members = [];
      const sources = Object.entries(stems);
      for (const [source, { audio, crc }] of sources) {
        const part = (fraction) => told((members.length + fraction) / sources.length);
        const options = { format, bits, title: `${title} - ${source}`, told: part, signal };
        const made = isStored
          ? { blob: fileAt(audio), crc }
          : await converted(sounds[source], options);
        members.push({ name: fileName(title, source, format), blob: made.blob, crc: made.crc });
      }
      return { blob: zipped(members) };
    });
  }

  #saveMix(part, what) {
    const format = byId("format").value === "mp3" ? "mp3" : "wav";
    const { title } = this.#result;
    const rendering = this.#player.render(part); // now, though others may be made before it
    rendering.catch(() => {}); // which is told below
    this.#make(fileName(title, what, format), async (told, signal) => {
      const { sampleRate: rate, channels, nSamples, blocks } = await rendering;
      const kind = { format, rate, channels, bits: 16, title: `${title} - ${what}` };
      return makeFile(kind, blocks, { told: (done) => told(done / nSamples), signal });
    });
  }

  // Makes a file when those before it are done, and saves it.
  #make(called, make) {
    const { signal } = this.#stop;
    this.#last = this.#last.then(() => {
      if (!signal.aborted) return this.#makeNow(called, make, signal);
    });
  }

  async #makeNow(called, make, signal) {
    const progress = byId("saving-progress");
    progress.removeAttribute("value");
    byId("saving-text").textContent = "";
    const showing = setTimeout(() => {
      if (signal.aborted) return;
      byId("saving").hidden = false;
      byId("saving-text").textContent = `Making ${called}`;
    }, SHOWN_AFTER);
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
      if (!signal.aborted) this.#failed(error);
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

// Makes a file of a track as it is stored.
function converted(sound, { format, bits, title, told, signal }) {
  const { length, sampleRate: rate, channels } = sound;
  const kind = { format, rate, channels, bits, title };
  return makeFile(kind, blocksOf(sound), { told: (done) => told(done / length), signal });
}

async function* blocksOf(sound) {
  for (let at = 0; at < sound.length; at += BLOCK) {
    yield sound.read(at, Math.min(BLOCK, sound.length - at));
  }
}
