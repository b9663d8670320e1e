// The arithmetic of Learn's screens, against rank1's own, and the figures that the screens tell.
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { createEngine, layerCost } from "../../src/index.ts";
import {
  direct,
  inPasses,
  layerCosts,
  less,
  needleOf,
  outputAt,
  picture,
  places,
  rowSumAt,
  sobel,
  sobelColumn,
  windowSums,
} from "../../web/src/learn/numbers.ts";
import { termsOf } from "../../web/src/learn/rank.tsx";
import { runDirect, runPasses, timeBoth, timedSide } from "../../web/src/learn/timing.ts";

const all = Array.from({ length: places * places }, (_, i) => [Math.floor(i / places), i % places] as const);

describe("the window", () => {
  it("gives what the engine gives", async () => {
    const engine = await createEngine({ backend: "reference" });
    const data = Uint8Array.from(picture.flat());
    const image = { width: 9, height: 9, channels: 1, data } as const;
    const options = { extent: "valid", output: "i16" } as const;
    const result = await engine.filter(image, "sobel-x", options);
    expect([...result.data]).toEqual(all.map(([y, x]) => outputAt(sobel, y, x)));
    engine.dispose();
  });

  it("gives the same by a row, then a column", () => {
    for (const [y, x] of all)
      expect(sobelColumn.reduce<number>((sum, tap, i) => sum + tap * rowSumAt(y + i, x), 0)).toBe(
        outputAt(sobel, y, x),
      );
  });
});

describe("a table and its first term", () => {
  it("sum to the table, and nothing remains at rank 1", () => {
    const values = fc.array(fc.integer({ min: -99, max: 99 }), { minLength: 9, maxLength: 9 });
    const taps = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 3, maxLength: 3 });
    const products = fc.tuple(taps, taps).map(([column, row]) => column.flatMap((c) => row.map((r) => c * r)));
    fc.assert(
      fc.property(fc.oneof(values, products), (table) => {
        const { rank, column, row, remainder } = termsOf(table);
        const back = column.flatMap((c, y) => row.map((r, x) => c * r + remainder[y]![x]!));
        for (const [i, value] of back.entries()) expect(value).toBeCloseTo(table[i]!, 9);
        expect(remainder.flat().every((value) => value === 0)).toBe(rank <= 1);
      }),
    );
  });

  it.each([
    [[1, 1, 1, 1, 1, 1, 1, 1, 1], 1],
    [[1, 1, 1, 1, 2, 1, 1, 1, 1], 2],
    [[0.1, 0.2, 0.3, 0.2, 0.4, 0.6, 0.3, 0.6, 0.9], 1],
    [[0, 0, 0, 0, 0, 0, 0, 0, 0], 0],
  ])("%j is of rank %i", (table, rank) => {
    expect(termsOf(table).rank).toBe(rank);
    expect(
      termsOf(table)
        .remainder.flat()
        .some((value) => value !== 0),
    ).toBe(rank > 1);
  });

  it("leaves no rounding behind", () => {
    expect(less([[0.3]], [0.1], [3])).toEqual([[0]]);
  });
});

test("counts are those of the screens", () => {
  expect([direct(7), inPasses(7, 1), direct(31), inPasses(31, 1)]).toEqual([49, 14, 961, 62]);
  expect(layerCosts({ places: 8, channels: 3, side: 5, outputs: 256 })).toEqual({
    ...{ regular: 1_228_800, windows: 4_800, needles: 49_152 },
  });
  expect(layerCosts({ places: 8, channels: 3, side: 5, outputs: 1 })).toMatchObject({ regular: 4_800, needles: 192 });
});

it("layers cost what rank1 says", () => {
  const side = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(side, side, fc.constantFrom(1, 3, 5), side, (places, channels, size, outputs) => {
      const { regular, windows, needles } = layerCosts({ places, channels, side: size, outputs });
      const input = [places + size - 1, places + size - 1, channels] as const;
      const layer = { input, size: [size, size], outputs, pads: "valid" } as const;
      expect(regular).toBe(layerCost({ ...layer, form: "conv" }).multiplications);
      expect(windows + needles).toBe(layerCost({ ...layer, form: "separable" }).multiplications);
    }),
  );
});

it("windows have the order R R G G B B, and needles a number for each", () => {
  const [one, two] = [windowSums(3, 4, 1), windowSums(3, 4, 2)];
  expect(one).toHaveLength(3);
  expect(two).toHaveLength(6);
  expect([two[0], two[2], two[4]]).toEqual(one);
  expect(needleOf(0, 6)).toHaveLength(6);
});

describe("the loops that are timed", () => {
  it("give the same sums", () => {
    const k = 5;
    const width = timedSide + k - 1;
    const x = Float32Array.from({ length: width * width }, (_, i) => (i * 7) % 11);
    const [column, row] = [Float32Array.of(1, 2, 3, 2, 1), Float32Array.of(-1, 0, 2, 0, 1)];
    const weights = Float32Array.from({ length: k * k }, (_, i) => column[Math.floor(i / k)]! * row[i % k]!);
    const [a, b] = [new Float32Array(timedSide ** 2), new Float32Array(timedSide ** 2)];
    runDirect(x, a, weights, k);
    runPasses(x, b, [[column, row]], new Float32Array(width * timedSide), k);
    expect(a).toEqual(b);
  });

  it("stop when they are told to", async () => {
    await expect(timeBoth(3, 1, AbortSignal.abort())).rejects.toThrow("abort");
    const { direct, passes } = await timeBoth(3, 1, new AbortController().signal);
    expect(Math.min(direct, passes)).toBeGreaterThan(0);
  });
});
