// What compiled files hold beside their recipe: each function as its own text, so it refers to nothing but the others here. It
// moves arrays into a program's memory, runs the program, and moves the results out, on one thread.

/**
 * @typedef {import("./recipe.ts").ProgramRecipe} ProgramRecipe
 * @typedef {import("./recipe.ts").ModelRecipe} ModelRecipe
 * @typedef {import("./recipe.ts").FilterRecipe} FilterRecipe
 * @typedef {import("./recipe.ts").TensorRecipe} TensorRecipe
 * @typedef {import("./recipe.ts").Recipe} Recipe
 * @typedef {import("../backend/wasm/code.ts").ClosedExports} Exports
 * @typedef {{ memory: WebAssembly.Memory, exports: Exports, base: number, staging: number }} Program
 * @typedef {{ data: any, width?: number, height?: number, channels?: number, premultiplied?: boolean }} Picture
 */

/**
 * An error that says what was wrong, what was expected, and what came. No class: bundlers take the names of classes away.
 *
 * @param {string} code
 * @param {string} parameter
 * @param {string} expected
 * @param {string} received
 */
function compiledError(code, parameter, expected, received) {
  const error = new Error(`${parameter}: expected ${expected}, got ${received}`);
  return Object.assign(error, { name: "CompiledError", code, parameter, expected, received });
}

/**
 * What a value is, in a few words.
 *
 * @param {any} value
 */
