// The engine's workers, where a page makes them for a worker that separates a song: in Firefox, a
// worker that makes workers of its own may, once in twenty times, wait for that for ever.

const MOST_WORKERS = 4; // each takes some 50 MB

/** How many workers a song is worth on this device. @returns {number} */
export function processors() {
  return Math.min(navigator.hardwareConcurrency || 2, MOST_WORKERS);
}

/**
 * Make workers that are talked to through ports, which can be sent to another worker.
 * @param {(event: ErrorEvent) => void} failed
 * @returns {{ports: MessagePort[], end: () => void}}
 */
export function makeWorkers(failed) {
  const workers = [];
  const ports = Array.from({ length: processors() }, () => {
    const worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    const { port1, port2 } = new MessageChannel();
    worker.onerror = failed;
    worker.postMessage(null, [port1]);
    workers.push(worker);
    return port2;
  });
  return { ports, end: () => workers.forEach((worker) => worker.terminate()) };
}
