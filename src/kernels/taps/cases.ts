// Test shapes of the taps family: every arithmetic with every type and finish that it has, columns, rows and lists of taps
// that are unrolled and looped over, steps, sums that go on, and the passes of fixed point, which need one another.
import type { Arithmetic, Finish, Step, TapsSpec } from "../../plan/types.ts";
import type { ViewDType } from "../../tensor.ts";
import { count, type KernelCase, pictureOf, rowsOf } from "../case.ts";
import { stripBuffer } from "../filter.ts";
import { tapsBlock } from "./layout.ts";

type Taps = TapsSpec["taps"];
/** Small integers, of both signs unless the arithmetic has but one. */
const tapOf = (k: number, arithmetic: Arithmetic): number => {
  if (arithmetic === "f32") return ((k % 5) - 1.7) / 3;
  if (arithmetic === "f64") return ((k % 5) - 1) * (2 ** 20 + 1);
  return arithmetic === "u16" ? 1 + (k % 3) : (k % 5) - 1;
};
const listOf = (places: readonly [dy: number, dx: number][], arithmetic: Arithmetic): Taps =>
  places.map(([dy, dx], k) => ({ dy, dx, tap: tapOf(k, arithmetic) }));
const column = (length: number) => count(0, length).map((dy): [number, number] => [dy, 0]);
const row = (length: number, step = 1) => count(0, length).map((k): [number, number] => [0, k * step]);
const list = (height: number, width: number) =>
  column(height).flatMap(([dy]) => row(width).map(([, dx]): [number, number] => [dy, dx]));

/** Lists of up to eight taps are unrolled, columns of four and more make four rows at once. */
const places: Readonly<Record<string, readonly [dy: number, dx: number][]>> = {
  "one tap": row(1),
  ...Object.fromEntries([2, 3, 4, 5, 8, 12].map((length) => [`a column of ${length}`, column(length)])),
  ...Object.fromEntries([2, 3, 4, 5, 7, 8, 12].map((length) => [`a row of ${length}`, row(length)])),
  "a row of 3, 2 apart": row(3, 2),
  "a row of 9, 3 apart": row(9, 3),
  "6 taps": list(2, 3),
  "12 taps": list(3, 4),
};

interface Numbers {
  arithmetic: Exclude<Arithmetic, "fixed">;
  from: ViewDType;
  to: ViewDType;
  finish?: Finish;
}

/** Where inputs lie, so that sums of 12 taps fit, and nearly fill their type. */
const rangeOf: Partial<Record<string, readonly [number, number]>> = {
  "i16 i16": [-2100, 2100],
  "u16 u16": [0, 2700],
  "i32 i32": [-1_000_000, 1_000_000],
  "f64 i32": [-(2 ** 27), 2 ** 27],
};

const plain: Finish = { denominator: 1, gain: 1, offset: 0 };
const finishes: readonly [name: string, finish: Finish][] = [
  ["saturated", plain],
  ["shifted", { denominator: 16, gain: 1, offset: 2 }],
  ["scaled", { denominator: 9, gain: 1, offset: 0 }],
];
const results = ["u8", "u16", "i16", "f32"] as const;
const resultsOf = (arithmetic: Arithmetic): readonly ViewDType[] =>
  arithmetic === "f64" ? [...results, "f64"] : results;
const sources: readonly [Numbers["arithmetic"], ViewDType][] = [
  ...(["u8", "i16"] as const).map((from): [Numbers["arithmetic"], ViewDType] => ["i16", from]),
  ...(["u8", "u16"] as const).map((from): [Numbers["arithmetic"], ViewDType] => ["u16", from]),
  ...(["u8", "u16", "i16", "i32"] as const).map((from): [Numbers["arithmetic"], ViewDType] => ["i32", from]),
  ...(["u8", "u16", "i16", "f32"] as const).map((from): [Numbers["arithmetic"], ViewDType] => ["f32", from]),
  ...(["u8", "u16", "i16", "i32", "f64"] as const).map((from): [Numbers["arithmetic"], ViewDType] => ["f64", from]),
];
/** Every end of a sum: as it is, in the type of the arithmetic, and finished in each type of pictures. */
const endsOf = ([arithmetic, from]: (typeof sources)[number]): [name: string, Numbers][] => [
  ["raw", { arithmetic, from, to: arithmetic as ViewDType }],
  ...resultsOf(arithmetic).flatMap((to) =>
    finishes.map(([name, finish]): [string, Numbers] => [name, { arithmetic, from, to, finish }]),
  ),
];

interface Size {
  width?: number;
  height?: number;
  channels?: number;
  strides?: [number, number];
}