function describe(value) {
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
function arrayOf(dtype) {
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
function unpack(packed, to, at) {
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
function widen(halves, to) {
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    to[i] = half >> 15 ? -size : size;
  }
}

/**
 * Numbers as the nearest half floats.
 *
 * @param {Float32Array} numbers
 */
function halved(numbers) {
  return numbers.map((value) => {
    if (!Number.isFinite(value)) return value;
    // Steps of numbers of this size, at least of the least half float.
    const step = 2 ** Math.max(-24, Math.floor(Math.log2(Math.abs(value) || 1)) - 10);
    const steps = value / step;
    const down = Math.floor(steps);
    const near = (steps - down === 0.5 ? down + (down & 1) : Math.round(steps)) * step;
    return Math.abs(near) > 65504 ? Math.sign(near) * Infinity : near;
  });
}

/**
 * Makes a program ready: its memory written, its code bound to it.
 *
 * @param {ProgramRecipe} recipe
 * @param {WebAssembly.Module} module
 * @param {Int32Array} data
 * @returns {Program}
 */
function openProgram({ pages, base, image, weights, staging }, module, data) {
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
async function bytesAt(url) {
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
async function moduleAt(urls) {
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
function fromBase64(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

/**
 * The data of a recipe, checked.
 *
 * @param {Recipe} recipe
 * @param {unknown} given
 */
function dataOf({ data: { words, hash } }, given) {
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
 * @param {WebAssembly.Module} module
 */
function checkModule(module) {
  if (module instanceof WebAssembly.Module) return;
  throw compiledError("INVALID_ARGUMENT", "module", "a WebAssembly.Module", describe(module));
}

/**
 * A tensor's elements to where the program reads them.
 *
 * @param {Program} program
 * @param {TensorRecipe} tensor
 * @param {Float32Array} data
 */
function moveIn({ memory, exports, staging }, { format, sides, place }, data) {
  const [images, height, width, channels] = sides;
  const { data: at, pitch, rows, left, stored } = place;
  const floats = new Float32Array(memory.buffer);
  const [count, pixel] = [height * width * channels, stored * 4];
  for (let image = 0; image < images; image++) {
    const to = at + image * rows * pitch + left * pixel;
    floats.set(data.subarray(image * count, (image + 1) * count), staging / 4);
    const row = width * channels * 4;
    if (format === "NCHW") {
      const plane = height * width * 4;
      floats.fill(0, staging / 4 + count, staging / 4 + count + 3 * height * width);
      for (let c = 0; c < channels; c += 4)
        exports.planesIn(to + 4 * c, pitch, pixel, staging + c * plane, plane, width, height);
    } else if (channels === stored) exports.rowsIn(to, pitch, staging, row, row, height);
    else if (channels < 4 && stored === 4) exports.pixelsIn(to, pitch, staging, channels, width, height);
    else
      for (let y = 0; y < height; y++)
        exports.rowsIn(to + y * pitch, pixel, staging + y * row, channels * 4, channels * 4, width);
  }
}

/**
 * A tensor's elements from where the program wrote them.
 *
 * @param {Program} program
 * @param {TensorRecipe} tensor
 * @param {Float32Array} data
 */
function moveOut({ memory, exports, staging }, { format, sides, place }, data) {
  const [images, height, width, channels] = sides;
  const { data: at, pitch, rows, left, stored } = place;
  const [count, pixel] = [height * width * channels, stored * 4];
  for (let image = 0; image < images; image++) {
    const from = at + image * rows * pitch + left * pixel;
    const row = width * channels * 4;
    if (format === "NCHW") {
      const plane = height * width * 4;
      for (let c = 0; c < channels; c += 4)
        exports.planesOut(staging + c * plane, plane, from + 4 * c, pitch, pixel, width, height);
    } else if (channels === stored) exports.rowsOut(staging, row, from, pitch, row, height);
    else if (channels < 4 && stored === 4) exports.pixelsOut(staging, from, pitch, channels, width, height);
    else
      for (let y = 0; y < height; y++)
        exports.rowsOut(staging + y * row, channels * 4, from + y * pitch, pixel, channels * 4, width);
    data.set(new Float32Array(memory.buffer, staging, count), image * count);
  }
}

/**
 * The recipe of a model for the shapes of what is given, and its elements as floats.
 *
 * @param {readonly ModelRecipe[]} models
 * @param {Record<string, any>} inputs
 */
function modelFor(models, inputs) {
  const names = models[0].inputs.map(({ name }) => name);
  const unknown = Object.keys(inputs ?? {}).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw compiledError("INVALID_ARGUMENT", "inputs", names.join(", "), JSON.stringify(unknown));
  /** @type {Record<string, any>} */
  const shapes = {};
  for (const name of names) {
    const given = inputs?.[name];
    if (given === undefined) throw compiledError("INVALID_ARGUMENT", "inputs", names.join(", "), `none called ${name}`);
    shapes[name] = ArrayBuffer.isView(given) ? undefined : (given.dims ?? given.shape);
  }
  const fits = models.find(({ inputs: wanted }) =>
    wanted.every(({ name, dims }) => {
      const { length } = inputs[name].data ?? inputs[name];
      return length === dims.reduce((a, b) => a * b, 1) && (shapes[name] ?? dims).join() === dims.join();
    }),
  );
  if (fits) return fits;
  const sides = models.map(({ inputs }) =>
    inputs.map(({ name, dims }) => `${name} [${dims.join(", ")}]`).join(" and "),
  );
  const came = names.map((name) => `${name} ${shapes[name] ? `[${shapes[name].join(", ")}]` : describe(inputs[name])}`);
  throw compiledError("INVALID_ARGUMENT", "inputs", sides.join(" or "), came.join(" and "));
}

/**
 * A model that computes the outputs from the inputs, both by name.
 *
 * @param {Recipe} recipe
 * @param {WebAssembly.Module} module
 * @param {Int32Array} data
 */
function openModel({ models = [] }, module, data) {
  /** @type {Map<ModelRecipe, Program>} */
  const programs = new Map();
  /** @param {ModelRecipe} model */
  const programOf = (model) => {
    const known = programs.get(model);
    if (known) return known;
    const program = openProgram(model, module, data);
    for (const constant of model.constants) {
      const [from, to] = constant.words;
      moveIn(program, constant, new Float32Array(data.buffer, data.byteOffset + 4 * from, to - from));
    }
    programs.set(model, program);
    return program;
  };
  if (models.length === 1) programOf(models[0]);
  /** @param {Record<string, any>} inputs */
  return (inputs) => {
    const model = modelFor(models, inputs);
    const values = model.inputs.map(({ name, dtype }) => {
      const data = inputs[name].data ?? inputs[name];
      if (data instanceof (dtype === "bool" ? Uint8Array : Float32Array)) return Float32Array.from(data);
      throw compiledError(
        "INVALID_ARGUMENT",
        name,
        dtype === "bool" ? "a Uint8Array" : "a Float32Array",
        describe(data),
      );
    });
    const program = programOf(model);
    for (const [i, input] of model.inputs.entries()) moveIn(program, input, values[i]);
    program.exports.whole(program.base);
    return Object.fromEntries(
      model.outputs.map((output) => {
        const { name, dtype, dims } = output;
        const floats = new Float32Array(dims.reduce((a, b) => a * b, 1));
        moveOut(program, output, floats);
        const data = dtype === "bool" ? Uint8Array.from(floats) : dtype === "f16" ? halved(floats) : floats;
        return [name, { dtype, shape: dims, data }];
      }),
    );
  };
}

/**
 * The index that stands for a position beyond an edge; −1: the constant.
 *
 * @param {number} i
 * @param {number} size
 * @param {string} border
 */
function borderIndex(i, size, border) {
  if (i >= 0 && i < size) return i;
  if (border === "constant") return -1;
  if (border === "edge") return i < 0 ? 0 : size - 1;
  if (border === "wrap") return ((i % size) + size) % size;
  const isReflect = border === "reflect";
  const period = isReflect ? Math.max(1, 2 * size - 2) : 2 * size;
  const at = ((i % period) + period) % period;
  return at < size ? at : period - at - (isReflect ? 0 : 1);
}

/**
 * Rows of a picture, extended beyond its edges, to where the program reads them.
 *
 * @param {Program} program
 * @param {FilterRecipe} filter
 * @param {Picture} picture
 * @param {number} full
 */
function pictureIn({ memory }, { width, height, channels, border, borderValue, alpha, x }, picture, full) {
  const rows = new (arrayOf(x.dtype))(memory.buffer);
  const size = rows.BYTES_PER_ELEMENT;
  const { data } = picture;
  /** @type {[number, number][]} */
  const beyond = [];
  for (let i = 0; i < x.width; i++)
    if (i < x.left || i >= x.left + width) beyond.push([i, borderIndex(i - x.left, width, border)]);
  for (let row = 0; row < x.rows; row++) {
    const y = borderIndex(row - x.above, height, border);
    const at = (x.data + row * x.pitch) / size;
    if (y < 0) rows.fill(borderValue, at, at + x.width * channels);
    else {
      rows.set(data.subarray(y * width * channels, (y + 1) * width * channels), at + x.left * channels);
      for (const [to, from] of beyond)
        for (let c = 0; c < channels; c++)
          rows[at + to * channels + c] = from < 0 ? borderValue : rows[at + (x.left + from) * channels + c];
    }
    if (alpha !== "premultiply" || picture.premultiplied) continue;
    for (let i = at; i < at + x.width * channels; i += channels) {
      const weight = rows[i + channels - 1] / full;
      for (let c = 0; c < channels - 1; c++) rows[i + c] *= weight;
    }
  }
}

/**
 * The results of a picture.
 *
 * @param {Program} program
 * @param {FilterRecipe} filter
 * @param {Picture} picture
 * @param {number} full
 * @param {any} out
 */
function pictureOut({ memory }, filter, picture, full, out) {
  const { width, height, channels, alpha, y, range, gain, offset, tapSum, leastAlpha } = filter;
  const sums = new (arrayOf(y.dtype))(memory.buffer);
  const { data, premultiplied } = picture;
  const [low, high] = range ?? [0, 0];
  /** @type {(value: number) => number} */
  const put = range ? (value) => Math.min(high, Math.max(low, Math.floor(value + 0.5))) : (value) => value;
  const last = channels - 1;
  for (let row = 0; row < height; row++) {
    const from = (y.data + row * y.pitch) / sums.BYTES_PER_ELEMENT;
    const at = row * width * channels;
    const count = width * channels;
    if (alpha !== "premultiply") {
      if (filter.output === y.dtype) out.set(sums.subarray(from, from + count), at);
      else for (let i = 0; i < count; i++) out[at + i] = put(sums[from + i]);
      if (alpha === "keep") for (let i = last; i < count; i += channels) out[at + i] = put(data[at + i]);
      continue;
    }
    for (let i = 0; i < count; i += channels) {
      const weight = tapSum === undefined ? sums[from + i + last] : data[at + i + last] / full;
      const times = premultiplied ? weight : 1;
      const rest = tapSum === undefined ? 0 : tapSum - sums[from + i + last] / full;
      for (let c = 0; c < last; c++) {
        const sum = sums[from + i + c];
        if (tapSum !== undefined) {
          const own = data[at + i + c] / times;
          out[at + i + c] = weight > 0 ? put(((sum + own * rest) * gain + offset) * times) : 0;
        } else {
          const value = premultiplied ? sum * gain + (offset * weight) / full : (sum / weight) * full * gain + offset;
          out[at + i + c] = weight > leastAlpha * full ? put(value) : 0;
        }
      }
      out[at + i + last] = put(tapSum === undefined ? Math.min(full, Math.max(0, weight)) : data[at + i + last]);
    }
  }
}

/**
 * A picture of the size and type that a filter was compiled for.
 *
 * @param {FilterRecipe} filter
 * @param {any} image
 */
function checkPicture({ width, height, channels, input }, image) {
  const { data } = image ?? {};
  const isOfType = data instanceof arrayOf(input) || (input === "u8" && data instanceof Uint8ClampedArray);
  const isOfSize = (image?.width ?? width) === width && (image?.height ?? height) === height && (image?.channels ?? channels) === channels; // biome-ignore format: a line
  if (isOfType && isOfSize && data.length === width * height * channels) return;
  const sides = [image?.width, image?.height, image?.channels].filter((side) => side !== undefined).join(" x ");
  throw compiledError("INVALID_ARGUMENT", "image", `${width} x ${height} x ${channels} of ${input}, ${width * height * channels} elements`, `${sides} ${describe(data)}`); // biome-ignore format: a line
}

/**
 * The alpha that means opaque: of floats by the largest that there is.
 *
 * @param {FilterRecipe} filter
 * @param {any} data
 */
function fullAlpha({ channels, opaque }, data) {
  if (opaque !== undefined) return opaque;
  let largest = 0;
  for (let i = channels - 1; i < data.length; i += channels) largest = Math.max(largest, data[i] || 0);
  return [1, 255, 65535].find((full) => largest < 2 * full) ?? largest;
}

/**
 * A filter of pictures of one size and type. Pictures that are opaque everywhere have a program of their own.
 *
 * @param {Recipe} recipe
 * @param {WebAssembly.Module} module
 * @param {Int32Array} data
 */
function openFilter({ filters = [] }, module, data) {
  const [first, opaquely = first] = filters;
  /** @type {Map<FilterRecipe, Program>} */
  const programs = new Map();
  /** @param {FilterRecipe} filter */
  const programOf = (filter) => {
    const program = programs.get(filter) ?? openProgram(filter, module, data);
    programs.set(filter, program);
    return program;
  };
  programOf(opaquely);
  /**
   * @param {any} image
   * @param {{ out?: any }} [options]
   */
  return (image, { out } = {}) => {
    checkPicture(first, image);
    const { width, height, channels, output } = first;
    const full = first.alpha === "premultiply" ? fullAlpha(first, image.data) : 0;
    let isOpaque = first.border !== "constant" || first.borderValue === full;
    for (let i = channels - 1; isOpaque && i < image.data.length; i += channels) isOpaque = image.data[i] === full;
    const filter = first.alpha === "premultiply" && isOpaque ? opaquely : first;
    const Type = output === "u8" && image.data instanceof Uint8ClampedArray ? Uint8ClampedArray : arrayOf(output);
    const result = out ?? new Type(width * height * channels);
    if (
      !(result instanceof arrayOf(output) || (output === "u8" && result instanceof Uint8ClampedArray)) ||
      result.length !== width * height * channels
    )
      // biome-ignore format: a line
      throw compiledError("INVALID_ARGUMENT", "out", `${width * height * channels} elements of ${output}`, describe(result));
    const program = programOf(filter);
    pictureIn(program, filter, image, full);
    program.exports.whole(program.base);
    pictureOut(program, filter, image, full, result);
    return { width, height, channels, data: result };
  };
}

/** What files of every kind hold, and what those of filters and of models do; the last of each opens a recipe. */
const common = [compiledError, describe, arrayOf, hashOf, unpack, widen, openProgram, bytesAt, moduleAt, fromBase64, dataOf, checkModule]; // biome-ignore format: a line
export const ofFilters = [...common, borderIndex, pictureIn, pictureOut, checkPicture, fullAlpha, openFilter];
export const ofModels = [...common, halved, moveIn, moveOut, modelFor, openModel];
