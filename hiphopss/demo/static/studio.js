// The studio: transport, timeline and mixer of the song that is open.

import { readResult, removeResult } from "./api.js";
import { isOnDevice } from "./device/library.js";
import { announce, byId, capital, element, icon, press, save } from "./dom.js";
import { PageError } from "./errors.js";
import { ORIGINAL } from "./graph.js";
import { Meters } from "./meters.js";
import { MixerView } from "./mixer.js";
import { Player } from "./player.js";
import { Timeline } from "./timeline.js";
import { clock, readTime, timeText } from "./times.js";
import { encodeWav } from "./wav.js";

const EDGES = ["start", "end"]; // of the loop
const NUDGE = 0.1; // seconds

/**
 * Events: `opened` (detail: the result) says that a song is shown, or a new version of it; `again`
 * (detail: `{id, model, title}`) asks for one more version; `removed` says that the song is gone
 * from the server (detail: `{title, url}`).
 */
export class Studio extends EventTarget {
  #site;
  #meters = new Meters();
  #calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  #shown = null; // the version whose pictures are shown
  #frame = 0;
  #openings = 0;
  player = new Player();
  timeline = new Timeline();
  mixer = new MixerView(this.player, this.timeline);

  /** @param {object} site  What the server offers. */
  constructor(site) {
    super();
    this.#site = site;
    const { player, timeline } = this;
    player.addEventListener("change", () => this.#show());
    player.addEventListener("loading", ({ detail }) => this.#showLoading(detail));
    timeline.addEventListener("seek", ({ detail }) => player.seek(detail));
    timeline.addEventListener("region", ({ detail }) => this.#setLoop({ on: true, ...detail }));
    this.#wire();
  }

  /**
   * Open a result, or take its new version.
   * @param {string} url
   * @returns {Promise<boolean>}  False if another was asked for meanwhile; its answer counts.
   */
  async open(url) {
    const number = ++this.#openings;
    const isLast = () => number === this.#openings;
    try {
      const result = await readResult(url);
      if (isLast()) await this.#enter(result);
    } catch (error) {
      if (isLast()) throw error;
    }
    return isLast();
  }

  async #enter(result) {
    const isNew = this.player.result?.id !== result.id;
    if (isNew) {
      this.player.close();
      this.timeline.open(result);
      this.#shown = null;
    }
    byId("studio").hidden = false; // lanes are drawn at the size they have
    const opened = isNew ? this.player.open(result) : this.#take(result);
    if (isNew) this.mixer.open();
    this.#showSong(result);
    this.#show();
    this.dispatchEvent(new CustomEvent("opened", { detail: result }));
    announce(`${result.title} is ready: ${result.versions.map(({ name }) => name).join(", ")}`);
    await opened;
  }

  /** Close the song, and free its audio. */
  close() {
    this.player.close();
    byId("studio").hidden = true;
  }

  async listen(id) {
    if (!(await this.player.listen(id))) return;
    announce(`Listening to: ${id === ORIGINAL ? "the original" : this.#version.name}`);
  }

  playOrPause = () => (this.player.playing ? this.player.pause() : this.player.play());
  skip = (seconds) => this.player.seek(this.player.position + seconds);
  toStart = () => this.player.seek(0);
  mute = (stem) => announce(this.mixer.toggleMute(this.#sources[stem]));
  solo = (stem) => announce(this.mixer.toggleSolo(this.#sources[stem]));
  loop = () => this.#setLoop({ on: !this.player.loop.on });
  original = () => this.listen(this.player.listening === ORIGINAL ? this.player.version : ORIGINAL);

  get #sources() {
    return Object.keys(this.player.mix.stems);
  }

  get #version() {
    return this.player.result.versions.find(({ id }) => id === this.player.version);
  }

  #wire() {
    const on = (id, event, act) => byId(id).addEventListener(event, act);
    byId("play").append(icon("play"), icon("pause"));
    byId("to-start").append(icon("start"));
    on("play", "click", this.playOrPause);
    on("to-start", "click", this.toStart);
    on("loop", "click", this.loop);
    for (const edge of EDGES) {
      on(`loop-${edge}`, "change", ({ target }) => this.#takeLoop(edge, target.value));
      on(`loop-${edge}`, "keydown", (event) => this.#nudgeLoop(edge, event));
    }
    on("view", "click", ({ target }) => this.#setView(target.dataset.view));
    on("save-mix", "click", () => this.#saveMix());
    on("reset", "click", () => this.mixer.reset());
    on("remove", "click", () => this.#remove());
    on("more-go", "click", () => {
      const { id, title } = this.player.result;
      const detail = { id, model: byId("more-model").value, title };
      this.dispatchEvent(new CustomEvent("again", { detail }));
    });
  }

  #take(result) {
    const before = this.player.result.versions.map(({ id }) => id);
    const added = result.versions.find(({ id }) => !before.includes(id));
    this.player.update(result);
    return added ? this.player.listen(added.id) : null;
  }

  #setLoop(change) {
    this.player.setLoop(change);
    const { on, start, end } = this.player.loop;
    announce(on ? `Loop from ${timeText(start)} to ${timeText(end)}` : "Loop off");
  }

  #takeLoop(edge, text) {
    const seconds = readTime(text);
    if (seconds !== null) return this.#setLoop({ [edge]: seconds });
    this.#show(); // puts the time back
    announce(`"${text}" is no time: write it as 1:05.3 or 65.3`);
  }

  // Up and down move a time that is written, as they do in a field for a number.
  #nudgeLoop(edge, event) {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const seconds = readTime(event.target.value);
    if (!direction || seconds === null) return;
    event.preventDefault(); // the cursor would move
    this.#setLoop({ [edge]: seconds + direction * NUDGE });
  }

  #setView(view) {
    if (!view) return; // between the buttons
    for (const button of byId("view").children) press(button, button.dataset.view === view);
    this.timeline.setView(view);
  }

  async #saveMix() {
    announce("Rendering the mix");
    const mix = await this.player.render();
    const channels = [mix.getChannelData(0), mix.getChannelData(1)];
    const { blob, clipped, peak } = await encodeWav(channels, mix.sampleRate);
    save(blob, `${this.player.result.title} - mix.wav`);
    const over = (20 * Math.log10(peak)).toFixed(1);
    announce(
      clipped
        ? `Mix saved, with ${clipped} clipped samples: lower the master by ${over} dB for none`
        : "Mix saved",
    );
  }

  async #remove() {
    const { result } = this.player;
    const { id, title, url } = result;
    try {
      await removeResult(result);
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      announce(error.message);
      return;
    }
    if (this.player.result?.id !== id) return; // another song since
    this.close();
    this.dispatchEvent(new CustomEvent("removed", { detail: { title, url } }));
  }

  #showSong(result) {
    byId("song-title").textContent = result.title;
    const channels = result.channels === 1 ? "mono" : "stereo";
    byId("song-facts").textContent = [
      `${result.sample_rate / 1000} kHz`,
      channels,
      ...(result.note ? [result.note] : []),
    ].join(", ");
    byId("length").textContent = clock(result.seconds);
    byId("remove").hidden = !result.removable;
    const place = isOnDevice(result.url) ? "this device" : "the server";
    byId("remove").textContent = `Remove this song from ${place}`;
    for (const edge of EDGES) byId(`loop-${edge}`).setAttribute("aria-valuemax", result.seconds);
    const choices = [{ id: ORIGINAL, name: "Original" }, ...result.versions];
    byId("listen").replaceChildren(
      ...choices.map(({ id, name }) =>
        element("button", { type: "button", "data-id": id, click: () => this.listen(id) }, name),
      ),
    );
    const there = result.versions.map(({ id }) => id);
    const more = this.#modelsFor(result).filter(({ id }) => !there.includes(id));
    byId("more-models").hidden = more.length === 0;
    byId("more-model").replaceChildren(
      ...more.map(({ id, name }) => element("option", { value: id }, name)),
    );
  }