function taps(shape: string, [end, { arithmetic, from, to, finish }]: [string, Numbers], size: Size = {}): KernelCase {
  const { width = 21, height = 7, channels = 1, strides } = size;
  const all = listOf(places[shape]!, arithmetic);
  const [bottom, right] = [Math.max(...all.map(({ dy }) => dy)), Math.max(...all.map(({ dx }) => dx))];
  const [above, left] = [bottom >> 1, right >> 1];
  const sides = { width: width * (strides?.[1] ?? 1), height: height * (strides?.[0] ?? 1) };
  const { input, picture } = pictureOf({
    ...{ ...sides, channels, dtype: from, pads: [above, left, bottom - above, right - left] },
    range: rangeOf[`${arithmetic} ${from}`],
  });
  const kernel: TapsSpec = {
    ...{ family: "taps", taps: all, arithmetic },
    ...(finish && { finish }),
    ...(strides && { strides }),
  };
  return {
    name: `${shape}, ${from} to ${to} in ${arithmetic}, ${end}, ${width} x ${height} x ${channels}${strides ? `, every ${strides.join(" x ")}th` : ""}`,
    grid: { images: 1, extent: height },
    steps: [{ name: "taps", kernel, reads: ["x"], writes: "y" }],
    buffers: [{ ...input, stride: strides?.[0] ?? 1 }, rowsOf("y", "output", to, width, channels)],
    picture,
    rows: height,
    ...(from === "f64" && { integers: 2 ** 20 }),
  };
}

/** Two terms in fixed point, the second of which goes on with the sums of the first. */
function fixed(terms: 1 | 2, taps: number, width: number, to: ViewDType, more: Partial<KernelCase> = {}): KernelCase {
  const [height, channels] = [9, 1 + (width % 3)];
  const before = (taps - 1) >> 1;
  const { input, picture } = pictureOf({
    ...{ width, height, channels, dtype: "u8", pads: [before, before, taps - 1 - before, taps - 1 - before] },
  });
  const pass = (axis: "dy" | "dx", finish: Finish | undefined, term: number): TapsSpec => ({
    ...{ family: "taps", arithmetic: "fixed", ...(finish && { finish }) },
    taps: count(0, taps).map((k) => ({ dy: 0, dx: 0, [axis]: k, tap: 3 + ((k * 5 + term) % 7) * (term ? -1 : 1) })),
  });
  const steps = count(0, terms).flatMap((term): Step[] => {
    const last = term === terms - 1;
    return [
      {
        ...{ name: "column pass", reads: ["x"], writes: "column" },
        kernel: pass("dy", { denominator: 2 ** 4, gain: 1, offset: 0 }, term),
      },
      {
        ...{ name: "row pass", reads: term ? ["column", "sum"] : ["column"], writes: last ? "y" : "sum" },
        kernel: pass("dx", last ? { denominator: 2 ** 8, gain: 1, offset: 3 } : undefined, term),
      },
    ];
  });
  return {
    name: `fixed point, ${terms} x ${taps} and ${taps} taps to ${to}, ${width} x ${height} x ${channels}`,
    grid: { images: 1, extent: height },
    steps,
    buffers: [
      input,
      stripBuffer("column", "fixed", input.width, channels),
      ...(terms > 1 ? [stripBuffer("sum", "fixed", width, channels)] : []),
      rowsOf("y", "output", to, width, channels),
    ],
    picture,
    rows: height,
    ...more,
  };
}

/** A column pass and a row pass, between which lie the sums of the first. */
function passes(
  length: number,
  [arithmetic, from]: (typeof sources)[number],
  to: ViewDType,
  columns = arithmetic,
): KernelCase {
  const column = listOf(places[`a column of ${length}`]!, columns);
  const row = listOf(places[`a row of ${length}`]!, arithmetic);
  const [width, height, before] = [23, 9, length >> 1];
  const after = length - 1 - before;
  const { input, picture } = pictureOf({
    ...{ width, height, channels: 2, dtype: from, pads: [before, before, after, after] },
    range: from === "i32" ? [-4000, 4000] : undefined,
  });
  return {
    name: `a column and a row of ${length}, ${from} to ${to} in ${columns} and ${arithmetic}`,
    grid: { images: 1, extent: height },
    steps: [
      {
        name: "column pass",
        kernel: { family: "taps", taps: column, arithmetic: columns },
        reads: ["x"],
        writes: "column",
      },
      {
        ...{ name: "row pass", reads: ["column"], writes: "y" },
        kernel: { family: "taps", taps: row, arithmetic, finish: finishes[2]![1] },
      },
    ],
    buffers: [input, stripBuffer("column", arithmetic, input.width, 2), rowsOf("y", "output", to, width, 2)],
    picture,
    rows: height,
  };
}

