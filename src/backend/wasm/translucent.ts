// Moves pixels whose colours count by their alpha, as backend/alpha.ts says and to the same bits: in as colours times alpha, out as
// sums divided by theirs, or compared with the pixel's own colour. In f64, by functions generated for each kind of picture.
import {
  bump,
  type Code,
  type FunctionBuilder,
  get,
  type Local,
  lane,
  load,
  op,
  set,
  splat,
  store,
} from "../../codegen/assembler.ts";
import { bytesOf, type Elements, type ImageDType, type ViewDType } from "../../tensor.ts";
import { leastAlpha, premultiply } from "../alpha.ts";
import type { SourceBinding, TargetBinding } from "../backend.ts";
import { align } from "./memory.ts";
import type { Staging } from "./staging.ts";
import { times } from "./transfer.ts";
import { loadFour, low64, type PixelRows, pick, storeWhole, written } from "./weights.ts";

/** What code for results depends on. */
interface Kind {
  /** Of the picture, and of its result. */
  given: ImageDType;
  dtype: ImageDType;
  channels: number;
  premultiplied: boolean;
  /** Neighbours are compared with the pixel's own colour. */
  compares: boolean;
}

const isWritten = (dtypes: readonly ImageDType[], channels: number, rows: ViewDType): boolean =>
  rows === "f32" && channels >= 2 && channels <= 4 && dtypes.every((dtype) => written.includes(dtype));

/** Room for numbers that are no part of the code. */
const constantsRoom = 64;

/** Moves rows of a picture's pixels to rows of the program, `pitch` bytes apart from an address on. */
export type MultiplyPixels = (source: SourceBinding, pixels: PixelRows, address: number, pitch: number) => void;

/** Moves pixels with their colours times alpha; undefined of kinds that loops in JavaScript move. */
export function multiplierOf(staging: Staging, source: SourceBinding, rows: ViewDType): MultiplyPixels | undefined {
  const { dtype, channels, premultiplied } = source;
  if (premultiplied || !isWritten([dtype], channels, rows)) return undefined;
  const move = staging.compiled(`multiply ${dtype} ${channels}`, 6, (f, memory) =>
    emitMultiply(f, dtype, channels, memory),
  );
  const constants = new Float64Array(1);
  const pixel = bytesOf[dtype] * channels;
  return ({ data, full = 1 }, { first, step, width, count }, to, pitch) => {
    // A vector is read beyond the last pixel.
    const at = staging.reserve(constantsRoom + count * width * pixel + 16);
    const from = at + constantsRoom;
    constants[0] = full;
    staging.put(constants, "f64", 0, constants.length, at);
    staging.putRows(data as Elements, dtype, first * channels, step * channels, width * channels, count, from);
    move(to, pitch, from, at, width, count);
  };
}

/** A pixel beyond the edges under the constant border, its colours times its alpha. */
export function multipliedBorder(source: SourceBinding): Float64Array {
  const pixel = new Float32Array(source.channels).fill(source.borderValue);
  premultiply(pixel, 0, source.channels, source);
  return Float64Array.from(pixel);
}

/** Moves rows of sums out, as pixels of a picture; `own`: those that they lie on. */
export type DividePixels = (
  target: TargetBinding,
  pixels: PixelRows,
  own: Pick<PixelRows, "first" | "step">,
  address: number,
  pitch: number,
) => void;

/** The pixels that `count` rows of a result lie on, where they are read; undefined where some lie beyond the picture. */
export function ownPixels({ source, width, tapSum }: TargetBinding, row: number, count: number) {
  const { origin = { x: 0, y: 0 } } = source;
  const own = { first: (origin.y + row) * source.width + origin.x, step: source.width };
  const isInside = origin.x >= 0 && origin.x + width <= source.width && origin.y + row >= 0 && origin.y + row + count <= source.height; // biome-ignore format: a line
  return tapSum === undefined || isInside ? own : undefined;
}

/** Moves sums of colours times alpha out as colours; undefined of kinds that loops in JavaScript move. */
export function dividerOf(staging: Staging, target: TargetBinding, rows: ViewDType): DividePixels | undefined {
  const { dtype, source, tapSum } = target;
  const { channels, dtype: given, premultiplied = false } = source;
  if (!isWritten([dtype, given], channels, rows)) return undefined;
  const kind: Kind = { given, dtype, channels, premultiplied, compares: tapSum !== undefined };
  const move = staging.compiled(`divide ${Object.values(kind)}`, 7, (f, memory) => emitDivide(f, kind, memory));
  const constants = new Float64Array(5);
  return ({ data, gain, offset, tapSum = 0, source }, { first, step, width, count }, own, from, pitch) => {
    const [row, { full = 1 }] = [width * channels, source];
    // A vector is written beyond the last pixel, and read.
    const ownRoom = constantsRoom + align(count * row * bytesOf[dtype] + 16);
    const at = staging.reserve(ownRoom + count * row * bytesOf[given] + 16);
    constants.set([full, gain, offset, leastAlpha(given, full), tapSum]);
    staging.put(constants, "f64", 0, constants.length, at);
    if (kind.compares)
      staging.putRows(source.data as Elements, given, own.first * channels, own.step * channels, row, count, at + ownRoom); // biome-ignore format: a line
    move(at + constantsRoom, from, pitch, at, at + ownRoom, width, count);
    staging.takeRows(data as Elements, dtype, first * channels, step * channels, row, count, at + constantsRoom);
  };
}

