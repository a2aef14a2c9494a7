// Songs that the server separates: what it takes, the upload, and the job.

import { cancelJob, readJob, ServerError, startJob } from "./api.js";

const POLL_MILLISECONDS = 400;

const STAGES = {
  reading: "Reading the song",
  separating: "Separating",
  measuring: "Measuring against the true stems",
  drawing: "Drawing",
};

/** The server's way to separate a song. @implements {import("./intake.js").Way} */
export class ServerWay {
  id = "server";
  name = "On the server";
  promise =
    "Your song is sent to this server, and deleted there an hour after its last use, " +
    "or when you remove it.";
  #most;

  /** @param {object} site  What the server offers. */
  constructor({ limits }) {
    this.#most = limits.max_bytes;
    const longest = inWords(limits.max_seconds);
    const formats = limits.formats.join(", ");
    this.limits = `${formats}; up to ${longest} and ${megabytes(this.#most)} MB.`;
  }

  async separate(file, options) {
    if (file.size > this.#most) {
      const mend = "make it shorter, or convert it to MP3";
      throw new ServerError(`${file.name} has more than ${megabytes(this.#most)} MB: ${mend}.`);
    }
    return this.#run({ name: file.name }, file, options);
  }

  separateOffered(song, options) {
    return this.#run({ song }, null, options);
  }

  separateAgain(result, options) {
    return this.#run({ result }, null, options);
  }

  async #run(query, file, { model, told, signal }) {
    told(file ? "Sending" : "Asking for", 0);
    const sent = (fraction) => told("Sending", fraction);
    const job = await startJob({ ...query, model }, file, sent, signal);
    const cancel = () => cancelJob(job).catch(() => {}); // it has just ended
    signal.addEventListener("abort", cancel);
    try {
      return await this.#follow(job, told, signal);
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  async #follow(job, told, signal) {
    for (;;) {
      signal.throwIfAborted();
      const { state, result, error, stage, progress, position } = await readJob(job);
      signal.throwIfAborted();
      if (state === "done") return result;
      if (state === "failed") throw new ServerError(error);
      if (state === "cancelled") throw new DOMException("Cancelled", "AbortError");
      if (state === "running") told(STAGES[stage] ?? "Working", progress);
      else told(queueText(position), null);
      await new Promise((done) => setTimeout(done, POLL_MILLISECONDS));
    }
  }
}

const megabytes = (bytes) => Math.round((10 * bytes) / 2 ** 20) / 10;

function inWords(seconds) {
  const [count, unit] = seconds % 60 ? [seconds, "second"] : [seconds / 60, "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function queueText(position) {
  if (!position) return "Waiting for its turn";
  return `Waiting (${position} ${position === 1 ? "song" : "songs"} ahead)`;
}
