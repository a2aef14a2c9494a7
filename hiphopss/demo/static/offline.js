// Keeps the page for visits without a network, by the service worker.

const PATIENCE = 3000; // milliseconds that a new version has to take over

/**
 * Keep an exported page in the browser. A new version that has come since the last visit takes over
 * before anything is done in this one.
 */
export async function keepOffline() {
  if (!("serviceWorker" in navigator)) return; // such as without https
  const known = await navigator.serviceWorker.getRegistration();
  if (known?.waiting) await replace(known.waiting);
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

// Loads the page anew, if the new version takes over.
function replace(waiting) {
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
    navigator.serviceWorker.addEventListener("message", resolve); // other tabs are open
    navigator.serviceWorker.startMessages();
    waiting.postMessage("take over");
    setTimeout(resolve, PATIENCE);
  });
}
