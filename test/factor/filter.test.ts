import fc from "fast-check";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitError } from "../../src/errors.ts";
import { type CheckedFilter, checkFilter, denseValues, flipFilter } from "../../src/factor/filter.ts";
import { distance, frobenius, matrices, reals, smallIntegers } from "./matrices.ts";

/** The filter's values with gain. */
function effective(filter: CheckedFilter): number[] {
  return denseValues(filter).map((x) => x * filter.gain);
}

describe("checkFilter: forms", () => {
  const plain = { kh: 2, kw: 3, gain: 1, offset: 0, values: [1, 2, 3, 4, 5, 6], integer: true };
  test.each([
    ["rows", [[1, 2, 3], [4, 5, 6]]], // biome-ignore format: a matrix
    ["rows of typed arrays", [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)]],
    ["values", { kh: 2, kw: 3, values: [1, 2, 3, 4, 5, 6] }],
    ["values in a typed array", { kh: 2, kw: 3, values: Int8Array.of(1, 2, 3, 4, 5, 6) }],
    ["sharp's form with scale 1", { width: 3, height: 2, kernel: [1, 2, 3, 4, 5, 6], scale: 1 }],
  ])("%s", (_, filter) => expect(checkFilter(filter)).toEqual(plain));

  test("a name", () => {
    expect(checkFilter("sobel-x")).toMatchObject({ kh: 3, kw: 3, column: [1, 2, 1], row: [-1, 0, 1], integer: true });
    expect(checkFilter(" box:5 ")).toEqual(checkFilter("box:size=5"));
    expect(checkFilter("gaussian:sigma=2x3, truncate=2")).toMatchObject({ kh: 9, kw: 13, integer: false });
  });

  test("a column and a row stay as they are, however long", () => {
    const column = new Float64Array(961).fill(0.25);
    const filter = checkFilter({ column, row: [1, 3], gain: 2, offset: 7 });
    expect(filter).toMatchObject({ kh: 961, kw: 2, row: [1, 3], gain: 0.5, offset: 7, integer: true });
    expect(filter.column!.every((tap) => tap === 1)).toBe(true);
    expect("values" in filter).toBe(false);
    expect(denseValues(checkFilter({ column: [1, 2], row: [3, -4] }))).toEqual([3, -4, 6, -8]);
  });

  test("copies what it is given", () => {
    const values = [1, 2, 3, 4];
    const filter = checkFilter({ kh: 2, kw: 2, values });
    values[0] = 9;
    expect(filter.values).toEqual([1, 2, 3, 4]);
  });

  test("the normal form of a normal form is itself", () => {
    for (const filter of ["emboss", "box:3", "gaussian:sigma=1", "disk:2"]) {
      const checked = checkFilter(filter);
      expect(checkFilter(checked)).toEqual(checked);
    }
  });
});

test.each([
  [{ kh: 1, kw: 1, values: [1], gian: 2 }, /filter key: .*got "gian"; did you mean "gain"/],
  [{ column: [1], row: [1], scale: 2 }, /filter key: expected column, row, gain, offset, got scale; gain multiplies/],
  [{ width: 1, height: 1, kernel: [1], gain: 2 }, /filter key: .* got gain; scale divides/],
  [{ kh: 1, kw: 1, values: [1], delta: 2 }, /filter key: .*here its name is "offset"/],
  [{ column: [1], row: [1], values: [1] }, /filter key: .*got "values"/],
])("a key that means nothing is refused: %o", (filter, message) => {
  expect(() => checkFilter(filter)).toThrow(InvalidArgumentError);
  expect(() => checkFilter(filter)).toThrow(message);
});

