// The compiled loops of kernels.c, and the memory that they work on.

const PAGE_BYTES = 65536; // of WebAssembly's memory
const ALIGNED = 16; // bytes of four numbers

/** An array of numbers in the kernels' memory. Its place never changes. */
export class Numbers {
  #memory;
  #kind;
  #view = null;

  /**
   * @param {WebAssembly.Memory} memory
   * @param {number} pointer  Address in bytes.
   * @param {number} length
   * @param {typeof Float32Array | typeof Int32Array} kind
   */
  constructor(memory, pointer, length, kind) {
    this.#memory = memory;
    this.#kind = kind;
    this.pointer = pointer;
    this.length = length;
  }

  /** The numbers. A view becomes invalid when more memory is taken, so don't keep it. */
  get view() {
    const { buffer } = this.#memory;
    if (this.#view?.buffer !== buffer)
      this.#view = new this.#kind(buffer, this.pointer, this.length);
    return this.#view;
  }

  /** The address of one of the numbers. @param {number} index */
  at(index) {
    return this.pointer + 4 * index;
  }
}

/** The kernels, as functions of addresses: kernels.c describes them. */
export class Kernels {
  #memory;
  #end;
  #used; // what was taken before, and may have other numbers than zeros

  /** @param {WebAssembly.Module} module  Compiled from kernels.wasm. */
  constructor(module) {
    const { exports } = new WebAssembly.Instance(module);
    this.#memory = exports.memory;
    this.#end = exports.memory.buffer.byteLength; // what the kernels themselves need is before
    this.#used = this.#end;
    for (const [name, kernel] of Object.entries(exports))
      if (typeof kernel === "function") this[name] = kernel;
  }

  /**
   * Memory for single-precision numbers, which are zeros.
   * @param {number | ArrayLike<number>} content  How many, or the numbers themselves.
   * @returns {Numbers}
   */
  floats(content) {
    return this.#numbers(content, Float32Array);
  }

  /** The same for integers of 32 bits. @param {number | ArrayLike<number>} content */
  integers(content) {
    return this.#numbers(content, Int32Array);
  }

  /**
   * Do something for which memory is taken, and give that up again.
   * @template T
   * @param {() => T} work  Its arrays must not be used afterwards.
   * @returns {T}
   */
  passing(work) {
    const end = this.#end;
    try {
      return work();
    } finally {
      this.#used = Math.max(this.#used, this.#end);
      this.#end = end;
    }
  }

  #numbers(content, kind) {
    const length = typeof content === "number" ? content : content.length;
    const pointer = this.#end;
    this.#end += Math.ceil((4 * length) / ALIGNED) * ALIGNED;
    const missing = this.#end - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    const numbers = new Numbers(this.#memory, pointer, length, kind);
    if (typeof content !== "number") numbers.view.set(content);
    else if (pointer < this.#used) numbers.view.fill(0);
    return numbers;
  }
}
