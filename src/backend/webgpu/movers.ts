// Dispatches between the caller's elements and a plan's places: tensors in either order of axes, pictures with their borders, packed as
// many to a word as fit.

import { type Dispatch, type Operand, partsOf, wordType } from "../../kernels/shader.ts";
import { functionsFor } from "../../kernels/shader-functions.ts";
import type { Border } from "../../plan/types.ts";
import { bytesOf, type ImageDType, isFloat, rangeOf } from "../../tensor.ts";
import { leastAlpha } from "../alpha.ts";
import type { SourceBinding, TargetBinding, TensorBinding } from "../backend.ts";

const bits = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0]!;

/** Whether a tensor lies as its place does, so that it is copied as it is. */
export const isAlike = ({ format, channels, height, width, members = 1 }: TensorBinding, place: Operand): boolean =>
  members === 1 &&
  channels === place.channels &&
  (format === "NHWC" || channels === 1 || height * width === 1) &&
  place.spec.dtype === "f32";

const tensorWords = ({ format, images, height, width, channels, members = 1 }: TensorBinding, place: Operand) => ({
  ...{ height, width, channels, members, rows: images * height, stored: place.channels },
  image: height * width * channels,
  ...(format === "NHWC"
    ? { line: width * channels, pixel: channels, channel: 1 }
    : { line: width, pixel: 1, channel: height * width }),
});

const outside = "y0 / p.height * p.image + y0 % p.height * p.line + x * p.pixel + o * p.channel";

/** A tensor (x0) to its place (y). */
export function tensorIn(binding: TensorBinding, place: Operand): Dispatch {
  const words = tensorWords(binding, place);
  const body = `${partsOf("u", ["s", "p.stored"], ["x", "p.width"], ["y0"])}
  let each = p.stored / p.members;
  let o = s % each * p.members + s / each;
  y[u] = select(0.0, x0[${outside}], o < p.channels);`;
  const arrays = { x0: "f32", y: "f32" } as const;
  return { module: { body }, arrays, words, units: words.rows * words.width * words.stored };
}

/** A place (x0) to a tensor (y). */
export function tensorOut(binding: TensorBinding, place: Operand): Dispatch {
  const words = tensorWords(binding, place);
  const body = `${partsOf("u", ["o", "p.channels"], ["x", "p.width"], ["y0"])}
  let s = o % p.members * (p.stored / p.members) + o / p.members;
  y[${outside}] = x0[(y0 * p.width + x) * p.stored + s];`;
  const arrays = { x0: "f32", y: "f32" } as const;
  return { module: { body }, arrays, words, units: words.rows * words.width * words.channels };
}

/** The index that stands for `i` on a side of `n`, or below 0, as `borderIndex` has it. */
const borders: Readonly<Record<Border, string>> = {
  constant: "return select(-1, i, i >= 0 && i < n);",
  edge: "return clamp(i, 0, n - 1);",
  wrap: "return ((i % n) + n) % n;",
  reflect: "let c = max(1, 2 * n - 2); let at = ((i % c) + c) % c; return select(c - at, at, at < n);",
  symmetric: "let c = 2 * n; let at = ((i % c) + c) % c; return select(c - 1 - at, at, at < n);",
};
const borderFunction = (border: Border): string => `fn placeOf(i: i32, n: i32) -> i32 { ${borders[border]} }`;

type Packed = Exclude<ImageDType, "u32" | "f64">;
/** Whether elements of a type are packed into words; those of i32 only come as integers from places of such. */
export const isPacked = (dtype: ImageDType): dtype is Packed => dtype !== "u32" && dtype !== "f64";

/** A function that reads one element of a packed array of u32. */
function fetch(name: string, array: string, dtype: Packed): string {
  const each = 4 / bytesOf[dtype];
  const whole = dtype === "i32" ? "i32" : "f32";
  if (each === 1) return `fn ${name}(i: i32) -> ${whole} { return bitcast<${whole}>(${array}[i]); }`;
  const size = 32 / each;
  const word = `${array}[i / ${each}] << u32(${32 - size} - i % ${each} * ${size})`;
  const kind = rangeOf[dtype][0] < 0 ? "i32" : "u32";
  return `fn ${name}(i: i32) -> i32 { return i32(bitcast<${kind}>(${word}) >> ${32 - size}u); }`;
}

