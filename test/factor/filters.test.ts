import { readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitError } from "../../src/errors.ts";
import { factorize } from "../../src/factor/factorize.ts";
import { type CheckedFilter, checkFilter, denseValues, type Filter, flipFilter } from "../../src/factor/filter.ts";
import { filters, namedFilters, parseFilterName } from "../../src/factor/filters.ts";

/** Values with gain, and their sum without rounding of the order. */
function effective(filter: Filter): CheckedFilter & { all: number[]; sum: number; magnitude: number } {
  const checked = checkFilter(filter);
  const all = denseValues(checked).map((x) => x * checked.gain);
  const sum = all.reduce((a, b) => a + b, 0);
  return { ...checked, all, sum, magnitude: all.reduce((a, b) => a + Math.abs(b), 0) };
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 1e-14): void {
  expect(actual.length).toBe(expected.length);
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...actual.map((x, i) => Math.abs(x - expected[i]!)));
  expect(worst).toBeLessThanOrEqual(tolerance * largest);
}

/** test/golden/taps.py writes it. */
interface Golden {
  opencv: Case & { GaussianBlur: Case[]; getGaborKernel: Case[] };
  scipy: Case & { gaussian: Case[] };
}
// biome-ignore lint/suspicious/noExplicitAny: each case is destructured where it is used
type Case = Record<string, any>;

const derivatives = /sobel|scharr|prewitt|roberts|derivative|laplacian|difference/;

describe("every named filter", () => {
  test.each(namedFilters.map((info) => [info.name, info] as const))("%s", (name, info) => {
    const filter = effective(name);
    expect(checkFilter(info.build())).toEqual(checkFilter(name));
    expect(factorize(name).rank).toBe(info.rank);
    expect(filter.kh % 2 === 1 || name.startsWith("roberts")).toBe(true);
  });

  const summed = namedFilters.map(({ name }) => name).filter((name) => name !== "gabor");
  test.each(summed)("%s sums to one, or to zero as a derivative", (name) => {
    const filter = effective(name);
    const expected = derivatives.test(name) ? 0 : 1;
    expect(Math.abs(filter.sum - expected)).toBeLessThan(8 * Number.EPSILON * filter.magnitude);
  });

  test("integers by nature are integers, with the gain beside them", () => {
    const real = namedFilters.filter(({ name }) => !checkFilter(name).integer).map(({ name }) => name);
    expect(real).toEqual([
      "gaussian",
      "disk",
      "motion",
      "derivative-of-gaussian-x",
      "derivative-of-gaussian-y",
      "laplacian-of-gaussian",
      "difference-of-gaussians",
      "unsharp",
      "gabor",
    ]);
    expect(filters.box([2, 3])).toEqual({ column: [1, 1], row: [1, 1, 1], gain: 1 / 6 });
    expect(filters.binomial(5)).toMatchObject({ column: [1, 4, 6, 4, 1], gain: 1 / 256 });
  });

  test("symmetric ones are symmetric to the last bit, odd ones odd", () => {
    for (const name of ["gaussian", "disk", "motion", "motion:angle=17", "laplacian-of-gaussian", "unsharp", "gabor"]) {
      const filter = checkFilter(name);
      expect(flipFilter(filter)).toEqual(filter);
    }
    for (const axis of ["x", "y"] as const) {
      const { all } = effective(filters.derivativeOfGaussian(axis, { sigma: 1.7 }));
      expect(all.toReversed()).toEqual(all.map((x) => 0 - x));
    }
    for (const name of ["disk:7.3", "laplacian-of-gaussian", "difference-of-gaussians", "unsharp"]) {
      const { kh, values } = checkFilter(name);
      expect(values!.map((_, k) => values![(k % kh) * kh + Math.floor(k / kh)])).toEqual(values);
    }
  });
});

