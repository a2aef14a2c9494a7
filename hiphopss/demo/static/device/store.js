// Where songs are kept on this device: in the browser's own file system, or in memory where there
// is none, or no room in it. Only the worker of a job writes; the page reads.

const ROOT = "hiphopss-songs";
const JOINED = 1 << 22; // bytes that memory takes at a time

/** The folder of all songs. @returns {Promise<FileSystemDirectoryHandle>} */
export async function songsFolder() {
  const top = await navigator.storage.getDirectory();
  return top.getDirectoryHandle(ROOT, { create: true });
}

/** Whether songs of so many bytes can be kept beyond this visit. @param {number} bytes */
export async function hasRoom(bytes) {
  if (!navigator.storage?.getDirectory) return false;
  try {
    await songsFolder(); // some browsers have none in private windows
    const { quota, usage } = await navigator.storage.estimate();
    return quota - usage > 1.05 * bytes;
  } catch {
    return false;
  }
}

/**
 * A file that is being written.
 * @typedef {object} Sink
 * @property {(bytes: Uint8Array) => void} write
 * @property {() => void} close
 */

/** A song's folder on the disk. Only workers can write into it. */
export class DiskFolder {
  #folder;

  /** @param {string} id  Of the song. */
  static async open(id) {
    const folder = new DiskFolder();
    folder.#folder = await (await songsFolder()).getDirectoryHandle(id, { create: true });
    return folder;
  }

  /** @param {string} name @returns {Promise<Sink>} */
  async sink(name) {
    const handle = await this.#folder.getFileHandle(name, { create: true });
    const access = await handle.createSyncAccessHandle();
    access.truncate(0);
    let at = 0;
    const write = (bytes) => {
      // where the disk is full, less is written, or it throws
      if (access.write(bytes, { at }) < bytes.length) throw new FullError();
      at += bytes.length;
    };
    return { write, close: () => access.close() };
  }

  /** @param {string} name @returns {Promise<Blob>} */
  async file(name) {
    return (await this.#folder.getFileHandle(name)).getFile();
  }

  /** Files that must be handed to the page: none, as it finds them itself. */
  get inMemory() {
    return null;
  }
}

/** A song's folder in memory. */
export class MemoryFolder {
  #files;

  /** @param {Object<string, Blob>} files  Those that are there. */
  constructor(files = {}) {
    this.#files = { ...files };
  }

  /** @param {string} name @returns {Promise<Sink>} */
  async sink(name) {
    const blobs = [];
    let [parts, size] = [[], 0];
    const join = () => {
      blobs.push(new Blob(parts)); // which may lie on the disk
      [parts, size] = [[], 0];
    };
    const write = (bytes) => {
      parts.push(bytes.slice());
      size += bytes.length;
      if (size >= JOINED) join();
    };
    const close = () => {
      join();
      this.#files[name] = new Blob(blobs);
    };
    return { write, close };
  }

  /** @param {string} name @returns {Promise<Blob>} */
  async file(name) {
    return this.#files[name];
  }

  get inMemory() {
    return this.#files;
  }
}

/** The disk is full, or the browser gives no more of it. */
export class FullError extends Error {}

/**
 * Write a whole file.
 * @param {DiskFolder|MemoryFolder} folder
 * @param {string} name
 * @param {BlobPart} content
 */
export async function put(folder, name, content) {
  const sink = await folder.sink(name);
  try {
    sink.write(new Uint8Array(await new Blob([content]).arrayBuffer()));
  } finally {
    sink.close();
  }
}
