// Where songs come in: dropped, chosen from the disk, or taken from those on offer.

import { announce, byId, element, focusFirst } from "./dom.js";
import { clearNotice, complain } from "./notices.js";
import { clock } from "./times.js";

/**
 * How a separation is asked for.
 * @typedef {object} Options
 * @property {string} model
 * @property {(doing: string, fraction: ?number) => void} told  `null` if nobody knows how far.
 * @property {AbortSignal} signal
 */

/**
 * A way to separate a visitor's song. What it separates has an address, which `readResult` of
 * api.js reads. It throws errors with a message for the visitor (`PageError`), or AbortError.
 * @typedef {object} Way
 * @property {"device"|"server"} id
 * @property {string} name
 * @property {string} promise  What happens with the file, in one sentence.
 * @property {string} limits  What it takes, in one sentence.
 * @property {(file: File, options: Options) => Promise<string>} separate
 * @property {(song: string, options: Options) => Promise<string>} [separateOffered]
 *   A song on offer that is not separated yet.
 * @property {(result: string, options: Options) => Promise<string>} [separateAgain]
 *   A result's song with another model.
 */

/** Events: `result` (detail: its address), `failed` (detail: the error). */
export class Intake extends EventTarget {
  #site;
  #ways;
  #way;
  #running = null; // {stop: AbortController, unasked: boolean}
  #unasked = false; // whether the song that comes is one that nobody has asked for
  #choosing = false; // whether the visitor has begun to choose

  /**
   * @param {object} site  What is on offer.
   * @param {Way[]} ways  The first one is used unless the visitor chooses another.
   */
  constructor(site, ways) {
    super();
    this.#site = site;
    this.#ways = ways;
    this.#way = ways[0] ?? null;
    this.#offerSongs();
    this.#offerModels();
    if (ways.length > 0) this.#offerUpload();
    this.#wire();
    byId("intake").hidden = false;
  }

  /** Mark the song that is open. @param {?string} url  Of its result. */
  mark(url) {
    for (const button of document.querySelectorAll("#songs button, #kept button")) {
      button.setAttribute("aria-current", button.dataset.result === url);
    }
  }

  /**
   * Offer the songs that a visitor has on this device.
   * @param {{address: string, title: string, seconds: number}[]} songs
   */
  offerKept(songs) {
    const buttons = songs.map(({ address, title, seconds }) =>
      songButton({ title, seconds }, { "data-result": address }, () => {
        this.cancel();
        clearNotice();
        this.#found(address);
      }),
    );
    byId("kept").replaceChildren(...buttons);
    byId("kept").closest(".bundled").hidden = songs.length === 0;
  }

  /** A song is open: shrink to its name, unless the visitor is choosing another meanwhile. */
  opened() {
    byId("chosen").hidden = false;
    this.#expand(this.#unasked && this.#choosing);
    this.#unasked = false;
  }

  /** No song is open any more: show the choice, with the focus there. */
  closed() {
    byId("chosen").hidden = true;
    this.mark(null);
    this.#expand(true);
    this.#focusChoice();
    announce(""); // what was said of the song is true no more
  }

  /**
   * Open the first song on offer, so that visitors see at once what the page does. Not for those
   * who have asked their browser to save data.
   */
  openFirst() {
    const [song] = this.#site.songs;
    if (song && !navigator.connection?.saveData) this.#choose(song, true);
  }

  /**
   * Separate a result's song with another model.
   * @param {string} id  Of the result.
   * @param {string} model
   * @param {string} title
   * @param {"device"|"server"} place  Where the song is.
   */
  separateAgain(id, model, title, place) {
    const way = this.#ways.find((offered) => offered.id === place);
    return this.#separate(title, (options) => way.separateAgain(id, { ...options, model }));
  }

  /** Stop what is under way. */
  cancel() {
    const running = this.#running;
    this.#end();
    running?.stop.abort();
  }

