// The shared timeline: a ruler, and a lane a track with its waveform and spectrogram. All lanes
// have one width, so one set of style properties on the desk moves every playhead and region.

import { readJson } from "./api.js";
import { byId, element } from "./dom.js";
import { listenToBar, listenToGestures } from "./gestures.js";
import { drawRuler, drawWaveform, finePeaks, loudest } from "./waveform.js";
import { Window } from "./window.js";

const STEP = 2; // of the buttons that magnify
const LEAST_PIXELS = 8; // between two beats, or bars, that can be told apart

/**
 * Events: `seek` (detail: seconds), `region` (detail: `{start, end}` in seconds), and `grid`
 * (detail: what regions snap to now, "beats" or "bars").
 */
export class Timeline extends EventTarget {
  #desk = byId("desk");
  #ruler = byId("ruler");
  #bar = byId("window-bar");
  #lanes = new Map(); // name -> {canvas, image, track, peaks}
  #peaks = new Map(); // address -> promise
  #fine = new Map(); // address of the peaks -> those that can be magnified
  #result = null;
  #scale = 1;
  #loop = { on: false, start: 0, end: 0 };
  #position = 0;
  #held = false; // a region is being drawn: what is shown must stay
  #before = null; // the loop before that
  #drawing = 0;
  /** What of the song is shown. @type {?Window} */
  window = null;
  /** The song's beats, if they are known. @type {?import("./beats.js").Beats} */
  beats = null;
  /** Whether regions begin and end on beats, or on bars where beats are too near to each other. */
  snaps = true;
  /**
   * A lane's sound, if it can be heard.
   * @type {(name: string) => Promise<?import("./sound.js").Sound>}
   */
  audioOf = async () => null;

