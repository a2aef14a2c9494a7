// The shared timeline: a ruler, and a lane a track with its waveform and spectrogram. All lanes
// have one width, so one set of style properties on the desk moves every playhead and region.

import { readJson } from "./api.js";
import { byId, element } from "./dom.js";
import { drawRuler, drawWaveform, loudest } from "./waveform.js";

const DRAG_PIXELS = 5; // less is a click

/**
 * Events: `seek` (detail: seconds) and `region` (detail: `{start, end}` in seconds).
 */
export class Timeline extends EventTarget {
  #desk = byId("desk");
  #ruler = byId("ruler");
  #lanes = new Map(); // name -> {canvas, image, url, peaks}
  #peaks = new Map(); // address -> promise
  #result = null;
  #scale = 1;
  #loop = { start: 0, end: 0 };

  constructor() {
    super();
    this.#ruler.append(...this.#overlays(), this.#handle("start"), this.#handle("end"));
    this.#drags(this.#ruler);
    new ResizeObserver(() => this.draw()).observe(this.#ruler);
    for (const query of ["(prefers-color-scheme: dark)", "print"]) {
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
    lane.append(pictures, ...this.#overlays());
    this.#lanes.set(name, { canvas, image, peaks: null });
    this.#drags(lane);
    return lane;
  }

  /** Show another song, whose lanes are about to be made. @param {import("./api.js").Result} result */
  open(result) {
    this.#lanes.clear();
    this.#peaks.clear();
    this.#result = result;
    this.#scale = 0;
    this.#ruler.setAttribute("aria-valuemax", result.seconds.toFixed(1));
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

  /** @param {number} seconds */
  setPosition(seconds) {
    this.#desk.style.setProperty("--at", seconds / this.#result.seconds);
    const text = `${seconds.toFixed(1)} of ${this.#result.seconds.toFixed(1)} seconds`;
    if (text === this.#ruler.getAttribute("aria-valuetext")) return;
    this.#ruler.setAttribute("aria-valuenow", seconds.toFixed(1));
    this.#ruler.setAttribute("aria-valuetext", text);
  }

  /** @param {{on: boolean, start: number, end: number}} loop */
  setLoop(loop) {
    this.#loop = loop;
    const { seconds } = this.#result;
    const whole = loop.start === 0 && loop.end === seconds;
    this.#desk.dataset.loop = loop.on ? "on" : whole ? "none" : "off";
    this.#desk.style.setProperty("--from", loop.start / seconds);
    this.#desk.style.setProperty("--to", loop.end / seconds);
  }

  /** Draw what is shown once more. */
  draw() {
    if (!this.#result || !this.#ruler.clientWidth) return;
    const style = getComputedStyle(this.#ruler);
    const { seconds, n_samples: nSamples } = this.#result;
    drawRuler(this.#ruler.querySelector("canvas"), seconds, style.color, style.fontFamily);
    const lanes = [...this.#lanes.values()].filter(({ peaks }) => peaks);
    // One scale for all tracks, and it only grows, so that versions can be compared.
    this.#scale = Math.max(this.#scale, ...lanes.map(({ peaks }) => loudest(peaks)));
    for (const { canvas, peaks } of lanes) {
      const nPeaks = nSamples / peaks.samples_per_peak;
      const colour = getComputedStyle(canvas).color;
      drawWaveform(canvas, peaks, { scale: this.#scale, nPeaks, colour });
    }
  }

  #overlays() {
    return [element("div", { class: "region" }), element("div", { class: "head" })];
  }

  #secondsAt(event, target) {
    const { left, width } = target.getBoundingClientRect();
    const fraction = Math.max(0, Math.min(1, (event.clientX - left) / width));
    return fraction * this.#result.seconds;
  }

  // A click goes there, a drag sets the region.
  #drags(target) {
    let begin = null;
    const region = (event) => {
      const [start, end] = [begin.seconds, this.#secondsAt(event, target)].sort((a, b) => a - b);
      return { start, end };
    };
    const dragged = (event) => begin && Math.abs(event.clientX - begin.x) >= DRAG_PIXELS;
    target.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      begin = { x: event.clientX, seconds: this.#secondsAt(event, target), loop: this.#loop };
      target.setPointerCapture(event.pointerId);
    });
    target.addEventListener("pointermove", (event) => {
      if (dragged(event)) this.setLoop({ on: true, ...region(event) });
    });
    target.addEventListener("pointerup", (event) => {
      if (!begin) return;
      if (dragged(event)) this.#tell("region", region(event));
      else this.#tell("seek", begin.seconds);
      begin = null;
    });
    target.addEventListener("pointercancel", () => {
      if (begin) this.setLoop(begin.loop); // it became a scroll
      begin = null;
    });
  }

  // A handle of the region, on the ruler; the fields do the same by keyboard.
  #handle(edge) {
    const handle = element("div", { class: `handle ${edge}` });
    const moved = (event) => ({ ...this.#loop, [edge]: this.#secondsAt(event, this.#ruler) });
    handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation(); // the ruler would begin a new region
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { start, end } = moved(event);
      if (start < end) this.setLoop({ on: true, start, end });
    });
    handle.addEventListener("pointerup", (event) => {
      event.stopPropagation();
      this.#tell("region", { start: this.#loop.start, end: this.#loop.end });
    });
    return handle;
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