describe("shapes", () => {
  test("motion along an axis is a box; its angle turns from x to y, downwards", () => {
    expect(effective(filters.motion({ length: 5, angle: 0 }))).toMatchObject({ kh: 1, kw: 5, all: Array(5).fill(0.2) });
    expect(effective(filters.motion({ length: 5, angle: 90 }))).toMatchObject({ kh: 5, kw: 1 });
    expect(effective(filters.motion({ length: 4, angle: 180 })).values).toEqual([1, 2, 2, 2, 1]);
    const { all, kw } = effective(filters.motion({ length: 9, angle: 30 }));
    const middle = (all.length - 1) / 2;
    expect(all[middle + kw + 2]).toBeGreaterThan(5 * all[middle - kw + 2]!);
    expect(effective(filters.motion(1)).all).toEqual([1]);
  });

  test.each([0.3, 0.5, 1, 2.5, 7.3])("a disk of radius %d has the area of a disk, and its true coverage", (radius) => {
    const { kh, kw, values, gain } = filters.disk(radius) as { kh: number; kw: number; values: number[]; gain: number };
    expect(1 / gain).toBeCloseTo(Math.PI * radius * radius, 10);
    const fine = 200;
    values.forEach((value, k) => {
      const [y, x] = [Math.floor(k / kw) - (kh - 1) / 2, (k % kw) - (kw - 1) / 2];
      let inside = 0;
      for (let i = 0; i < fine; i++) {
        for (let j = 0; j < fine; j++) {
          if (Math.hypot(y - 0.5 + (i + 0.5) / fine, x - 0.5 + (j + 0.5) / fine) < radius) inside++;
        }
      }
      expect(Math.abs(value - inside / fine ** 2)).toBeLessThan(2 / fine);
    });
    expect(values.slice(0, kw).some((value) => value > 0)).toBe(true);
  });

  test("binomials are Pascal's, up to the largest size", () => {
    const { column } = filters.binomial(31) as { column: number[] };
    expect(column[15]).toBe(155117520);
    expect(effective(filters.binomial(31)).sum).toBeCloseTo(1, 14);
  });

  test("a narrow Gaussian is the identity, an uneven one has its own sides", () => {
    expect(effective(filters.gaussian({ sigma: 1e-200 })).all).toEqual([1]);
    expect(effective(filters.gaussian({ sigma: 1e-200, size: 3 })).all).toEqual([0, 0, 0, 0, 1, 0, 0, 0, 0]);
    expect(filters.gaussian({ sigma: [0.5, 2] })).toMatchObject({ column: { length: 5 }, row: { length: 17 } });
  });
});

