// Moves pixels with weights between the caller's arrays and a program's rows, as backend/known.ts says: in as channels times weight
// with the weight behind them, out as means. Through staging memory, by functions generated for each kind of picture.
import {
  bump,
  type Code,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  lane,
  load,
  op,
  set,
  shuffle,
  splat,
  store,
  whileLoop,
} from "../../codegen/assembler.ts";
import { bytesOf, checkThere, type Elements, type ImageDType, imageDTypeOf, type ViewDType } from "../../tensor.ts";
import { leastAlpha, opaque } from "../alpha.ts";
import type { SourceBinding, TargetBinding } from "../backend.ts";
import { fullWeight, leastWeight, type Staged, stagedAs, unweigh, weigh } from "../known.ts";
import { align } from "./memory.ts";
import type { Staging } from "./staging.ts";
import { times } from "./transfer.ts";

/** Rows of the caller's pixels: the first, the distance of rows, how many pixels a row has, and how many rows. */
export interface PixelRows {
  first: number;
  step: number;
  width: number;
  count: number;
}

/** What code depends on. */
interface Kind extends Staged {
  dtype: ImageDType;
  /** Channels of the picture. */
  given: number;
}

/** Of pixels that come in. */
interface InKind extends Kind {
  mask: ImageDType | undefined;
  nan: boolean;
}

/** Whether there is generated code for a picture's pixels, in rows of a type. */
const isWritten = (dtype: ImageDType, { channels, premultiplied }: SourceBinding, rows: ViewDType): boolean =>
  rows === "f32" && channels <= 4 && !premultiplied && written.includes(dtype);

export const written: readonly ImageDType[] = ["u8", "u16", "i16", "f32"];

/** Moves rows of pixels between an array and rows of the program, `pitch` bytes apart from an address on. */
export type MovePixels = (pixels: PixelRows, address: number, pitch: number) => void;

/** Moves pixels of a picture into rows of a type, with their weights. */
export function weigherOf(staging: Staging, source: SourceBinding, rows: ViewDType): MovePixels {
  const { dtype, channels, known } = source;
  const data = source.data as Elements;
  const { mask, nan } = known!;
  if (!isWritten(dtype, source, rows))
    return ({ first, step, width, count }, to, pitch) => {
      const memory = staging.main.of(rows);
      checkThere("data", data, ((count - 1) * step + first + width) * channels);
      for (let i = 0; i < count; i++) weigh(memory, (to + i * pitch) / bytesOf[rows], source, first + i * step, width);
    };
  const kind: InKind = { ...stagedAs(source), dtype, given: channels, mask: mask && imageDTypeOf(mask), nan };
  const move = staging.compiled(`in ${Object.values(kind)}`, 6, (f, memory) => emitIn(f, kind, memory));
  const pixel = bytesOf[dtype] * channels;
  const weight = kind.mask ? bytesOf[kind.mask] : 0;
  return ({ first, step, width, count }, to, pitch) => {
    // A vector is read beyond the last pixel.
    const picture = align(count * width * pixel + 16);
    const from = staging.reserve(picture + count * width * weight + 16);
    staging.putRows(data, dtype, first * channels, step * channels, width * channels, count, from);
    if (mask) staging.putRows(mask, kind.mask!, first, step, width, count, from + picture);
    move(to, pitch, from, from + picture, width, count);
  };
}

/** Whether elements of a mask are floats from 0 to 1, which are ordered as their bits are; -0 counts as none of them. */
export function areWeights(staging: Staging, mask: Float32Array, from: number, to: number): boolean {
  const length = to - from;
  const at = staging.reserve(signsRoom + align(4 * length));
  const look = staging.compiled("weights", 3, emitLook);
  // What follows the last element is looked at, too.
  staging.stretch("f32", at + signsRoom, Math.ceil(length / 4) * 4).fill(0, length & -4);
  staging.put(mask, "f32", from, length, at + signsRoom);
  look(at, at + signsRoom, Math.ceil(length / 4));
  return staging.stretch("i32", at, 4).every((signs) => signs >= 0);
}