describe("checkFilter: integers times a unit", () => {
  test.each([
    [[[2, 4], [6, -8]], [1, 2, 3, -4], 2], // biome-ignore format: a matrix
    [[[1 / 9, 1 / 9, 1 / 9]], [1, 1, 1], 1 / 9],
    [[[0.0625, 0.125, 0.0625]], [1, 2, 1], 0.0625],
    [[[0.1, 0.2, 0.3, 0.4]], [1, 2, 3, 4], 0.1],
    [[[-0.5, 0.75]], [-2, 3], 0.25],
    [[[1 / 3, 1 / 7]], [7, 3], 1 / 21],
    [[[0, -0]], [0, 0], 1],
    [[[1e-300, -3e-300]], [1, -3], 1e-300],
    [[[32768, 3]], [32768, 3], 1],
    [[[40001, -39999, -2]], [40001, -39999, -2], 1],
    [[[2 ** 53 - 2, 4]], [2 ** 52 - 1, 2], 2],
  ])("%j", (rows, values, unit) => {
    const filter = checkFilter(rows);
    expect(filter.values).toEqual(values);
    expect(filter.gain / unit).toBeCloseTo(1, 14);
    expect(filter.integer).toBe(true);
  });

  test.each([[[[1, Math.SQRT2]]], [[[32769.5, 1]]], [[[1, 1e-17]]], [[[1 / 32771, 1]]], [[[1e308, 1e-308]]]])(
    "%j stays real",
    (rows) => {
      const filter = checkFilter(rows);
      expect(filter).toMatchObject({ values: rows[0], gain: 1, integer: false });
    },
  );

  test("the unit of each vector goes into the gain", () => {
    const filter = checkFilter({ column: [0.25, 0.5, 0.25], row: [-0.5, 0, 0.5], gain: 3 });
    expect(filter).toMatchObject({ column: [1, 2, 1], row: [-1, 0, 1], gain: 3 / 8, integer: true });
    expect(checkFilter({ column: [1, 2], row: [1, Math.PI] }).integer).toBe(false);
  });

  test("integers times any unit come back, without a common divisor", () => {
    const divisor = (a: number, b: number): number => (b === 0 ? Math.abs(a) : divisor(b, a % b));
    const unit = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(matrices(5, smallIntegers), unit, ({ rows, cols, values }, unit) => {
        const filter = checkFilter({ kh: rows, kw: cols, values: values.map((x) => x * unit) });
        const common = values.reduce(divisor, 0) || 1;
        expect(filter.integer).toBe(true);
        expect(filter.values).toEqual(values.map((x) => x / common + 0));
      }),
    );
  });

  test("no form changes a value by more than rounding, and −0 becomes 0", () => {
    fc.assert(
      fc.property(matrices(4, fc.oneof(reals, smallIntegers, fc.constant(-0))), ({ rows, cols, values }) => {
        const filter = checkFilter({ kh: rows, kw: cols, values });
        expect(distance(effective(filter), values)).toBeLessThanOrEqual(2e-12 * frobenius(values));
        expect(filter.values!.some((x) => Object.is(x, -0))).toBe(false);
      }),
    );
  });
});

test("flipFilter reverses both axes", () => {
  expect(flipFilter(checkFilter([[1, 2, 3], [4, 5, 6]])).values).toEqual([6, 5, 4, 3, 2, 1]); // biome-ignore format: a matrix
  const flipped = flipFilter(checkFilter({ column: [1, 2], row: [-1, 0, 3], offset: 4 }));
  expect(flipped).toMatchObject({ column: [2, 1], row: [3, 0, -1], offset: 4 });
});

describe("sharp's form means what sharp does with it", () => {
  const pixels = Uint8Array.from([10, 20, 30, 40, 100, 60, 70, 80, 90]);
  test.each([
    { kernel: [1, 1, 1, 1, 1, 1, 1, 1, 1] },
    { kernel: [0, 1, 0, 1, -4, 1, 0, 1, 0], offset: 200 },
    { kernel: [0, 0, 0, 0, -1, 0, 0, 0, 0], offset: 200 },
    { kernel: [0, 0, 0, 0, 0.25, 0, 0, 0, 0] },
    { kernel: [0, 0, 0, 0, 1, 2, 0, 0, 0], scale: 4, offset: 3 },
    { kernel: [0, 0, 0, 0, 0, 2, 0, 0, 0] },
  ])("%j", async (kernel) => {
    const given = { width: 3, height: 3, ...kernel };
    const picture = sharp(pixels, { raw: { width: 3, height: 3, channels: 1 } });
    const out = await picture
      .convolve({ ...given })
      .toColourspace("b-w")
      .raw()
      .toBuffer();
    const filter = checkFilter(given);
    const sum = filter.values!.reduce((total, value, i) => total + value * pixels[i]!, 0);
    expect(out[4]).toBe(Math.floor(filter.gain * sum + filter.offset + 1e-9)); // sharp drops fractions
  });
});

