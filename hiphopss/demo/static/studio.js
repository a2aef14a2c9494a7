// The studio: transport, timeline and mixer of the song that is open.

import { readResult, removeResult } from "./api.js";
import { findBars } from "./bars.js";
import { findBeats } from "./beats.js";
import { isOnDevice } from "./device/library.js";
import { announce, byId, element, icon, press } from "./dom.js";
import { Downloads } from "./downloads/panel.js";
import { PageError } from "./errors.js";
import { ORIGINAL } from "./graph.js";
import { LoopBar } from "./loop-bar.js";
import { Meters } from "./meters.js";
import { MixerView } from "./mixer.js";
import { Player } from "./player.js";
import { showScores } from "./scores.js";
import { Timeline } from "./timeline.js";
import { clock } from "./times.js";

/**
 * Events: `opened` (detail: the result) says that a song is shown, or a new version of it; `again`
 * (detail: `{id, model, title}`) asks for one more version; `removed` says that the song is gone
 * from the server (detail: `{title, url}`); `failed` (detail: the error) says what can't be done.
 */
export class Studio extends EventTarget {
  #site;
  #meters = new Meters();
  #calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  #shown = null; // the version whose pictures are shown
  #searched = null; // the drums in which beats were looked for last
  #frame = 0;
  #openings = 0;
  #title = document.title; // while no song is open
  #downloads;
  #removing = false; // what reads the song's files meanwhile may fail
  player = new Player();
  timeline = new Timeline();
  mixer = new MixerView(this.player, this.timeline, (name) => this.#downloads.saveTrack(name));
  loopBar = new LoopBar(this.player);

  /** @param {object} site  What the server offers. */
  constructor(site) {
    super();
    this.#site = site;
    this.player.canBend = site.bends;
    this.player.addEventListener("failed", ({ detail }) => this.#fail(detail));
    this.#downloads = new Downloads(this.player, site, (error) => this.#fail(error));
    const { player, timeline } = this;
    player.addEventListener("change", () => this.#show());
    player.addEventListener("loading", ({ detail }) => this.#showLoading(detail));
    timeline.audioOf = (name) => this.#audioOf(name);
    timeline.addEventListener("seek", ({ detail }) => this.seek(detail));
    timeline.addEventListener("grid", ({ detail }) => this.#showGrid(detail));
    timeline.addEventListener("region", ({ detail }) => this.loopBar.set({ on: true, ...detail }));
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
      this.#downloads.close();
      this.player.close();
      this.timeline.open(result);
      this.loopBar.open(result.seconds);
      this.#shown = this.#searched = null;
      byId("snap").hidden = true;
    }
    byId("studio").hidden = false; // lanes are drawn at the size they have
    const opened = isNew ? this.player.open(result) : this.#take(result);
    if (isNew) {
      this.mixer.open();
      this.#downloads.open();
    }
    this.#showSong(result);
    this.#show();
    this.dispatchEvent(new CustomEvent("opened", { detail: result }));
    announce(`${result.title} is ready: ${choicesOf(result).map(({ name }) => name).join(", ")}`);
    document.title = `${result.title} \u2013 hiphopss`;
    await opened;
  }

  // In the stems of any version, until they are found; meanwhile all can be used.
  async #findBeats() {
    const { result, tracks } = this.player;
    const drums = tracks?.drums;
    if (!drums || this.timeline.beats || this.#searched === drums) return;
    this.#searched = drums;
    const isOpen = () => this.player.result?.id === result.id && !this.#removing;
    let beats;
    try {
      beats = await findBeats(drums, this.#version.beats_per_minute ?? null);
      if (beats) beats.bars = await findBars(beats, tracks);
    } catch (error) {
      if (isOpen()) throw error;
    }
    if (!beats || !isOpen()) return;
    this.timeline.beats = beats;
    byId("snap").hidden = false;
    this.timeline.draw();
  }

  /** Close the song, and free its audio. */
  close() {
    this.#downloads.close();
    this.player.close();
    byId("studio").hidden = true;
    document.title = this.#title;
  }

  listen = this.#telling(async (id) => {
    if (!(await this.player.listen(id))) return;
    const { name } = choicesOf(this.player.result).find((choice) => choice.id === id);
    announce(`Listening to: ${name}`);
  });

  /** Go there, and show it. @param {number} seconds */
  seek(seconds) {
    this.player.seek(seconds);
    this.timeline.reveal(Math.max(0, Math.min(seconds, this.player.result.seconds)));
  }

  playOrPause = this.#telling(() =>
    this.player.playing ? this.player.pause() : this.player.play(),
  );
  skip = (seconds) => this.seek(this.player.position + seconds);
  toStart = () => this.seek(0);
  toEnd = () => this.seek(this.player.result.seconds);
  page = (direction) => this.skip(direction * Math.max(5, this.player.result.seconds / 10));
  mute = (stem) => announce(this.mixer.toggleMute(this.#sources[stem]));
  solo = (stem) => announce(this.mixer.toggleSolo(this.#sources[stem]));
  loop = () => this.loopBar.toggle();
  original = () => this.listen(this.player.listening === ORIGINAL ? this.player.version : ORIGINAL);

  // For pictures, which can do without what can't be read.
  async #audioOf(name) {
    if (name !== ORIGINAL) return this.player.tracks?.[name] ?? null;
    return this.player.original().catch(() => null);
  }

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
    on("snap", "click", () => this.#setSnap(!this.timeline.snaps));
    on("view", "click", ({ target }) => this.#setView(target.dataset.view));
    on("reset", "click", () => announce(this.mixer.reset()));
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
    const isReady = !added && this.player.tracks;
    return isReady ? null : this.player.listen((added ?? this.#version).id);
  }

  #setSnap(snaps) {
    this.timeline.snaps = snaps;
    press(byId("snap"), snaps);
    announce(`Regions begin and end ${snaps ? `on ${this.timeline.snapsTo}` : "anywhere"}`);
    this.timeline.draw();
  }

  // What regions snap to depends on how much of the song is shown.
  #showGrid(grid) {
    const { bars, inWords } = this.timeline.beats;
    const others = bars ? ", or on bars where more of the song is shown" : "";
    byId("snap").textContent = `Snap to ${grid}`;
    byId("snap").title = `Regions begin and end on beats${others}. Beats are ${inWords}.`;
  }

  #setView(view) {
    if (!view) return; // between the buttons
    for (const button of byId("view").children) press(button, button.dataset.view === view);
    this.timeline.setView(view);
  }

  async #remove() {
    const { result } = this.player;
    const { id, title, url } = result;
    this.player.pause();
    this.#downloads.close();
    this.#removing = true;
    try {
      await removeResult(result);
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      announce(error.message);
      return;
    } finally {
      this.#removing = false;
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
    byId("listen").replaceChildren(
      ...choicesOf(result).map(({ id, name }) =>
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
    this.loopBar.show();
    for (const button of byId("listen").children) press(button, button.dataset.id === listening);
    byId("version-note").textContent = listening === ORIGINAL ? "" : (this.#version.note ?? "");
    showScores(this.#version);
    this.timeline.setLoop(loop);
    this.mixer.show();
    if (this.#shown !== this.#version) {
      this.#shown = this.#version;
      this.timeline.show({ [ORIGINAL]: result.original, ...this.#version.stems });
    }
    this.#telling(() => this.#findBeats())();
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

  // The same act, but what can't be done is told. As an unhandled rejection, it would be an error
  // on the console of Firefox.
  #telling(act) {
    return async (...given) => {
      try {
        await act(...given);
      } catch (error) {
        this.#fail(error);
      }
    };
  }

  #fail(error) {
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }

  #showLoading(loading) {
    byId("studio").setAttribute("aria-busy", loading);
  }
}

/**
 * What of a song can be listened to: models by their names only where there are several.
 * @param {import("./api.js").Result} result
 * @returns {{id: string, name: string}[]}
 */
function choicesOf({ versions }) {
  const models = versions.filter(({ kind }) => kind === "model");
  const named = models.map(({ id, name }) => ({ id, name: models.length > 1 ? name : "Stems" }));
  const truth = versions.filter(({ kind }) => kind !== "model");
  return [...named, { id: ORIGINAL, name: "Original" }, ...truth];
}