const f64x2 = (name: string, a: Code, b: Code): Code => op(`f64x2.${name}`, a, b);
/** The first two of four floats. */
const lower = (v: Code): Code => op("f64x2.promote_low_f32x4", v);
const upper = (v: Local): Code => lower(pick([2, 3, 2, 3], v, v));
/** One of four floats, twice. */
const twice = (v: Local, which: number): Code => lower(pick([which, which, which, which], v, v));
const narrow = (v: Local): Code => set(v, op("f32x4.demote_f64x2_zero", get(v)));

function emitMultiply(f: FunctionBuilder, dtype: ImageDType, channels: number, staging: number): void {
  const [to, toStep, from, constants, width, count] = f.params as [Local, Local, Local, Local, Local, Local];
  const { at, left } = f.locals("i32", "at", "left");
  const { v, w, low, high, full } = f.locals("v128", "v", "w", "low", "high", "full");
  const scaled = (to: Local, colours: Code): Code[] => [set(to, f64x2("mul", colours, get(w))), narrow(to)];
  // Alpha stays as it is.
  const joined = {
    2: [set(v, pick([0, 5, 6, 7], low, v))],
    3: [set(v, pick([0, 1, 6, 7], low, v))],
    4: [...scaled(high, upper(v)), set(high, pick([0, 7, 0, 7], high, v)), set(v, pick([0, 1, 4, 5], low, high))],
  }[channels]!;
  f.emit(
    set(full, load("v128.load64_splat", get(constants), 0, staging)),
    times(
      count,
      set(at, get(to)),
      set(left, get(width)),
      times(
        left,
        set(v, loadFour(dtype, from, staging)),
        set(w, f64x2("div", twice(v, channels - 1), get(full))),
        ...scaled(low, lower(get(v))),
        ...joined,
        // No more than the pixel is written: what follows may be another row.
        channels === 4 ? store("v128.store", get(at), get(v)) : store("i64.store", get(at), low64(get(v))),
        channels === 3 ? store("f32.store", get(at), lane("f32x4.extract_lane", 2, get(v)), 8) : [],
        bump(at, 4 * channels),
        bump(from, bytesOf[dtype] * channels),
      ),
      bump(to, get(toStep)),
    ),
  );
}

function emitDivide(f: FunctionBuilder, kind: Kind, staging: number): void {
  const { given, dtype, channels, premultiplied, compares } = kind;
  const [to, from, fromStep, constants, own, width, count] = f.params as [Local, Local, Local, Local, Local, Local, Local]; // biome-ignore format: a line
  const { at, left } = f.locals("i32", "at", "left");
  const { v, o, w, rest, low, high, alpha, seen } = f.locals("v128", "v", "o", "w", "rest", "low", "high", "alpha", "seen"); // biome-ignore format: a line
  const numbers = f.array("v128", 5);
  const [full, gain, offset, least, tapSum] = numbers.map(get) as [Code, Code, Code, Code, Code];
  const [last, zero] = [channels - 1, splat("f64x2", 0)];
  const whole = (x: Code): Code => (dtype === "f32" ? x : op("f64x2.floor", f64x2("add", x, splat("f64x2", 0.5))));
  const finished = (x: Code): Code => f64x2("add", f64x2("mul", x, gain), offset);
  const compared = (sums: Code, colours: Code): Code => {
    const mine = premultiplied ? f64x2("div", colours, get(w)) : colours;
    const value = finished(f64x2("add", sums, f64x2("mul", mine, get(rest))));
    return premultiplied ? f64x2("mul", value, get(w)) : value;
  };
  // What was premultiplied stays so.
  const divided = (sums: Code): Code =>
    premultiplied
      ? f64x2("add", f64x2("mul", sums, gain), f64x2("div", f64x2("mul", offset, get(w)), full))
      : finished(f64x2("mul", f64x2("div", sums, get(w)), full));
  const colours = (half: typeof upper): Code =>
    op("v128.and", whole(compares ? compared(half(v), half(o)) : divided(half(v))), get(seen));
  const weights = compares
    ? [
        set(o, loadFour(given, own, staging)),
        bump(own, bytesOf[given] * channels),
        set(w, f64x2("div", twice(o, last), full)),
        set(rest, f64x2("sub", tapSum, f64x2("div", twice(v, last), full))),
        set(seen, f64x2("gt", get(w), zero)),
        set(alpha, whole(twice(o, last))),
      ]
    : [
        set(w, twice(v, last)),
        set(seen, f64x2("gt", get(w), least)),
        set(alpha, whole(f64x2("min", full, f64x2("max", zero, get(w))))),
      ];
  const first = (half: Local): Code => set(half, pick([0, 1, 4, 5], half, alpha));
  const halves = {
    2: [first(low)],
    3: [set(high, get(alpha))],
    4: [set(high, colours(upper)), first(high)],
  }[channels]!;
  const four = channels === 2 ? get(low) : pick([0, 1, 4, 5], low, high);
  const pixel =
    dtype === "f32"
      ? [narrow(low), ...(channels > 2 ? [narrow(high)] : []), store("v128.store", get(to), four, 0, staging)]
      : [
          ...[low, high].slice(0, channels > 2 ? 2 : 1).map((x) => set(x, op("i32x4.trunc_sat_f64x2_s_zero", get(x)))),
          storeWhole(dtype, to, four, staging),
        ];
  f.emit(
    ...numbers.map((x, i) => set(x, load("v128.load64_splat", get(constants), 8 * i, staging))),
    times(
      count,
      set(at, get(from)),
      set(left, get(width)),
      times(
        left,
        set(v, load("v128.load", get(at))),
        ...weights,
        set(
          low,
          colours((x) => lower(get(x))),
        ),
        ...halves,
        ...pixel,
        bump(to, bytesOf[dtype] * channels),
        bump(at, 4 * channels),
      ),
      bump(from, get(fromStep)),
    ),
  );
}
