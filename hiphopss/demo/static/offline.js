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
  navigator.serviceWorker.register("service-worker.js", { updateViaCache: "none" }).catch(() => {});
}

// Loads the page anew, if the new version takes over.
function replace(waiting) {
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload());
    waiting.postMessage("take over");
    setTimeout(resolve, PATIENCE); // other tabs are open
  });
}