describe("the same taps as other libraries", () => {
  const { opencv, scipy }: Golden = JSON.parse(readFileSync(join(import.meta.dirname, "../golden/taps.json"), "utf8"));

  test.each(opencv.GaussianBlur)("OpenCV's GaussianBlur: sigma $sigma, $dtype", ({ sigma, dtype, taps }) => {
    const size = Math.round((dtype === "uint8" ? 6 : 8) * sigma + 1) | 1;
    const filter = filters.gaussian({ sigma, size: [size, 1] }) as { column: number[]; row: number[] };
    expectClose(filter.column, taps);
    expect(filter.row).toEqual([1]);
  });

  test.each(["sobel-x", "sobel-y", "scharr-x", "scharr-y"])("OpenCV's %s", (name) => {
    expect(parseFilterName(name)).toEqual(opencv[name]);
  });

  test("OpenCV's Laplacian", () => expect(filters.laplacian(4)).toEqual(opencv["laplacian-4"]));

  test.each(opencv.getGaborKernel)("OpenCV's getGaborKernel: $parameters", ({ parameters, values }) => {
    const filter = effective(filters.gabor(parameters));
    expect([filter.kh, filter.kw]).toEqual([values.length, values[0].length]);
    expectClose(filter.all, values.flat());
  });

  test.each(scipy.gaussian)(
    "SciPy's gaussian_filter: sigma $sigma, truncate $truncate",
    ({ sigma, truncate, values }) => {
      expectClose(padded(effective(filters.gaussian({ sigma, truncate })), values.length), values.flat());
    },
  );

  test.each(["x", "y"] as const)("SciPy's gaussian_filter of order 1 along %s", (axis) => {
    const { sigma, truncate, values } = scipy[`derivative-of-gaussian-${axis}`];
    expectClose(effective(filters.derivativeOfGaussian(axis, { sigma, truncate })).all, values.flat());
    expectClose(effective(filters.prewitt(axis)).all, scipy[`prewitt-${axis}`].flat());
  });

  test("SciPy's gaussian_laplace, whose sum is not quite zero", () => {
    const { sigma, values } = scipy["laplacian-of-gaussian"];
    const theirs: number[] = values.flat();
    const ours = effective(filters.laplacianOfGaussian({ sigma }));
    expectClose(ours.all, theirs, 2e-3);
    expect(Math.abs(theirs.reduce((a, b) => a + b))).toBeGreaterThan(1000 * Math.abs(ours.sum));
  });

  test.each([0.6, 1, 2, 5])("sharp's blur of sigma %d", async (sigma) => {
    const size = 2 * Math.floor(1.794123 * sigma) + 1;
    const gaussian = filters.gaussian({ sigma, size: [1, size] }) as { row: number[] };
    const rounded = gaussian.row.map((tap) => Math.round((20 * tap) / Math.max(...gaussian.row)));
    const sum = rounded.reduce((a, b) => a + b);
    for (const [precision, taps] of [
      ["float", gaussian.row],
      ["integer", rounded.map((tap) => tap / sum)],
    ] as const) {
      const line = await sharpLine({ sigma, precision });
      expect(line.filter((value) => value > 0).length).toBe(size);
      const middle = (line.length - size) / 2;
      taps.forEach((tap, i) => {
        expect(Math.abs(line[middle + i]! - 255 * tap)).toBeLessThanOrEqual(1);
      });
    }
  });

  /** What sharp makes of a vertical white line: 255 times the taps of its row pass. */
  async function sharpLine(options: { sigma: number; precision: "integer" | "float" }): Promise<number[]> {
    const n = 41;
    const pixels = Uint8Array.from({ length: n * n }, (_, i) => (i % n === (n - 1) / 2 ? 255 : 0));
    const picture = sharp(pixels, { raw: { width: n, height: n, channels: 1 } });
    const out = await picture.blur(options).toColourspace("b-w").raw().toBuffer();
    return Array.from(out.subarray(n * 20, n * 21));
  }

  /** The filter in the middle of a square of zeros. */
  function padded({ kh, kw, all }: ReturnType<typeof effective>, side: number): number[] {
    const [top, left] = [(side - kh) / 2, (side - kw) / 2];
    return Array.from({ length: side * side }, (_, k) => {
      const [y, x] = [Math.floor(k / side) - top, (k % side) - left];
      return y >= 0 && y < kh && x >= 0 && x < kw ? all[y * kw + x]! : 0;
    });
  }
});