const signsRoom = 64;

/** Whether any of so many vectors of weights is outside, by the signs of what it stores. */
function emitLook(f: FunctionBuilder, staging: number): void {
  const [to, from, vectors] = f.params as [Local, Local, Local];
  const { signs, w } = f.locals("v128", "signs", "w");
  const one = splat("i32x4", 0x3f800000);
  f.emit(
    times(
      vectors,
      set(w, load("v128.load", get(from), 0, staging)),
      set(signs, op("v128.or", get(signs), op("v128.or", get(w), op("i32x4.sub", one, get(w))))),
      bump(from, 16),
    ),
    store("v128.store", get(to), get(signs), 0, staging),
  );
}

/** Moves means in rows of a type out, as pixels of a picture. */
export function unweigherOf(staging: Staging, target: TargetBinding, rows: ViewDType): MovePixels {
  const { dtype, source } = target;
  const { channels } = source;
  const data = target.data as Elements;
  if (!isWritten(dtype, source, rows))
    return ({ first, step, width, count }, from, pitch) => {
      const memory = staging.main.of(rows);
      checkThere("out", data, ((count - 1) * step + first + width) * channels);
      for (let i = 0; i < count; i++)
        unweigh(memory, (from + i * pitch) / bytesOf[rows], target, data, (first + i * step) * channels, width);
    };
  const kind: Kind = { ...stagedAs(source), dtype, given: channels };
  const move = staging.compiled(`out ${Object.values(kind)}`, 6, (f, memory) => emitOut(f, kind, memory));
  const vectors = meansOf(target);
  return ({ first, step, width, count }, from, pitch) => {
    // A vector is written beyond the last pixel.
    const at = staging.reserve(vectorsRoom + count * width * channels * bytesOf[dtype] + 16);
    const to = at + vectorsRoom;
    staging.put(vectors, "f32", 0, vectors.length, at);
    move(to, from, pitch, at, width, count);
    staging.takeRows(data, dtype, first * channels, step * channels, width * channels, count, to);
  };
}

const vectorsRoom = 128;

/** What means become, in vectors of a lane for each channel: gain, offset, fill, least and greatest value, least weight and alpha. */
function meansOf({ gain, offset, source }: TargetBinding): Float32Array {
  const { fill, mask } = source.known!;
  const { colours, premultiplied } = stagedAs(source);
  const lanes = (colour: number, alpha = colour): number[] =>
    [0, 1, 2, 3].map((c) => (premultiplied && c === colours ? alpha : colour));
  // Of one channel, a vector is four pixels.
  const filled = [0, 1, 2, 3].map((c) => fill[source.channels === 1 ? 0 : c] ?? 0);
  const full = source.full ?? opaque(source.dtype);
  const [lowest, highest] = [lanes(-Infinity, 0), lanes(Infinity, full)];
  const [least, visible] = [lanes(leastWeight * fullWeight(mask)), lanes(leastAlpha(source.dtype, full), 0)];
  return Float32Array.from([lanes(gain, 1), lanes(offset, 0), filled, lowest, highest, least, visible].flat());
}

/** Four neighbouring elements as floats. */
export function loadFour(dtype: ImageDType, at: Local, memory: number): Code {
  if (dtype === "f32") return load("v128.load", get(at), 0, memory);
  const words =
    dtype === "u8"
      ? op("i32x4.extend_low_i16x8_u", op("i16x8.extend_low_i8x16_u", load("v128.load32_zero", get(at), 0, memory)))
      : load(dtype === "u16" ? "v128.load16x4_u" : "v128.load16x4_s", get(at), 0, memory);
  return op("f32x4.convert_i32x4_s", words);
}

/** One element as a float, in all lanes. */
function loadOne(dtype: ImageDType, at: Local, memory: number): Code {
  if (dtype === "f32") return load("v128.load32_splat", get(at), 0, memory);
  const word = load(dtype === "u8" ? "i32.load8_u" : "i32.load16_u", get(at), 0, memory);
  return op("f32x4.convert_i32x4_s", op("i32x4.splat", word));
}

