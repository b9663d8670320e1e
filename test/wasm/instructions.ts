// What the instructions are, apart from how they are encoded: their types, derived from their names, and what the scalar
// ones compute, in JavaScript.
import type { ModuleBuilder, ValueType } from "../../src/codegen/assembler.ts";

export interface Signature {
  params: ValueType[];
  result: ValueType;
}

const lanesOf: Record<string, [ValueType, number]> = {
  i8x16: ["i32", 16],
  i16x8: ["i32", 8],
  i32x4: ["i32", 4],
  i64x2: ["i64", 2],
  f32x4: ["f32", 4],
  f64x2: ["f64", 2],
};

/** The number of lanes that an instruction with a lane immediate can choose from; 0 where it has none. */
export const laneCount = (name: string): number =>
  /\.(extract|replace)_lane/.test(name) ? lanesOf[name.split(".")[0]!]![1] : 0;

/** The operands and the result of an instruction that is neither a load nor a store. */
export function signature(name: string): Signature {
  const [prefix, action] = name.split(".") as [string, string];
  const vector = prefix === "v128" || prefix in lanesOf;
  const type = vector ? "v128" : (prefix as ValueType);
  const results = (result: ValueType, ...params: ValueType[]): Signature => ({ params, result });
  if (!vector) {
    const from = action.match(/_(i32|i64|f32|f64)(_[su])?$/)?.[1] as ValueType | undefined;
    if (from) return results(type, from);
    if (action === "eqz") return results("i32", type);
    if (/^(eq|ne|lt|gt|le|ge)(_|$)/.test(action)) return results("i32", type, type);
    const unary = /^(clz|ctz|popcnt|abs|neg|ceil|floor|trunc|nearest|sqrt|extend\d+_s)$/;
    return unary.test(action) ? results(type, type) : results(type, type, type);
  }
  const element = lanesOf[prefix]?.[0] ?? "i32";
  if (action === "splat") return results("v128", element);
  if (action.startsWith("extract_lane")) return results(element, "v128");
  if (action === "replace_lane") return results("v128", "v128", element);
  if (/^(any_true|all_true|bitmask)$/.test(action)) return results("i32", "v128");
  if (/^sh[lr]/.test(action)) return results("v128", "v128", "i32");
  if (/bitselect|laneselect|madd|dot.*add/.test(action)) return results("v128", "v128", "v128", "v128");
  const unary =
    /^(not|abs|neg|popcnt|ceil|floor|trunc|nearest|sqrt)$|^(extend|extadd|convert|trunc|relaxed_trunc|demote|promote)_/;
  return unary.test(action) ? results("v128", "v128") : results("v128", "v128", "v128");
}

type Semantics = Record<string, (a: number, b: number) => number>;

