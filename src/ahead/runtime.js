// What compiled files hold beside their recipe: each function as its own text, so it refers to nothing but the others here. It
// moves arrays into a program's memory, runs the program, and moves the results out, on one thread.

/**
 * @typedef {import("./recipe.ts").ProgramRecipe} ProgramRecipe
 * @typedef {import("./recipe.ts").Recipe} Recipe
 * @typedef {import("../backend/wasm/code.ts").ClosedExports} Exports
 * @typedef {{ memory: WebAssembly.Memory, exports: Exports, base: number, staging: number }} Program
 */

/**
 * An error that says what was wrong, what was expected, and what came. No class: bundlers take the names of classes away.
 *
 * @param {string} code
 * @param {string} parameter
 * @param {string} expected
 * @param {string} received
 */
export function compiledError(code, parameter, expected, received) {
  const error = new Error(`${parameter}: expected ${expected}, got ${received}`);
  return Object.assign(error, { name: "CompiledError", code, parameter, expected, received });
}

/**
 * What a value is, in a few words.
 *
 * @param {any} value
 */
export function describe(value) {
  if (value === null || typeof value !== "object")
    return typeof value === "string" ? JSON.stringify(value) : String(value);
  const name = value.constructor?.name ?? "an object";
  return value.length === undefined ? name : `${name} of ${value.length}`;
}

/**
 * The class of arrays of a type.
 *
 * @param {string} dtype
 * @returns {any}
 */
export function arrayOf(dtype) {
  const types = { u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, u32: Uint32Array };
  return { ...types, i32: Int32Array, f32: Float32Array, f64: Float64Array }[dtype];
}

/**
 * FNV-1a over words.
 *
 * @param {Int32Array} words
 */
export function hashOf(words) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) {
    hash = Math.imul(hash ^ words[i], 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash >>> 0;
}

/**
 * Words as they stand in files: a count and that many words, or a negative count and the first of so many words and their step.
 *
 * @param {Int32Array} packed
 * @param {Int32Array} to
 * @param {number} at
 */
export function unpack(packed, to, at) {
  for (let i = 0; i < packed.length; ) {
    const count = packed[i++];
    if (count > 0) {
      to.set(packed.subarray(i, i + count), at);
      i += count;
      at += count;
      continue;
    }
    let word = packed[i++];
    const step = packed[i++];
    for (let n = count; n < 0; n++, word += step) to[at++] = word;
  }
}

/**
 * Half floats as floats.
 *
 * @param {Uint16Array} halves
 * @param {Float32Array} to
 */
export function widen(halves, to) {
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    to[i] = half >> 15 ? -size : size;
  }
}

/**
 * Makes a program ready: its memory written, its code bound to it.
 *
 * @param {ProgramRecipe} recipe
 * @param {WebAssembly.Module} module
 * @param {Int32Array} data
 * @returns {Program}
 */
export function openProgram({ pages, base, image, weights, staging }, module, data) {
  const memory = new WebAssembly.Memory({ initial: pages });
  const words = new Int32Array(memory.buffer);
  unpack(data.subarray(image[0], image[1]), words, base / 4);
  for (const [address, from, to, half] of weights) {
    const stored = data.subarray(from, to);
    if (half)
      widen(new Uint16Array(data.buffer, stored.byteOffset, half), new Float32Array(memory.buffer, address, half));
    else words.set(stored, address / 4);
  }
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return { memory, exports: /** @type {any} */ (exports), base, staging };
}

/**
 * The bytes behind a place beside this file.
 *
 * @param {URL} url
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function bytesAt(url) {
  const node = /** @type {any} */ (globalThis).process?.getBuiltinModule?.("node:fs");
  if (url.protocol === "file:" && node) return new Uint8Array(node.readFileSync(url));
  const response = await fetch(url);
  if (!response.ok) throw compiledError("NOT_FOUND", String(url), "a file", `status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Code with fused multiply-adds or, where the host has none, without.
 *
 * @param {readonly URL[]} urls
 * @returns {Promise<WebAssembly.Module>}
 */
export async function moduleAt(urls) {
  /** @type {unknown} */
  let why;
  for (const url of urls) {
    const bytes = await bytesAt(url);
    try {
      return await WebAssembly.compile(bytes);
    } catch (error) {
      why = error;
    }
  }
  const received = why instanceof Error ? why.message : String(why);
  throw compiledError(
    "UNSUPPORTED",
    "module",
    "a host that compiles WebAssembly with SIMD; else give the module",
    received,
  );
}

/**
 * @param {string} text
 */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * The data of a recipe, checked.
 *
 * @param {Recipe} recipe
 * @param {unknown} given
 */
export function dataOf({ data: { words, hash } }, given) {
  const bytes =
    given instanceof ArrayBuffer
      ? new Uint8Array(given)
      : ArrayBuffer.isView(given)
        ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
        : undefined;
  if (bytes?.byteLength !== 4 * words)
    throw compiledError("INVALID_ARGUMENT", "weights", `the file's ${4 * words} bytes`, bytes ? `${bytes.byteLength} bytes` : describe(given)); // biome-ignore format: a line
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const found = new Int32Array(buffer, byteOffset, words);
  if (hashOf(found) !== hash)
    throw compiledError("INVALID_ARGUMENT", "weights", "the file that was written with this one", "other bytes");
  return found;
}

/**
 * Code that was written together with a recipe: it carries the recipe's mark.
 *
 * @param {WebAssembly.Module} module
 * @param {number} mark
 */
export function checkModule(module, mark) {
  if (!(module instanceof WebAssembly.Module))
    throw compiledError("INVALID_ARGUMENT", "module", "a WebAssembly.Module", describe(module));
  const [found] = WebAssembly.Module.customSections(module, "rank1");
  if (found?.byteLength === 4 && new DataView(found).getUint32(0, true) === mark) return;
  throw compiledError("INVALID_ARGUMENT", "module", "the code that was written with this file", "other code");
}

/**
 * An object of options, none of which is unknown.
 *
 * @param {string} parameter
 * @param {any} options
 * @param {string[]} known
 */
export function optionsOf(parameter, options, known) {
  if (options === undefined || options === null) return {};
  const unknown = typeof options === "object" ? Object.keys(options).find((key) => !known.includes(key)) : undefined;
  if (typeof options === "object" && unknown === undefined) return options;
  throw compiledError(
    "INVALID_ARGUMENT",
    parameter,
    `an object of ${known.join(", ")}`,
    unknown === undefined ? describe(options) : JSON.stringify(unknown),
  );
}

/** What files of every kind hold. */
export const parts = { compiledError, describe, arrayOf, hashOf, unpack, widen, openProgram, bytesAt, moduleAt, fromBase64, dataOf, checkModule, optionsOf }; // biome-ignore format: a line
/** @typedef {typeof parts} Parts */