/** Four floats as neighbouring elements: rounded half up and saturated, where those are integers. */
function storeFour(dtype: ImageDType, at: Local, value: Code, memory: number): Code {
  if (dtype === "f32") return store("v128.store", get(at), value, 0, memory);
  const whole = op("i32x4.trunc_sat_f32x4_s", op("f32x4.floor", op("f32x4.add", value, splat("f32x4", 0.5))));
  return storeWhole(dtype, at, whole, memory);
}

/** Four integers of 32 bits as neighbouring elements of fewer, saturated. */
export function storeWhole(dtype: ImageDType, at: Local, whole: Code, memory: number): Code {
  const narrow = (name: string, x: Code): Code => op(name, x, splat("i32x4", 0));
  if (dtype !== "u8")
    return store("i64.store", get(at), low64(narrow(`i16x8.narrow_i32x4_${dtype[0] === "u" ? "u" : "s"}`, whole)), 0, memory); // biome-ignore format: a line
  const bytes = narrow("i8x16.narrow_i16x8_u", narrow("i16x8.narrow_i32x4_s", whole));
  return store("i32.store", get(at), lane("i32x4.extract_lane", 0, bytes), 0, memory);
}

export const low64 = (vector: Code): Code => lane("i64x2.extract_lane", 0, vector);
const first = (vector: Local): Code => lane("f32x4.extract_lane", 0, get(vector));
const inAll = (vector: Local, which: number): Code => op("f32x4.splat", lane("f32x4.extract_lane", which, get(vector)));
const withLane = (vector: Code, which: number, value: Code): Code => lane("f32x4.replace_lane", which, vector, value);
const isNot = (a: Code, b: Code): Code => op("f32x4.ne", a, b);
const zeros = splat("f32x4", 0);
/** Lanes of two vectors by index: 0 to 3 of the first, 4 to 7 of the second. */
export const pick = (lanes: readonly number[], a: Local, b: Local): Code =>
  shuffle(
    lanes.flatMap((which) => [0, 1, 2, 3].map((byte) => 4 * which + byte)),
    get(a),
    get(b),
  );

/** `count` rows: pixels one by one, or four at a time and the last ones one by one. */
function rows(
  [count, width, left]: readonly [Local, Local, Local],
  row: { before: Code[]; four?: Code[]; one: Code[]; after: Code[] },
): Code {
  return times(
    count,
    ...row.before,
    set(left, get(width)),
    row.four ? whileLoop(op("i32.gt_s", get(left), i32(3)), ...row.four, bump(left, -4)) : [],
    times(left, ...row.one),
    ...row.after,
  );
}