describe("checkFilter refuses", () => {
  const bad: [what: string, filter: unknown, parameter: string | RegExp][] = [
    ["nothing", undefined, "filter"],
    ["null", null, "filter"],
    ["a number", 3, "filter"],
    ["a function", () => 1, "filter"],
    ["an empty object", {}, "filter"],
    ["no rows", [], "filter"],
    ["empty rows", [[]], "filter columns"],
    ["one row without its brackets", [1, 2, 1], "filter"],
    ["ragged rows", [[1, 2], [3]], "filter row 1"],
    // biome-ignore lint/suspicious/noSparseArray: what is refused
    ["a row that is missing", [[1, 2], , [3, 4]], "filter row 1"],
    ["a row that is none", [[1, 2], "ab"], "filter row 1"],
    ["NaN", [[1, Number.NaN]], "filter row 0[1]"],
    ["infinity", [[1], [Infinity]], "filter row 1[0]"],
    ["text for a number", [["1"]], "filter row 0[0]"],
    ["a hole", [Array(2)], "filter row 0[0]"],
    ["BigInts", { kh: 1, kw: 1, values: BigInt64Array.of(1n) }, "filter.values"],
    ["too few values", { kh: 2, kw: 2, values: [1, 2, 3] }, "filter.values"],
    ["too many values", { kh: 1, kw: 2, values: [1, 2, 3] }, "filter.values"],
    ["a side of 0", { kh: 0, kw: 2, values: [] }, "filter kh"],
    ["a broken side", { kh: 1.5, kw: 2, values: [1, 2, 3] }, "filter kh"],
    ["no sides", { values: [1] }, "filter kh"],
    ["a gain that is none", { kh: 1, kw: 1, values: [1], gain: Number.NaN }, "filter.gain"],
    ["an offset that is none", { kh: 1, kw: 1, values: [1], offset: "2" }, "filter.offset"],
    ["an object with a length", { column: { length: 5 }, row: [1] }, "filter column"],
    ["a column alone", { column: [1, 2] }, "filter row"],
    ["an empty row", { column: [1, 2], row: [] }, "filter row"],
    ["NaN in a column", { column: [1, Number.NaN], row: [1] }, "filter.column[1]"],
    ["a gain that overflows", { kh: 1, kw: 1, values: [1e200], gain: 1e200 }, /^filter gain/],
    ["units that overflow", { column: [1e200], row: [1e200] }, /^filter gain/],
    ["a scale of 0", { width: 1, height: 1, kernel: [1], scale: 0 }, "filter.scale"],
    ["a scale with a fraction", { width: 1, height: 1, kernel: [1], scale: 1.5 }, "filter.scale"],
    ["an offset with a fraction", { width: 1, height: 1, kernel: [1], offset: 0.5 }, "filter.offset"],
    ["an unknown name", "sobel-z", "filter"],
    ["a weight", { shape: [1, 1, 1, 1], data: Float32Array.of(1) }, "filter"],
  ];
  test.each(bad)("%s", (_, filter, parameter) => {
    const error = errorOf(() => checkFilter(filter));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    if (typeof parameter === "string") expect(error).toHaveProperty("parameter", parameter);
    else expect((error as InvalidArgumentError).parameter).toMatch(parameter);
  });

  test.each([
    { kh: 2050, kw: 1, values: [] },
    { kh: 1, kw: 1e9, values: [] },
    { width: 3000, height: 1, kernel: [] },
    { column: new Float32Array(2050), row: [1] },
    Array(3000).fill([1]),
    "box:2050",
  ])("a side above the limit, before it looks at the values: %#", (filter) => {
    expect(() => checkFilter(filter)).toThrow(LimitError);
  });

  test("limits can be set, and the filter named", () => {
    expect(checkFilter(Array(3000).fill([1]), { maxSide: 3000 }).kh).toBe(3000);
    expect(checkFilter("box:3000", { maxSide: 3000 }).kh).toBe(3000);
    expect(() => checkFilter("box:5", { maxSide: 3 })).toThrow(LimitError);
    expect(errorOf(() => checkFilter([[1], [1]], { maxSide: 1, parameter: "--filter" }))).toHaveProperty(
      "parameter",
      "--filter rows",
    );
  });
});

function errorOf(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}
