// What compiled models hold beside runtime.js: tensors in and out.

/**
 * @typedef {import("./recipe.ts").ModelRecipe} ModelRecipe
 * @typedef {import("./recipe.ts").TensorRecipe} TensorRecipe
 * @typedef {import("./recipe.ts").Recipe} Recipe
 * @typedef {import("./runtime.js").Program} Program
 */

/**
 * What opens a recipe. It stands in files as text, so it refers to nothing but what it is given.
 *
 * @param {Pick<import("./runtime.js").Parts, "compiledError" | "describe" | "openProgram">} parts
 */
export function modelsRuntime({ compiledError, describe, openProgram }) {
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
   * An array that is given as it is, or in an object.
   *
   * @param {any} given
   */
  const elementsOf = (given) => given?.data ?? given;

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
    const missing = names.find((name) => !Object.hasOwn(inputs ?? {}, name) || inputs[name] === undefined);
    if (missing !== undefined)
      throw compiledError("INVALID_ARGUMENT", "inputs", names.join(", "), `none called ${missing}`);
    /** @param {string} name */
    const sidesOf = (name) => {
      const given = inputs[name];
      const sides = ArrayBuffer.isView(given) ? undefined : (given?.dims ?? given?.shape ?? undefined);
      return sides === undefined || Array.isArray(sides) || ArrayBuffer.isView(sides) ? sides : [describe(sides)];
    };
    /** @param {readonly number[]} sides */
    const said = (sides) => `[${sides.join(", ")}]`;
    const fits = models.find(({ inputs: wanted }) =>
      wanted.every(({ name, dims }) => {
        const { length } = elementsOf(inputs[name]) ?? {};
        return length === dims.reduce((a, b) => a * b, 1) && said(sidesOf(name) ?? dims) === said(dims);
      }),
    );
    if (fits) return fits;
    const sides = models.map(({ inputs }) => inputs.map(({ name, dims }) => `${name} ${said(dims)}`).join(" and "));
    const came = names.map((name) => `${name} ${sidesOf(name) ? said(sidesOf(name)) : describe(inputs[name])}`);
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
        const data = elementsOf(inputs[name]);
        if (data instanceof (dtype === "bool" ? Uint8Array : Float32Array)) return Float32Array.from(data);
        throw compiledError(
          "INVALID_ARGUMENT",
          name,
          dtype === "bool" ? "a Uint8Array" : "a Float32Array",
          describe(data),
        );
      });
      const program = programOf(model);
      for (const [i, input] of model.inputs.entries()) if ("place" in input) moveIn(program, input, values[i]);
      program.exports.whole(program.base);
      return Object.fromEntries(
        model.outputs.map((output) => {
          const { name, dtype, dims } = output;
          const floats = new Float32Array(dims.reduce((a, b) => a * b, 1));
          moveOut(program, output, floats);
          const data = dtype === "bool" ? Uint8Array.from(floats) : dtype === "f16" ? halved(floats) : floats;
          return [name, { dtype, shape: [...dims], data }];
        }),
      );
    };
  }

  return openModel;
}