/** A sum in three steps, each of which adds its own taps to those before. */
function parts(shape: string, source: (typeof sources)[number], to: ViewDType): KernelCase {
  const [arithmetic, from] = source;
  const whole = taps(shape, ["in three parts", { arithmetic, from, to, finish: plain }]);
  const kernel = whole.steps[0]!.kernel as TapsSpec;
  const part = (first: number, end?: number): TapsSpec => {
    const { finish, ...rest } = kernel;
    return { ...rest, taps: kernel.taps.slice(first, end), ...(end === undefined && { finish }) };
  };
  return {
    ...whole,
    steps: [
      { name: "first", kernel: part(0, 2), reads: ["x"], writes: "sum" },
      { name: "second", kernel: part(2, 3), reads: ["x", "sum"], writes: "sum" },
      { name: "third", kernel: part(3), reads: ["x", "sum"], writes: "y" },
    ],
    buffers: [whole.buffers[0]!, stripBuffer("sum", arithmetic, 21, 1), whole.buffers[1]!],
  };
}

/** Sums that are moved towards a pixel: one of those that they are made of, or, in two passes, of the picture. */
function means(shape: string, from: ViewDType, width: number, ways: "one" | "parts" | "passes"): KernelCase {
  const [, numbers] = inF32(from, "f32");
  const whole =
    ways === "passes"
      ? passes(5, ["f32", from], "f32")
      : ways === "parts"
        ? parts(shape, ["f32", from], "f32")
        : taps(shape, ["a mean", { ...numbers, finish: plain }], { width, channels: 1 + (width % 4) });
  const last = whole.steps.at(-1)!;
  const { taps: own } = whole.steps[0]!.kernel as TapsSpec;
  // Half of the results are that pixel, about.
  const mean = { ...own.at(-1)!, slack: 2 ** -2 };
  const kernel: TapsSpec = { ...(last.kernel as TapsSpec), finish: plain, mean: { ...mean, dy: mean.dy >> 1 } };
  const steps = [...whole.steps.slice(0, -1), { ...last, kernel, reads: [...last.reads, "x"] }];
  return { ...whole, name: `${whole.name}, of a mean`, steps };
}

const inF32 = (from: ViewDType, to: ViewDType): [string, Numbers] => [
  "scaled",
  { arithmetic: "f32", from, to, finish: finishes[2]![1] },
];
const inI16: [string, Numbers] = ["shifted", { arithmetic: "i16", from: "u8", to: "u8", finish: finishes[1]![1] }];
const widths = count(1, 2 * tapsBlock + 1);

export const cases: readonly KernelCase[] = [
  ...sources.flatMap((source) =>
    endsOf(source).flatMap((end) =>
      (["a column of 5", "a column of 12", "6 taps", "12 taps", "a row of 12"] as const).map((shape, k) =>
        taps(shape, end, { channels: 1 + (k % 3) }),
      ),
    ),
  ),
  // Every shape in every arithmetic, each with another end.
  ...Object.keys(places).flatMap((shape, s) =>
    sources.map((source, k) => {
      const ends = endsOf(source);
      return taps(shape, ends[(3 * s + k) % ends.length]!, { width: 13, channels: 1 + ((s + k) % 4) });
    }),
  ),
  ...widths.flatMap((width) => [
    taps("6 taps", inI16, { width, height: 3 }),
    taps("a column of 5", inF32("u8", "u8"), { width, height: 5 }),
    taps("a row of 12", inF32("f32", "f32"), { width, height: 2 }),
    fixed(1, 5, width, "u8"),
  ]),
  ...count(1, 9).map((height) => taps("a column of 5", inF32("u16", "u16"), { width: 9, height })),
  ...([1, 2] as const).flatMap((terms) =>
    [1, 2, 5, 9, 12].flatMap((length) => (["u8", "u16", "i16"] as const).map((to) => fixed(terms, length, 30, to))),
  ),
  ...(["12 taps", "a row of 12", "6 taps"] as const).flatMap((shape) =>
    sources.flatMap((source) => resultsOf(source[0]).map((to) => parts(shape, source, to))),
  ),
  ...[2, 3, 4, 8, 12].flatMap((length, k) =>
    (["u8", "u16", "i16", "i32"] as const).flatMap((from) =>
      (["f64", "i32"] as const).map((columns) => passes(length, ["f64", from], results[k % 4]!, columns)),
    ),
  ),
  ...sources
    .filter(([arithmetic]) => arithmetic === "f32")
    .flatMap(([, from]) => [
      ...Object.keys(places).flatMap((shape, k) => [13 + k, 65 + k].map((width) => means(shape, from, width, "one"))),
      ...(["12 taps", "a row of 12", "6 taps"] as const).map((shape) => means(shape, from, 0, "parts")),
      means("", from, 0, "passes"),
    ]),
  ...[2, 3, 5].flatMap((step) => [
    taps("a column of 5", ["raw", { arithmetic: "f32", from: "u8", to: "f32" }], { strides: [step, 1], channels: 2 }),
    taps("a row of 12", ["raw", { arithmetic: "f32", from: "f32", to: "f32" }], {
      strides: [1, step],
      channels: step - 1,
    }),
  ]),
  { ...taps("a column of 12", inF32("f32", "f32"), { width: 2000, height: 1000 }), name: "benchmark", benchmark: true },
];