  constructor() {
    super();
    this.#ruler.append(...this.#overlays(), this.#handle("start"), this.#handle("end"));
    this.#listen(this.#ruler);
    byId("zoom-in").addEventListener("click", () => this.#magnify(STEP, this.#anchor));
    byId("zoom-out").addEventListener("click", () => this.#magnify(1 / STEP, this.#anchor));
    listenToBar(this.#bar, (place) => this.#shift(place * this.window.seconds));
    new ResizeObserver(() => this.#look()).observe(this.#ruler);
    for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"]) {
      window.matchMedia(query).addEventListener("change", () => this.draw());
    }
  }

  /** Make the lane of a track. @param {string} name @returns {HTMLElement} */
  lane(name) {
    const canvas = element("canvas");
    const image = element("img", { alt: "", loading: "lazy", draggable: "false" });
    // The ruler is the same for who can't see or point.
    const lane = element("div", { class: "lane", "aria-hidden": "true", "data-name": name });
    const pictures = element("div", { class: "pictures" }, canvas, image);
    lane.append(element("div", { class: "past" }), pictures, ...this.#overlays());
    this.#lanes.set(name, { canvas, image, peaks: null });
    this.#listen(lane);
    return lane;
  }

  /**
   * Show another song, whose lanes are about to be made.
   * @param {import("./api.js").Result} result
   */
  open(result) {
    for (const kept of [this.#lanes, this.#peaks, this.#fine]) kept.clear();
    this.#result = result;
    this.#scale = 0;
    this.beats = null;
    this.window = new Window(result.seconds);
    this.#ruler.setAttribute("aria-valuemax", result.seconds.toFixed(1));
    this.#look();
  }

  /**
   * Show tracks in their lanes.
   * @param {Object<string, import("./api.js").Track>} tracks  By lane.
   */
  async show(tracks) {
    const result = this.#result;
    const shown = Object.entries(tracks).map(async ([name, track]) => {
      const lane = this.#lanes.get(name);
      lane.track = track;
      lane.image.src = track.spectrogram;
      if (!this.#peaks.has(track.peaks)) this.#peaks.set(track.peaks, readJson(track.peaks));
      const peaks = await this.#peaks.get(track.peaks);
      if (lane.track === track) lane.peaks = peaks; // not if another is shown since
    });
    await Promise.all(shown);
    if (this.#result === result) this.draw();
  }

  /** @param {"waves"|"spectra"|"both"} view */
  setView(view) {
    this.#desk.dataset.view = view;
    this.draw();
  }

  /** Show the position, and what is around it if it was shown until now. @param {number} seconds */
  setPosition(seconds) {
    const followed = this.window.shows(this.#position) && !this.#held;
    this.#position = seconds;
    if (followed && !this.window.shows(seconds)) {
      this.window.reveal(seconds);
      this.#look();
    }
    this.#desk.style.setProperty("--at", this.window.place(seconds));
    const text = `${seconds.toFixed(1)} of ${this.#result.seconds.toFixed(1)} seconds`;
    if (text === this.#ruler.getAttribute("aria-valuetext")) return;
    this.#ruler.setAttribute("aria-valuenow", seconds.toFixed(1));
    this.#ruler.setAttribute("aria-valuetext", text);
  }

  /** Show a position, wherever it is. @param {number} seconds */
  reveal(seconds) {
    this.#position = seconds;
    this.window.reveal(seconds);
    this.#look();
  }

  /** @param {import("./loop.js").Loop} loop */
  setLoop(loop) {
    this.#loop = loop;
    const { seconds } = this.#result;
    const whole = loop.start === 0 && loop.end === seconds;
    this.#desk.dataset.loop = loop.on ? "on" : whole ? "none" : "off";
    this.#desk.style.setProperty("--from", this.window.place(loop.start));
    this.#desk.style.setProperty("--to", this.window.place(loop.end));
  }

  /** Draw what is shown once more. */
  draw() {
    if (!this.#result || !this.#ruler.clientWidth) return;
    const style = getComputedStyle(this.#ruler);
    const { from, length, zoom } = this.window;
    drawRuler(this.#ruler.querySelector("canvas"), this.window, style.color, style.fontFamily);
    this.#drawBeats();
    const lanes = [...this.#lanes.values()].filter(({ peaks }) => peaks);
    // One scale for all tracks, and it only grows, so that versions can be compared.
    this.#scale = Math.max(this.#scale, ...lanes.map(({ peaks }) => loudest(peaks)));
    for (const { canvas, peaks, track } of lanes) {
      const drawn = (zoom > 1 && this.#fine.get(track.peaks)) || peaks;
      const rate = this.#result.sample_rate / drawn.samples_per_peak;
      const colour = getComputedStyle(canvas).color;
      const part = { firstPeak: from * rate, nPeaks: length * rate };
      drawWaveform(canvas, drawn, { scale: this.#scale, ...part, colour });
    }
    if (zoom > 1) this.#sharpen();
  }

  // Once a song is magnified, its lanes need finer peaks than the server's.
  async #sharpen() {
    const result = this.#result;
    for (const [name, { track }] of this.#lanes) {
      if (!track || this.#fine.has(track.peaks)) continue;
      this.#fine.set(track.peaks, null); // being made
      const audio = await this.audioOf(name);
      const peaks = audio && (await finePeaks(audio).catch(() => null));
      if (this.#result !== result) return;
      if (peaks) {
        this.#fine.set(track.peaks, peaks);
        this.#drawSoon();
      } else this.#fine.delete(track.peaks);
    }
  }

  /** What regions begin and end on, where they snap. @returns {"beats"|"bars"} */
  get snapsTo() {
    return this.beats?.bars && !this.#canBeSeen(this.beats) ? "bars" : "beats";
  }

  #pixels(grid) {
    return (grid.period / this.window.length) * this.#ruler.getBoundingClientRect().width;
  }

  #canBeSeen(grid) {
    return this.#pixels(grid) >= LEAST_PIXELS;
  }

  #drawBeats() {
    const grids = { beat: this.beats, bar: this.beats?.bars };
    for (const [name, grid] of Object.entries(grids)) {
      const shown = grid && this.snaps && this.#canBeSeen(grid);
      this.#desk.toggleAttribute(`data-${name}s`, Boolean(shown));
      if (!shown) continue;
      const pixels = this.#pixels(grid);
      const first = (this.window.place(grid.first) * pixels * this.window.length) / grid.period;
      this.#desk.style.setProperty(`--${name}`, `${pixels}px`);
      this.#desk.style.setProperty(`--first-${name}`, `${first % pixels}px`);
    }
    if (this.beats) this.#tell("grid", this.snapsTo);
  }

  #drawSoon() {
    cancelAnimationFrame(this.#drawing);
    this.#drawing = requestAnimationFrame(() => this.draw());
  }

  // Shows another part of the song.
  #look() {
    if (!this.#result) return;
    const { zoom, from, seconds } = this.window;
    this.#desk.style.setProperty("--zoom", zoom);
    this.#desk.style.setProperty("--first", from / seconds);
    byId("zoom-out").setAttribute("aria-disabled", zoom === 1); // it keeps the focus
    this.#bar.hidden = zoom === 1;
    this.#desk.style.setProperty("--at", this.window.place(this.#position));
    this.setLoop(this.#loop);
    this.#drawSoon();
  }

  #magnify(factor, place) {
    this.window.magnify(factor, place);
    this.#look();
  }

  // Shows what is so many seconds on; says whether there is anything but what is shown.
  #shift(seconds) {
    this.window.begin(this.window.from + seconds);
    this.#look();
    return this.window.zoom > 1;
  }

  // Where buttons magnify: at the position, if it is shown.
  get #anchor() {
    return this.window.shows(this.#position) ? this.window.place(this.#position) : 0.5;
  }

  #overlays() {
    return [element("div", { class: "region" }), element("div", { class: "head" })];
  }

  #listen(target) {
    const region = (begin, end) => {
      const [start, stop] = [begin, end].sort((a, b) => a - b).map((t) => this.#snapped(t));
      return { start, end: start < stop ? stop : start + (this.#grid?.period ?? 0) };
    };
    listenToGestures(target, {
      moment: (place) => this.window.at(place),
      click: (seconds) => this.#tell("seek", seconds),
      drag: (begin, end) => this.#sketch({ on: true, ...region(begin, end) }),
      drop: (begin, end) => this.#drop(region(begin, end)),
      cancel: () => this.#cancel(),
      magnify: (factor, place) => this.#magnify(factor, place),
      shift: (widths) => this.#shift(widths * this.window.length),
      wheelMagnifies: () => target === this.#ruler,
    });
  }

  // A handle of the region, on the ruler; the fields do the same by keyboard.
  #handle(edge) {
    const handle = element("div", { class: `handle ${edge}` });
    handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation(); // the ruler would begin a new region
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = this.#ruler.getBoundingClientRect();
      const place = Math.max(0, Math.min(1, (event.clientX - left) / width));
      const moved = { ...this.#loop, on: true, [edge]: this.#snapped(this.window.at(place)) };
      if (moved.start < moved.end) this.#sketch(moved);
    });
    handle.addEventListener("pointerup", (event) => {
      event.stopPropagation();
      this.#drop({ start: this.#loop.start, end: this.#loop.end });
    });
    handle.addEventListener("pointercancel", () => this.#cancel());
    return handle;
  }

  #sketch(loop) {
    this.#before ??= this.#loop;
    this.#held = true;
    this.setLoop(loop);
  }

  #drop(region) {
    this.#held = false;
    this.#before = null;
    if (region.start < region.end) this.#tell("region", region);
    else this.#tell("seek", region.start);
  }

  #cancel() {
    if (this.#before) this.setLoop(this.#before); // it became a scroll
    this.#held = false;
    this.#before = null;
  }

  get #grid() {
    if (!this.beats || !this.snaps) return null;
    return this.snapsTo === "bars" ? this.beats.bars : this.beats;
  }

  #snapped(seconds) {
    return this.#grid ? this.#grid.nearest(seconds) : seconds;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
