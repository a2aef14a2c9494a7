// Results in order, of work that is done side by side.

/**
 * What a function gives for each of some items, in their order.
 * @template T, R
 * @param {(item: T) => Promise<R>} work
 * @param {Iterable<T> | AsyncIterable<T>} items
 * @param {number} most  How many are worked on at the same time.
 * @returns {AsyncGenerator<[T, R]>}  Items with their results.
 */
export async function* ordered(work, items, most) {
  const running = [];
  for await (const item of items) {
    const result = work(item);
    result.catch(() => {}); // whoever waits for it learns of it
    running.push([item, result]);
    if (running.length >= most) yield await first(running);
  }
  while (running.length) yield await first(running);
}

async function first(running) {
  const [item, result] = running.shift();
  return [item, await result];
}
