/**
 * Let the page do what waits, amid long work. Timers would wait for a second while its tab is
 * hidden.
 * @returns {Promise<void>}
 */
export function pause() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((done) => {
    port1.addEventListener("message", done, { once: true });
    port1.start();
    port2.postMessage(null);
  }).finally(() => port1.close());
}
