// The WGSL of the taps family: an element of the result a unit. Integers are summed in 32 bits, and finished exactly: scaling that is
// no shift is a search in a table that says from which sum on a result is which.
import type { Finish, TapsSpec } from "../../plan/types.ts";
import { type ImageDType, rangeOf, type ViewDType } from "../../tensor.ts";
import {
  type Dispatch,
  elementsOf,
  type Operand,
  partsOf,
  rowOf,
  type Shader,
  type WholeStep,
  wordType,
} from "../shader.ts";
import { finishKind, shiftOf } from "./layout.ts";
import { addendOf, finishValue } from "./reference.ts";

const bits = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]!;

/** How a sum becomes a result: statements after `sum`, which leave `value`; words and table that they read. */
export interface Ending {
  lines: string;
  words: Record<string, number>;
  table: number[];
}

const isNarrow = (dtype: ViewDType): dtype is "u8" | "u16" | "i16" =>
  dtype === "u8" || dtype === "u16" || dtype === "i16";

const limits = (dtype: ImageDType): { low: number; high: number } => ({
  low: rangeOf[dtype][0],
  high: rangeOf[dtype][1],
});

/** Of sums in f32. */
export function floatEnding(finish: Finish | undefined, dtype: ViewDType): Ending {
  const { denominator, gain, offset } = finish ?? { denominator: 1, gain: 1, offset: 0 };
  const isPlain = denominator === gain && offset === 0;
  const words: Record<string, number> = isPlain ? {} : { scale: bits(gain / denominator), offset: bits(offset) };
  const scaled = isPlain ? "sum" : "sum * bitcast<f32>(p.scale) + bitcast<f32>(p.offset)";
  if (!isNarrow(dtype)) return { lines: `  let value = ${scaled};`, words, table: [] };
  return {
    lines: `  let real = ${scaled};
  let bounded = clamp(floor(real + 0.5), f32(p.low), f32(p.high));
  let isNumber = (bitcast<u32>(real) & 0x7fffffffu) <= 0x7f800000u;
  let value = select(0, i32(bounded), isNumber);`,
    words: { ...words, ...limits(dtype) },
    table: [],
  };
}

/** Of sums in integers. */
export function wholeEnding(spec: Pick<TapsSpec, "arithmetic" | "finish">, dtype: ViewDType): Ending {
  const { finish, arithmetic } = spec;
  if (!isNarrow(dtype) || !finish) {
    const { denominator, gain, offset } = finish ?? { denominator: 1, gain: 1, offset: 0 };
    if (dtype !== "f32") return { lines: "  let value = sum;", words: {}, table: [] };
    const lines = `  let value = f32(sum) * bitcast<f32>(p.scale) + bitcast<f32>(p.offset);`;
    return { lines, words: { scale: bits(gain / denominator), offset: bits(offset) }, table: [] };
  }
  const kind = finishKind(finish, arithmetic);
  const range = limits(dtype);
  if (kind === "saturate") return { lines: "  let value = clamp(sum, p.low, p.high);", words: range, table: [] };
  const shift = shiftOf(finish);
  if (shift !== undefined)
    return {
      lines: "  let value = clamp((sum + p.rounding) >> u32(p.shift), p.low, p.high);",
      words: { ...range, shift, rounding: (finish.offset + 0.5) * 2 ** shift },
      table: [],
    };
  const { from, most } = thresholds(finish, dtype);
  return {
    lines: `  let signed = sum * p.sign;
  var value = clamp(i32(floor(f32(signed) * bitcast<f32>(p.scale) + bitcast<f32>(p.offset))), p.low, p.most);
  while (value > p.low && signed < t[p.steps + value - p.low]) { value--; }
  while (value < p.most && signed >= t[p.steps + value + 1 - p.low]) { value++; }`,
    words: {
      ...{ low: range.low, most, sign: finish.gain < 0 ? -1 : 1 },
      ...{ scale: bits(Math.abs(finish.gain) / finish.denominator), offset: bits(finish.offset + 0.5) },
    },
    table: from,
  };
}