function emitIn(f: FunctionBuilder, kind: InKind, staging: number): void {
  const { dtype, given, colours, premultiplied, channels, mask, nan } = kind;
  const [to, toStep, from, weights, width, count] = f.params as [Local, Local, Local, Local, Local, Local];
  const { at, left } = f.locals("i32", "at", "left");
  const { v, w, scale } = f.locals("v128", "v", "w", "scale");
  const numbers = op("f32x4.eq", get(v), get(v));
  const known = isNot(get(w), zeros);
  const next = (pixels: number): Code[] => [
    bump(at, 4 * channels * pixels),
    bump(from, given * bytesOf[dtype] * pixels),
    ...(mask ? [bump(weights, bytesOf[mask] * pixels)] : []),
  ];
  const four = [
    set(v, loadFour(dtype, from, staging)),
    set(w, mask ? loadFour(mask, weights, staging) : splat("f32x4", 1)),
    ...(nan ? [set(w, op("v128.and", get(w), numbers))] : []),
    // What is unknown may be infinite.
    set(v, op("v128.and", op("f32x4.mul", get(v), get(w)), known)),
    store("v128.store", get(at), pick([0, 4, 1, 5], v, w)),
    store("v128.store", get(at), pick([2, 6, 3, 7], v, w), 16),
    ...next(4),
  ];
  // Lanes that are not of the pixel count as numbers.
  const others = Array.from({ length: 4 - given }, (_, i) => given + i);
  const whole = others.reduce((x: Code, which) => lane("i32x4.replace_lane", which, x, i32(-1)), numbers);
  const allNumbers = op("i32x4.splat", op("i32.sub", i32(0), op("i32x4.all_true", whole)));
  const one = [
    set(v, loadFour(dtype, from, staging)),
    set(w, mask ? loadOne(mask, weights, staging) : splat("f32x4", 1)),
    ...(nan ? [set(w, op("v128.and", get(w), allNumbers))] : []),
    set(scale, premultiplied ? op("f32x4.mul", get(w), inAll(v, colours)) : get(w)),
    ...(premultiplied ? [set(v, withLane(get(v), colours, f32One))] : []),
    set(v, op("v128.and", op("f32x4.mul", get(v), get(scale)), known)),
    ...(channels <= 4 ? [set(v, withLane(get(v), channels - 1, first(w)))] : []),
    // No more than the pixel is written: what follows may be another row.
    channels >= 4 ? store("v128.store", get(at), get(v)) : store("i64.store", get(at), low64(get(v))),
    ...(channels === 3 || channels === 5 ? [store("f32.store", get(at), first(w), 4 * (channels - 1))] : []),
    ...next(1),
  ];
  const before = [set(at, get(to))];
  const after = [bump(to, get(toStep))];
  f.emit(rows([count, width, left], { before, ...(given === 1 && { four }), one, after }));
}

const f32One: Code = lane("f32x4.extract_lane", 0, splat("f32x4", 1));

function emitOut(f: FunctionBuilder, kind: Kind, staging: number): void {
  const { dtype, given, colours, premultiplied, channels } = kind;
  const [to, from, fromStep, means, width, count] = f.params as [Local, Local, Local, Local, Local, Local];
  const { at, left } = f.locals("i32", "at", "left");
  const { v, w, by } = f.locals("v128", "v", "w", "by");
  const given4 = f.array("v128", 7);
  const [gain, offset, fill, lowest, highest, least, visible] = given4.map(get) as [Code, Code, Code, Code, Code, Code, Code]; // biome-ignore format: a line
  const isKnown = op("f32x4.gt", get(w), least);
  const scaled = (divisor: Local): Code =>
    op("f32x4.add", op("f32x4.mul", op("f32x4.div", get(v), get(divisor)), gain), offset);
  const within = (value: Code): Code => op("f32x4.pmax", op("f32x4.pmin", value, highest), lowest);
  const finish = (value: Code, pixels: number): Code[] => [
    set(v, op("v128.bitselect", value, fill, isKnown)),
    storeFour(dtype, to, get(v), staging),
    bump(to, given * bytesOf[dtype] * pixels),
    bump(at, 4 * channels * pixels),
  ];
  const four = [
    set(by, load("v128.load", get(at))),
    set(w, load("v128.load", get(at), 16)),
    set(v, pick([0, 2, 4, 6], by, w)),
    set(w, pick([1, 3, 5, 7], by, w)),
    ...finish(scaled(w), 4),
  ];
  // Colours are divided by the sum of alpha, which lies behind them; that by the weight.
  const divisor = premultiplied ? withLane(inAll(v, colours), colours, first(w)) : get(w);
  const isVisible = op("f32x4.gt", get(by), op("f32x4.mul", visible, get(w)));
  const value = premultiplied ? within(op("v128.and", scaled(by), isVisible)) : scaled(by);
  const one = [
    set(v, load("v128.load", get(at))),
    set(w, load("v128.load32_splat", get(at), 4 * (channels - 1))),
    set(by, divisor),
    ...finish(value, 1),
  ];
  f.emit(
    ...given4.map((x, i) => set(x, load("v128.load", get(means), 16 * i, staging))),
    rows([count, width, left], {
      ...{ before: [set(at, get(from))], ...(given === 1 && { four }), one, after: [bump(from, get(fromStep))] },
    }),
  );
}