  // With which models the song can be separated once more, where it is.
  #modelsFor({ url }) {
    if (isOnDevice(url)) return this.#site.device.models;
    return this.#site.static ? [] : this.#site.models;
  }

  #show() {
    const { result, playing, loop, listening } = this.player;
    if (!result) return;
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    byId("play").classList.toggle("playing", playing);
    press(byId("loop"), loop.on);
    for (const edge of EDGES) {
      const field = byId(`loop-${edge}`);
      field.value = timeText(loop[edge]);
      field.setAttribute("aria-valuenow", loop[edge].toFixed(2));
      field.setAttribute("aria-valuetext", field.value);
    }
    for (const button of byId("listen").children) press(button, button.dataset.id === listening);
    byId("version-note").textContent = listening === ORIGINAL ? "" : (this.#version.note ?? "");
    byId("save-zip").href = this.#version.zip;
    byId("save-zip").download = `${result.title} - ${this.#version.name}.zip`;
    this.timeline.setLoop(loop);
    this.mixer.show();
    if (this.#shown !== this.#version) {
      this.#shown = this.#version;
      this.timeline.show({ [ORIGINAL]: result.original, ...this.#version.stems });
    }
    this.#follow();
  }

  // Shows the position now, and on each frame while it plays.
  #follow = () => {
    const { result, playing, position, mixer } = this.player;
    if (!result) return;
    this.timeline.setPosition(position);
    byId("now").textContent = clock(position);
    const falling = !this.#calm.matches && this.#meters.show(mixer, byId("desk"));
    cancelAnimationFrame(this.#frame); // there may be one already
    if (playing || falling) this.#frame = requestAnimationFrame(this.#follow);
  };

  #showLoading(loading) {
    byId("studio").setAttribute("aria-busy", loading);
  }
}
