// Where songs come in: dropped, chosen, or bundled; their upload, and the job on the server.

import { cancelJob, readJob, ServerError, startJob } from "./api.js";
import { byId, element } from "./dom.js";
import { clock } from "./times.js";

const POLL_MILLISECONDS = 400;

const STAGES = {
  reading: "Reading the song",
  separating: "Separating",
  measuring: "Measuring against the true stems",
  drawing: "Drawing",
};

/** Events: `result` (detail: its address). */
export class Intake extends EventTarget {
  #site;
  #way;
  #running = null; // {stop: AbortController, job: ?string}

  /**
   * @param {object} site  What the server offers.
   * @param {object[]} ways  Ways to separate a song without the server.
   */
  constructor(site, ways) {
    super();
    this.#site = site;
    this.#way = ways[0] ?? null;
    this.#offerSongs();
    byId("job-cancel").addEventListener("click", () => this.cancel());
    window.addEventListener("pagehide", () => this.cancel());
    if (!site.static || this.#way) this.#offerUpload();
  }

  /** @param {string} message  One line that says what is wrong; empty for nothing. */
  complain(message) {
    this.#say(message, true);
  }

  /** @param {string} message  One line that says what has been done. */
  inform(message) {
    this.#say(message, false);
  }

  #say(message, isWrong) {
    byId("problem").classList.toggle("wrong", isWrong);
    byId("problem").textContent = message;
  }

  /** Mark the song that is open. @param {?string} url  Of its result. */
  mark(url) {
    for (const button of byId("songs").children) {
      button.setAttribute("aria-current", button.dataset.result === url);
    }
  }

  /** Separate a song that is there with another model. */
  separateAgain(id, model, title) {
    return this.#separate({ model, result: id }, null, title);
  }

  /** Stop what is under way. */
  cancel() {
    if (!this.#running) return;
    const { stop, job } = this.#running;
    this.#running = null;
    byId("job").hidden = true;
    stop.abort();
    if (job) cancelJob(job).catch(() => {}); // it has just ended
  }

  #offerSongs() {
    const { songs, static: isStatic } = this.#site;
    byId("songs-title").textContent = isStatic ? "Songs" : "Or take one of these";
    byId("songs").replaceChildren(
      ...songs.map((song) => {
        const length = element("span", { class: "hint" }, clock(song.seconds).slice(0, -2));
        const choose = () => this.#choose(song);
        const data = { "data-song": song.id, "data-result": song.result };
        return element("button", { type: "button", ...data, click: choose }, song.title, " ", length);
      }),
    );
    byId("songs").closest(".bundled").hidden = songs.length === 0;
  }

  #choose(song) {
    if (!this.#site.static) {
      this.#separate({ model: byId("model").value, song: song.id }, null, song.title);
    } else {
      this.complain("");
      this.#found(song.result);
    }
  }

  #offerUpload() {
    const { limits, models } = this.#site;
    const longest = inWords(limits.max_seconds);
    byId("limits").textContent = this.#site.static
      ? `${this.#way.limits} ${this.#way.promise}`
      : `${limits.formats.join(", ")}; up to ${longest} and ${megabytes(limits.max_bytes)} MB.`;
    byId("upload").hidden = byId("model-choice").hidden = false;
    const describe = () => {
      const { description } = models.find(({ id }) => id === byId("model").value);
      byId("model-description").textContent = description;
    };
    byId("model").append(...models.map(({ id, name }) => element("option", { value: id }, name)));
    byId("model").addEventListener("change", describe);
    describe();
    byId("choose").addEventListener("click", () => byId("file").click());
    byId("file").addEventListener("change", (event) => {
      this.#take(event.target.files);
      event.target.value = ""; // so that the same file can be chosen again
    });
    this.#offerDrop();
  }

  #offerDrop() {
    const hint = byId("drop-hint");
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    window.addEventListener("dragover", (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault(); // the browser would leave the page for the file
      hint.hidden = false;
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
    const { max_bytes: most } = this.#site.limits;
    if (files.length > 1) {
      this.complain("That is more than one file: drop one song at a time.");
    } else if (this.#site.static) {
      this.#separateHere(file);
    } else if (file.size > most) {
      const [size, limit] = [file.size, most].map(megabytes);
      this.complain(`${file.name} has ${size} MB, the limit is ${limit} MB: make it shorter.`);
    } else {
      this.#separate({ model: byId("model").value, name: file.name }, file, file.name);
    }
  }

  async #separate(query, file, title) {
    this.cancel();
    this.complain("");
    const running = { stop: new AbortController(), job: null };
    this.#running = running;
    this.#tell(file ? "Sending" : "Asking for", title, 0);
    try {
      const onUpload = (sent) => this.#running === running && this.#tell("Sending", title, sent);
      running.job = await startJob(query, file, onUpload, running.stop.signal);
      const url = await this.#follow(running, title);
      if (url && query.song) this.#remember(query.song, url);
      if (url) this.#found(url);
    } catch (error) {
      if (this.#running !== running) return; // cancelled
      this.complain(error instanceof ServerError ? error.message : String(error));
    }
    if (this.#running === running) {
      this.#running = null;
      byId("job").hidden = true;
    }
  }

  async #separateHere(file) {
    this.cancel();
    this.complain("");
    const running = { stop: new AbortController(), job: null };
    this.#running = running;
    try {
      const url = await this.#way.separate(file, {
        model: byId("model").value,
        told: (doing, done) => this.#running === running && this.#tell(doing, file.name, done),
        signal: running.stop.signal,
      });
      if (this.#running === running) this.#found(url);
    } catch (error) {
      if (this.#running !== running) return; // cancelled
      this.complain(error.message);
    }
    if (this.#running === running) this.cancel();
  }

  // Gives the address of the result, or nothing if cancelled.
  async #follow(running, title) {
    while (this.#running === running) {
      const job = await readJob(running.job);
      if (this.#running !== running || job.state === "cancelled") return null;
      if (job.state === "done") return job.result;
      if (job.state === "failed") throw new ServerError(job.error);
      if (job.state === "running") this.#tell(STAGES[job.stage] ?? "Working", title, job.progress);
      else this.#tell(queueText(job.position), title, null);
      await new Promise((done) => setTimeout(done, POLL_MILLISECONDS));
    }
    return null;
  }

  #tell(doing, title, fraction) {
    byId("job").hidden = false;
    // Percents are on the bar, and not read out each time.
    const text = `${doing}: ${title}`;
    if (byId("job-text").textContent !== text) byId("job-text").textContent = text;
    if (fraction === null) byId("job-progress").removeAttribute("value");
    else byId("job-progress").value = fraction;
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
}

const megabytes = (bytes) => Math.round(bytes / 2 ** 20);

function inWords(seconds) {
  const [count, unit] = seconds % 60 ? [seconds, "second"] : [seconds / 60, "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function queueText(position) {
  if (!position) return "Waiting for its turn";
  return `Waiting (${position} ${position === 1 ? "song" : "songs"} ahead)`;
}