  #wire() {
    const on = (id, event, act) => byId(id).addEventListener(event, act);
    on("job-cancel", "click", ({ detail }) => {
      this.cancel();
      announce("Cancelled");
      if (detail === 0 || !byId("choices").hidden) this.#focusChoice();
    });
    on("change", "click", () => {
      this.#expand(byId("choices").hidden);
      if (!byId("choices").hidden) this.#focusChoice();
    });
    for (const event of ["focusin", "pointerdown"]) {
      on("choices", event, () => (this.#choosing = true));
    }
    document.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || byId("help").open || byId("chosen").hidden) return;
      if (byId("choices").hidden) return;
      byId("change").focus();
      this.#expand(false);
    });
    window.addEventListener("pagehide", () => this.cancel());
  }

  #focusChoice() {
    focusFirst("choose", "change", "intake-title");
  }

  #expand(expanded) {
    const lost = !expanded && byId("choices").contains(document.activeElement);
    byId("choices").hidden = !expanded;
    byId("change").setAttribute("aria-expanded", expanded);
    if (lost) byId("change").focus();
  }

  #offerSongs() {
    const { songs } = this.#site;
    byId("songs-title").textContent = this.#way ? "Or take one of these" : "Songs";
    byId("songs").replaceChildren(
      ...songs.map((song) => {
        const data = { "data-song": song.id, "data-result": song.result };
        return songButton(song, data, () => this.#choose(song));
      }),
    );
    byId("songs-note").hidden = !songs.some(({ style }) => style);
    byId("songs").closest(".bundled").hidden = songs.length === 0;
  }

  #choose(song, unasked = false) {
    if (song.result) {
      if (!unasked) this.cancel();
      clearNotice();
      this.#unasked = unasked;
      this.#found(song.result);
      return;
    }
    const way = this.#ways.find(({ separateOffered }) => separateOffered);
    const begin = (options) => way.separateOffered(song.id, options);
    this.#separate(song.title, begin, { song: song.id, unasked });
  }

  #offerModels() {
    const { models } = this.#site;
    const select = byId("model");
    select.append(...models.map(({ id, name }) => element("option", { value: id }, name)));
    const describe = () => {
      const { description } = models.find(({ id }) => id === select.value);
      byId("model-description").textContent = description;
    };
    select.addEventListener("change", describe);
    byId("model-choice").hidden = models.length < 2 || this.#ways.length === 0;
    if (models.length > 0) describe();
  }

  #offerUpload() {
    byId("upload").hidden = false;
    const several = this.#ways.length > 1;
    byId("ways").hidden = !several;
    if (several) byId("ways").append(...this.#ways.map((way) => this.#wayChoice(way)));
    this.#describeWay();
    byId("choose").addEventListener("click", () => byId("file").click());
    byId("drop-area").addEventListener("click", ({ target }) => {
      if (!target.closest("button, input")) byId("file").click();
    });
    byId("file").addEventListener("change", (event) => {
      this.#take(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    });
    this.#offerDrop();
  }

  #wayChoice(way) {
    const choose = () => {
      this.#way = way;
      this.#describeWay();
    };
    const attributes = { type: "radio", name: "way", value: way.id, change: choose };
    const input = element("input", { ...attributes, "aria-describedby": "promise limits" });
    input.checked = way === this.#way;
    return element("label", {}, input, " ", way.name);
  }

  #describeWay() {
    byId("promise").textContent = this.#way.promise;
    byId("limits").textContent = this.#way.limits;
  }

  #offerDrop() {
    const hint = byId("drop-hint");
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    window.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault(); // the browser would leave the page for the file
      hint.hidden = false;
      this.#choosing = true;
    });
    window.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) hint.hidden = true;
    });
    window.addEventListener("drop", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      hint.hidden = true;
      this.#take(event.dataTransfer.files);
    });
  }

  #take(files) {
    if (files.length === 0) return;
    const [file] = files;
    if (files.length > 1) {
      complain("That is more than one file: drop one song at a time.");
      return;
    }
    const model = byId("model").value;
    this.#separate(file.name, (options) => this.#way.separate(file, { ...options, model }));
  }

  // Begins what a function begins, and follows it.
  async #separate(title, begin, { song = null, unasked = false } = {}) {
    this.cancel();
    clearNotice();
    const running = { stop: new AbortController(), unasked };
    this.#running = running;
    if (!unasked) window.addEventListener("beforeunload", warn);
    byId("job-unasked").hidden = !unasked;
    const told = (doing, fraction) => this.#running === running && showJob(doing, title, fraction);
    const model = byId("model").value;
    try {
      const url = await begin({ model, told, signal: running.stop.signal });
      if (this.#running !== running) return; // cancelled
      if (song) this.#remember(song, url);
      this.#unasked = unasked;
      this.#found(url);
    } catch (error) {
      const told = !unasked && error.name !== "AbortError"; // nobody has asked for the first song
      if (told && this.#running === running) this.#failed(error);
    }
    if (this.#running === running) this.#end();
  }

  #end() {
    this.#running = null;
    byId("job").hidden = true;
    window.removeEventListener("beforeunload", warn);
  }

  // So that its button can be marked.
  #remember(song, url) {
    for (const button of byId("songs").children) {
      if (button.dataset.song === song) button.dataset.result = url;
    }
  }

  #found(url) {
    this.dispatchEvent(new CustomEvent("result", { detail: url }));
  }

  #failed(error) {
    this.dispatchEvent(new CustomEvent("failed", { detail: error }));
  }
}

function songButton({ title, style, seconds }, data, click) {
  const facts = [style, clock(seconds).slice(0, -2)].filter(Boolean).join(", ");
  const hint = element("span", { class: "hint" }, facts);
  return element("button", { type: "button", ...data, click }, title, " ", hint);
}

// Browsers then ask whether to leave the page, in their own words.
const warn = (event) => event.preventDefault();

function showJob(doing, title, fraction) {
  byId("job").hidden = false;
  // Percents are on the bar, and not read out each time.
  const text = `${doing}: ${title}`;
  if (byId("job-text").textContent !== text) byId("job-text").textContent = text;
  if (fraction === null) byId("job-progress").removeAttribute("value");
  else byId("job-progress").value = fraction;
}