/** A picture (x0) to the rows that a filter reads (y), with what stands beyond its edges; times its alpha where that weights it. */
export function sourceIn(binding: SourceBinding, place: Operand): Dispatch {
  const { width, height, channels, border, borderValue, alpha, full = 1, premultiplied, origin } = binding;
  const dtype = binding.dtype as Packed;
  const type = wordType(place.spec.dtype)!;
  const { above, left = 0 } = place.spec;
  const isWeighted = alpha === "premultiply" && !premultiplied;
  const value = isWeighted ? 'select(f32(element(at + c)) * (f32(element(at + p.channels - 1)) / bitcast<f32>(p.full)), f32(element(at + c)), c == p.channels - 1)' : "element(at + c)"; // biome-ignore format: a line
  const beyond = isWeighted ? "select(edge * (edge / bitcast<f32>(p.full)), edge, c == p.channels - 1)" : "edge";
  const edge = type === "f32" ? "bitcast<f32>(p.edge)" : "p.edge";
  const body = `${partsOf("u", ["c", "p.channels"], ["i", "p.pixels"], ["j"])}
  let line = placeOf(p.originY + j - p.above, p.height);
  let column = placeOf(p.originX + i - p.left, p.width);
  let edge = ${edge};
  let at = (line * p.width + column) * p.channels;
  if (line < 0 || column < 0) { y[u] = ${beyond}; } else { y[u] = ${type}(${value}); }`;
  return {
    module: { body, functions: [borderFunction(border), fetch("element", "x0", dtype)] },
    arrays: { x0: "u32", y: type },
    words: {
      ...{ channels, pixels: place.pixels, height, width, above, left },
      ...{ originX: origin?.x ?? 0, originY: origin?.y ?? 0 },
      edge: type === "f32" ? bits(borderValue) : Math.trunc(borderValue),
      full: bits(full),
    },
    units: place.rows * place.pixels * channels,
  };
}

/** What the alpha of a result needs on the GPU; undefined of what only the host does. */
export const alphaOf = ({ alpha, tapSum }: TargetBinding): "none" | "keep" | "premultiply" | undefined =>
  tapSum === undefined ? alpha : undefined;

/** Results (x0) as a packed picture (y); alpha that is kept comes from the source (x1). */
export function targetOut(binding: TargetBinding, place: Operand): Dispatch {
  const { width, height, source, gain, offset } = binding;
  const dtype = binding.dtype as Packed;
  const { channels, full = 1, premultiplied, origin = { x: 0, y: 0 }, border, borderValue } = source;
  const alpha = alphaOf(binding)!;
  const each = 4 / bytesOf[dtype];
  const rounds = !isFloat(dtype);
  const [low, high] = rounds ? rangeOf[dtype] : [0, 0];
  const isWhole = wordType(place.spec.dtype) === "i32";
  const rounded = (value: string, whole: boolean): string => {
    if (!rounds) return `f32(${value})`;
    if (whole) return `clamp(${value}, p.low, p.high)`;
    return `i32(clamp(floor(f32(${value}) + 0.5), f32(p.low), f32(p.high)))`;
  };
  const type = rounds ? "i32" : "f32";
  const colour = premultiplied
    ? "sum * bitcast<f32>(p.gain) + bitcast<f32>(p.offset) * weight / bitcast<f32>(p.full)"
    : "sum / weight * bitcast<f32>(p.full) * bitcast<f32>(p.gain) + bitcast<f32>(p.offset)";
  const values: Readonly<Record<"none" | "keep" | "premultiply", string>> = {
    none: `  return ${rounded("x0[i]", isWhole)};`,
    keep: `  if (i % p.channels != p.channels - 1) { return ${rounded("x0[i]", isWhole)}; }
  let pixel = i / p.channels;
  let line = placeOf(p.originY + pixel / p.width, p.sourceHeight);
  let column = placeOf(p.originX + pixel % p.width, p.sourceWidth);
  if (line < 0 || column < 0) { return ${rounded("bitcast<f32>(p.edge)", false)}; }
  return ${rounded("element((line * p.sourceWidth + column) * p.channels + p.channels - 1)", !isFloat(source.dtype))};`,
    premultiply: `  let sum = f32(x0[i]);
  let weight = f32(x0[i - i % p.channels + p.channels - 1]);
  if (i % p.channels == p.channels - 1) { return ${rounded("clamp(weight, 0.0, bitcast<f32>(p.full))", false)}; }
  if (!(weight > bitcast<f32>(p.least))) { return ${type}(0); }
  return ${rounded(`(${colour})`, false)};`,
  };
  const size = 32 / each;
  const mask = size === 32 ? "" : ` & ${(2 ** size - 1).toString()}u`;
  const word = Array.from({ length: each }, (_, k) => `((bitcast<u32>(result(min(${each} * u + ${k}, p.elements - 1)))${mask}) << ${k * size}u)`); // biome-ignore format: a line
  const own = `fn result(i: i32) -> ${type} {\n${values[alpha]}\n}`;
  const body = `  y[u] = ${each === 1 ? "bitcast<u32>(result(u))" : word.join(" | ")};`;
  const elements = width * height * channels;
  const keeps = alpha === "keep";
  return {
    module: {
      body,
      functions: [
        ...(keeps ? [borderFunction(border), fetch("element", "x1", source.dtype as Packed)] : []),
        own,
        ...functionsFor(own),
      ],
    },
    arrays: { x0: wordType(place.spec.dtype)!, ...(keeps && ({ x1: "u32" } as const)), y: "u32" },
    words: {
      ...{ elements, channels, width, low, high, originX: origin.x, originY: origin.y },
      ...{ sourceWidth: source.width, sourceHeight: source.height, edge: bits(borderValue) },
      ...{ gain: bits(gain), offset: bits(offset), full: bits(full) },
      least: bits(leastAlpha(source.dtype, full)),
    },
    units: Math.ceil(elements / each),
  };
}