describe("names and parameters", () => {
  test("names are unique, listed, and those of the functions", () => {
    expect(new Set(filters.names).size).toBe(namedFilters.length);
    expect(filters.names).toContain("laplacian-of-gaussian");
    expect(filters.names).toContain("roberts-y");
  });

  test("a function, a text and a lone value give the same filter", () => {
    expect(parseFilterName("sobel-y")).toEqual(filters.sobel("y"));
    expect(parseFilterName("laplacian-8")).toEqual(filters.laplacian(8));
    expect(parseFilterName("box:5")).toEqual(filters.box(5));
    expect(parseFilterName("box:3x5")).toEqual(filters.box([3, 5]));
    expect(parseFilterName("gaussian:sigma=2, truncate=3")).toEqual(filters.gaussian({ sigma: 2, truncate: 3 }));
    expect(parseFilterName("gaussian:sigma=1.5x2")).toEqual(filters.gaussian({ sigma: [1.5, 2] }));
    expect(parseFilterName("gaussian")).toEqual(filters.gaussian(1));
    expect(parseFilterName("motion:angle=-30")).toEqual(filters.motion({ angle: -30 }));
    expect(parseFilterName("derivative-of-gaussian-x:1e0")).toEqual(filters.derivativeOfGaussian("x"));
  });

  test("types know versions and parameters", () => {
    // @ts-expect-error: no such version
    expect(() => filters.sobel("z")).toThrow(/one of x, y/);
    // @ts-expect-error: the version is missing
    expect(() => filters.laplacian()).toThrow(/one of 4, 8/);
    // @ts-expect-error: no such parameter
    expect(() => filters.gaussian({ sigme: 2 })).toThrow(/did you mean "sigma"/);
    // @ts-expect-error: takes none
    expect(() => filters.emboss(3)).toThrow(/no parameters/);
    // @ts-expect-error: text for a number
    expect(() => filters.disk({ radius: "5" })).toThrow(InvalidArgumentError);
    // @ts-expect-error: null is no value
    expect(() => filters.disk({ radius: null })).toThrow(InvalidArgumentError);
  });

  test.each([
    ["sobel-z", /did you mean "sobel-x"/],
    ["gausian", /did you mean "gaussian"/],
    ["sobel", /its name is "sobel-x"/],
    ["laplacian", /its name is "laplacian-4"/],
    ["", /a known name, got ""; rank1 filters lists all names/],
    ["xyzzy", /a known name/],
    ["gaussian:", /parameters after/],
    ["gaussian:sigme=2", /did you mean "sigma"/],
    ["gaussian:sigma=0", /above 0/],
    ["gaussian:sigma=-1", /above 0/],
    ["gaussian:sigma=abc", /"abc"/],
    ["gaussian:sigma=1x2x3", /\[y, x\]/],
    ["gaussian:sigma=", /such as gaussian:sigma=1,truncate=4/],
    ["gaussian:sigma=1=2", /such as gaussian:sigma=1,truncate=4/],
    ["gaussian:sigma", /"sigma"/],
    ["gaussian:2,3", /such as gaussian:sigma=1,truncate=4/],
    ["gaussian:size=4", /odd integer/],
    ["gaussian:truncate=-1", /at least 0/],
    ["box:0", /at least 1/],
    ["box:2.5", /integer/],
    ["binomial:32", /from 1 to 31/],
    ["disk:0", /above 0/],
    ["motion:0.5", /at least 1/],
    ["difference-of-gaussians:ratio=1", /above 1/],
    ["gabor:wavelength=0", /above 0/],
    ["sharpen:2", /no parameters/],
    ["sobel-x:axis=1", /sobel: expected no parameters, got "axis"/],
    ["sharpen:amount=2", /sharpen: expected no parameters, got "amount"/],
    ["box:5,7", /y and x are written 5x7/],
    ["LoG", /got "LoG"; here its name is "laplacian-of-gaussian"/],
    ["Sobel_X", /did you mean "sobel-x"/],
    ["Unsharp mask", /here its name is "unsharp"/],
    ["edges", /here its name is "sobel"/],
    ["median:3", /sums of weighted pixels/],
    ["sobel:5", /sobel: expected no parameters, got "5"; its derivatives are sobel-x and sobel-y/],
    ["unsharp:1,2", /each has its name: amount, sigma, truncate, threshold/],
    ["sobel:Y", /did you mean "sobel-y"/],
    ["cany", /did you mean "canny"/],
    ["canny:2", /expected a linear filter, got "canny"/],
    ["unsharp:threshold=2", /unsharp threshold: expected 0 of a linear filter, got 2; engine.filter/],
  ])("%j is refused", (text, message) => {
    expect(() => parseFilterName(text)).toThrow(InvalidArgumentError);
    expect(() => parseFilterName(text)).toThrow(message);
  });

  test.each([
    "gaussian:sigma=1e6",
    "gaussian:sigma=1e308",
    "gaussian:size=2051",
    "gaussian:truncate=1e9",
    "box:1000000000",
    "disk:1e6",
    "motion:1e12",
    "derivative-of-gaussian-x:1e6",
    "laplacian-of-gaussian:1e6",
    "difference-of-gaussians:ratio=1e6",
    "unsharp:sigma=1e6",
    "gabor:aspect=1e-9",
    "gabor:size=3x2051",
  ])("%s is above the limit", (text) => {
    expect(() => parseFilterName(text)).toThrow(LimitError);
  });

  test("limits can be raised and lowered", () => {
    expect(filters.gaussian({ sigma: 600 }, { maxSide: 5001 })).toMatchObject({ row: { length: 4801 } });
    expect(() => parseFilterName("box:7", { maxSide: 5 })).toThrow(/at most 5 pixels/);
    expect(() => filters.derivativeOfGaussian("x", 2, { maxSide: 5 })).toThrow(LimitError);
  });
});