function nearest(x: number): number {
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

const negative = (x: number): boolean => x < 0 || Object.is(x, -0);

const comparisons: Semantics = {
  eq: (a, b) => +(a === b),
  ne: (a, b) => +(a !== b),
  lt: (a, b) => +(a < b),
  gt: (a, b) => +(a > b),
  le: (a, b) => +(a <= b),
  ge: (a, b) => +(a >= b),
};

const floats: Semantics = {
  abs: Math.abs,
  neg: (a) => -a,
  ceil: Math.ceil,
  floor: Math.floor,
  trunc: Math.trunc,
  nearest,
  sqrt: Math.sqrt,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
  copysign: (a, b) => (negative(a) === negative(b) ? a : -a),
};

function trapIf(wrong: boolean): void {
  if (wrong) throw new RangeError("a trap");
}

const popcnt = (a: number): number => (a >>> 0).toString(2).replaceAll("0", "").length;

const integers: Semantics = {
  eqz: (a) => +(a === 0),
  clz: Math.clz32,
  ctz: (a) => (a === 0 ? 32 : 31 - Math.clz32(a & -a)),
  popcnt,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  div_s: (a, b) => {
    trapIf(b === 0 || (a === -(2 ** 31) && b === -1));
    return a / b;
  },
  div_u: (a, b) => {
    trapIf(b === 0);
    return (a >>> 0) / (b >>> 0);
  },
  rem_s: (a, b) => {
    trapIf(b === 0);
    return a % b;
  },
  rem_u: (a, b) => {
    trapIf(b === 0);
    return (a >>> 0) % (b >>> 0);
  },
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr_s: (a, b) => a >> b,
  shr_u: (a, b) => a >>> b,
  rotl: (a, b) => (a << b) | (a >>> -b),
  rotr: (a, b) => (a >>> b) | (a << -b),
  extend8_s: (a) => (a << 24) >> 24,
  extend16_s: (a) => (a << 16) >> 16,
};

const integerRange = { s: [-(2 ** 31), 2 ** 31 - 1], u: [0, 2 ** 32 - 1] } as const;

/** Float to i32: a trap outside the range, or saturation there. */
function truncation(sign: "s" | "u", saturate: boolean): (a: number) => number {
  const [low, high] = integerRange[sign];
  return (a) => {
    const whole = Math.trunc(a);
    trapIf(!saturate && !(whole >= low && whole <= high));
    return Math.min(high, Math.max(low, whole || 0));
  };
}

const word = new DataView(new ArrayBuffer(4));

function reinterpretAsI32(a: number): number {
  word.setFloat32(0, a);
  return word.getInt32(0);
}

function reinterpretAsF32(a: number): number {
  word.setInt32(0, a);
  return word.getFloat32(0);
}

const conversions: Semantics = {
  ...Object.fromEntries(
    (["s", "u"] as const).flatMap((sign) =>
      ["f32", "f64"].flatMap((from) => [
        [`i32.trunc_${from}_${sign}`, truncation(sign, false)],
        [`i32.trunc_sat_${from}_${sign}`, truncation(sign, true)],
        [`${from}.convert_i32_${sign}`, (a: number) => (sign === "s" ? a : a >>> 0)],
      ]),
    ),
  ),
  "f32.demote_f64": (a) => a,
  "f64.promote_f32": (a) => a,
  "i32.reinterpret_f32": reinterpretAsI32,
  "f32.reinterpret_i32": reinterpretAsF32,
};

const rounding: Record<string, (value: number) => number> = { i32: (v) => v | 0, f32: Math.fround, f64: (v) => v };

function prefixed(prefix: string, table: Semantics): Semantics {
  return Object.fromEntries(Object.entries(table).map(([action, compute]) => [`${prefix}.${action}`, compute]));
}

function unsigned(table: Semantics): Semantics {
  return Object.fromEntries(Object.entries(table).map(([name, f]) => [`${name}_u`, (a, b) => f(a >>> 0, b >>> 0)]));
}

const { eq, ne, ...ordered } = comparisons as Record<"eq" | "ne", (a: number, b: number) => number> & Semantics;
const signed = Object.fromEntries(Object.entries(ordered).map(([name, f]) => [`${name}_s`, f]));

/**
 * What every instruction on i32, f32 and f64 computes; throws where it traps. i32 values are signed, and f32 results need
 * no double rounding: one f64 operation on f32 values, rounded to f32, is the f32 operation.
 */
export const semantics: Semantics = Object.fromEntries(
  Object.entries({
    ...prefixed("i32", { ...integers, eq: eq!, ne: ne!, ...signed, ...unsigned(ordered) }),
    ...prefixed("f32", { ...floats, ...comparisons }),
    ...prefixed("f64", { ...floats, ...comparisons }),
    ...conversions,
  }).map(([name, compute]) => [name, (a, b) => rounding[signature(name).result]!(compute(a, b))]),
);

export type Entry = (...values: number[]) => void;

/** Runs a module over a fresh memory of so many pages. */
export function instantiate(module: ModuleBuilder, pages = 1): { entries: Record<string, Entry>; buffer: ArrayBuffer } {
  const memory = new WebAssembly.Memory({ initial: pages });
  const compiled = new WebAssembly.Module(module.encode({ shared: false, maximum: pages }));
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  return { entries: exports as Record<string, Entry>, buffer: memory.buffer as ArrayBuffer };
}
