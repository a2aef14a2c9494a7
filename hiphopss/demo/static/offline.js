// Keeps the page for visits without a network, by the service worker.

/**
 * Keep an exported page in the browser. A new version is fetched when there is one, and used as soon
 * as no tab has the old one any more.
 */
export function keepOffline() {
  if (!("serviceWorker" in navigator)) return; // such as without https
  const { serviceWorker } = navigator;
  if (!serviceWorker.controller) serviceWorker.addEventListener("controllerchange", keepSong);
  serviceWorker.register("service-worker.js", { updateViaCache: "none" }).catch(() => {});
}

// What of a song was fetched past the worker, before it was there or just then, is asked for again,
// mostly from the browser's own cache, so that it is kept, too; once, whatever the browser reports.
function keepSong() {
  const asked = new Set();
  const observer = new PerformanceObserver((list) => {
    for (const { name, workerStart } of list.getEntries()) {
      if (workerStart || asked.has(name) || !name.includes("/results/")) continue;
      asked.add(name);
      // read to its end, as browsers have few connections for answers that nobody reads
      fetch(name)
        .then((answer) => answer.blob())
        .catch(() => {});
    }
  });
  observer.observe({ type: "resource", buffered: true });
}