/** From which sum on (where the gain is below 0, its negative) results are at least the first one after the least, and so on. */
function thresholds(finish: Finish, dtype: "u8" | "u16" | "i16"): { from: number[]; most: number } {
  const [low, high] = rangeOf[dtype];
  const sign = finish.gain < 0 ? -1 : 1;
  const result = (sum: number): number => finishValue(sign * sum, finish, dtype);
  const [least, last] = [-(2 ** 31) + 1, 2 ** 31 - 1];
  const most = result(last);
  const from = [least];
  let begin = least;
  for (let wanted = low + 1; wanted <= high; wanted++) {
    if (wanted > most) break;
    let [below, above] = [begin - 1, last];
    while (above - below > 1) {
      const middle = Math.floor((below + above) / 2);
      if (result(middle) >= wanted) above = middle;
      else below = middle;
    }
    from.push(above);
    begin = above;
  }
  return { from, most };
}

/** The store of `value` as the target's words have it. */
export const stored = ({ spec: { dtype } }: Operand, value: string): string => `${wordType(dtype)}(${value})`;

const unit = "elements";

/** Whether there are words for what a step reads and writes. */
export function missingTypes(buffers: readonly { dtype: ViewDType }[], arithmetic: string): string | undefined {
  if (arithmetic === "f64") return "sums in f64, which WGSL does not have";
  const odd = buffers.find(({ dtype }) => !wordType(dtype));
  return odd && `elements of ${odd.dtype}`;
}

export const taps: Shader<TapsSpec> = {
  missing: ({ arithmetic }, { reads, write }) => missingTypes([...reads, write], arithmetic),
  dispatches(spec, step: WholeStep): Dispatch[] {
    const { reads, write } = step;
    const [x] = reads as [Operand];
    const { mean, strides: [sy, sx] = [1, 1] } = spec;
    const inFloats = spec.arithmetic === "f32";
    const dtype = spec.arithmetic === "fixed" && write.spec.scope === "strip" ? "i16" : write.spec.dtype;
    const ending = inFloats ? floatEnding(spec.finish, dtype) : wholeEnding(spec, dtype);
    const addend = addendOf(spec, [...reads.keys()]);
    const type = inFloats ? "f32" : "i32";
    const from = sx === 1 ? "i" : `i / p.channels * ${sx} * p.channels + i % p.channels`;
    const body = `${partsOf("u", ["i", `p.${unit}`], ["y0"])}
  let start = y0 * ${sy} * p.pitch + ${from};
  var sum = ${addend === undefined ? `${type}(0)` : `${type}(x${addend}[y0 * p.addPitch + i])`};
  for (var k = 0; k < p.taps; k++) { sum += ${inFloats ? "bitcast<f32>(t[2 * k + 1])" : "t[2 * k + 1]"} * ${type}(x0[start + t[2 * k]]); }
${
  mean
    ? `  let one = sum * bitcast<f32>(p.less);
  let two = sum * bitcast<f32>(p.more);
  sum = min(max(min(one, two), f32(x${reads.length - 1}[(y0 + ${mean.dy}) * p.meanPitch + i + ${mean.dx} * p.channels])), max(one, two));`
    : ""
}
${ending.lines}
  y[u] = ${stored(write, "value")};`;
    const last = reads.at(-1)!;
    const entries = spec.taps.flatMap(({ dy, dx, tap }) => [
      dy * rowOf(x) + dx * x.channels,
      inFloats ? bits(tap) : tap,
    ]);
    const arrays = Object.fromEntries(reads.map(({ spec: { dtype } }, i) => [`x${i}`, wordType(dtype)!]));
    return [
      {
        module: { body },
        arrays: { ...arrays, t: "i32", y: wordType(write.spec.dtype)! },
        words: {
          ...{ elements: rowOf(write), pitch: rowOf(x), channels: x.channels, taps: spec.taps.length },
          ...{ addPitch: addend === undefined ? 0 : rowOf(reads[addend]!), steps: entries.length },
          ...(mean && { meanPitch: rowOf(last), less: bits(1 - mean.slack), more: bits(1 + mean.slack) }),
          ...ending.words,
        },
        units: elementsOf(write),
        table: Int32Array.from([...entries, ...ending.table]),
      },
    ];
  },
};
