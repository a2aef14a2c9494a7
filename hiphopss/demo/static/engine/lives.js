// Notices workers that end without a word, as a browser may end them that is short of memory: a
// worker holds a lock for as long as it lives. Without https, or where the browser keeps nothing
// for this page, there are no locks, and no notice.

/** A name for the life of a worker. @returns {?string}  Null where there are no locks. */
export function newLife() {
  return globalThis.navigator?.locks ? `hiphopss-life-${crypto.randomUUID()}` : null;
}

/**
 * Hold a life's lock; call it in the worker, and say it to who waits for `ended` afterwards.
 * @param {?string} life
 * @returns {Promise<void>}  When it is held.
 */
export function live(life) {
  if (!life) return Promise.resolve();
  return new Promise((held) => {
    const forEver = () => new Promise(() => held());
    navigator.locks.request(life, forEver).catch(() => held());
  });
}

/**
 * Wait until a worker that holds the lock of a life has ended.
 * @param {?string} life
 * @returns {Promise<void>}
 */
export function ended(life) {
  if (!life) return new Promise(() => {});
  return navigator.locks.request(life, () => {}).catch(() => new Promise(() => {}));
}
