// What compiled filters hold beside runtime.js: pictures in and out.

/**
 * @typedef {import("./recipe.ts").FilterRecipe} FilterRecipe
 * @typedef {import("./recipe.ts").Recipe} Recipe
 * @typedef {import("./runtime.js").Program} Program
 * @typedef {{ data: any, width?: number, height?: number, channels?: number, premultiplied?: boolean }} Picture
 */

/**
 * What opens a recipe. It stands in files as text, so it refers to nothing but what it is given.
 *
 * @param {Pick<import("./runtime.js").Parts, "arrayOf" | "compiledError" | "describe" | "openProgram" | "optionsOf">} parts
 */
export function filtersRuntime({ arrayOf, compiledError, describe, openProgram, optionsOf }) {
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
  function pictureIn({ memory, exports }, { width, height, channels, border, borderValue, alpha, x }, picture, full) {
    const rows = new (arrayOf(x.dtype))(memory.buffer);
    const size = rows.BYTES_PER_ELEMENT;
    const { data } = picture;
    const [left, inside, end] = [x.left * channels, width * channels, x.width * channels];
    for (let row = 0; row < x.rows; row++) {
      const y = borderIndex(row - x.above, height, border);
      const at = (x.data + row * x.pitch) / size;
      if (border === "constant") {
        rows.fill(borderValue, at, at + (y < 0 ? end : left));
        rows.fill(borderValue, at + left + inside, at + end);
      }
      if (y >= 0) rows.set(data.subarray(y * inside, (y + 1) * inside), at + left);
    }
    if (border !== "constant") extend({ memory, exports }, x, width, border, channels * size);
    if (alpha !== "premultiply" || picture.premultiplied) return;
    for (let row = 0; row < x.rows; row++) {
      const at = (x.data + row * x.pitch) / size;
      for (let i = at; i < at + end; i += channels) {
        const weight = rows[i + channels - 1] / full;
        for (let c = 0; c < channels - 1; c++) rows[i + c] *= weight;
      }
    }
  }

  /**
   * Copies the pixels that stand for those beyond the ends of rows, in the program's own code.
   *
   * @param {Pick<Program, "memory" | "exports">} program
   * @param {FilterRecipe["x"]} x
   * @param {number} width
   * @param {string} border
   * @param {number} pixel bytes
   */
  function extend({ memory, exports }, { data, pitch, rows, left, width: all, pairs }, width, border, pixel) {
    const unit = /** @type {1 | 2 | 4 | 8} */ ([8, 4, 2, 1].find((bytes) => pixel % bytes === 0));
    const list = [];
    for (let i = 0; i < all; i++) {
      if (i >= left && i < left + width) continue;
      const from = left + borderIndex(i - left, width, border);
      for (let k = 0; k < pixel; k += unit) list.push(i * pixel + k, from * pixel + k);
    }
    new Int32Array(memory.buffer).set(list, pairs / 4);
    if (list.length > 0) exports[`extend${unit}`](data, pitch, pairs, list.length / 2, rows);
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
    throw compiledError("INVALID_ARGUMENT", "image", `${width} x ${height} x ${channels} of ${input}, ${width * height * channels} elements`, `${sides}${sides && " "}${describe(data ?? image)}`); // biome-ignore format: a line
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
    return (image, options) => {
      const { out } = optionsOf("options", options, ["out"]);
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
      // Results may go where the picture lies, which is still read then.
      const { data: pixels, premultiplied } = image;
      const kept = result.buffer === pixels.buffer && filter.alpha !== "none" ? pixels.slice() : pixels;
      const picture = { data: kept, premultiplied };
      pictureIn(program, filter, picture, full);
      program.exports.whole(program.base);
      pictureOut(program, filter, picture, full, result);
      return { width, height, channels, data: result };
    };
  }

  return openFilter;
}
