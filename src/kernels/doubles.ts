// Functions of f32x4 lanes by way of doubles, two lanes at a time: rare ones whose sums would lose too much in 32 bits. Results are
// right but for their last bit. Errors are tested by test/kernels/functions.test.ts.
import { type Code, get, i32, type Local, op, set, shuffle, splat } from "../codegen/assembler.ts";
import { mostAngle } from "./expression/formulas.ts";
import { where } from "./functions.ts";

/** Statements that leave the function of operands, two doubles each in locals of their own, in the first; with spare locals. */
export type DoubleFunction = (operands: readonly Local[], spare: (index: number) => Local) => Code[];

/** Statements that set a local to a function of values of f32x4. `spares` gives arrays of locals, of which the first is taken. */
export function throughDoubles(
  compute: DoubleFunction,
  to: Local,
  values: readonly Code[],
  spares: (index: number) => readonly Local[],
): Code[] {
  const [low, ...operands] = [0, ...values.keys()].map((_, i) => spares(i)[0]!) as [Local, ...Local[]];
  const spare = (index: number): Local => spares(1 + values.length + index)[0]!;
  const half = (high: boolean): Code[] => [
    ...operands.map((operand, i) => {
      const value = high ? shuffle(upper, values[i]!, values[i]!) : values[i]!;
      return set(operand, op("f64x2.promote_low_f32x4", value));
    }),
    ...compute(operands, spare),
  ];
  const result = op("f32x4.demote_f64x2_zero", get(operands[0]!));
  return [...half(false), set(low, result), ...half(true), set(to, shuffle(joined, get(low), result))];
}

/** The upper half of a vector in both halves; and the lower halves of two. */
const upper = Array.from({ length: 16 }, (_, i) => 8 + (i % 8));
const joined = Array.from({ length: 16 }, (_, i) => (i < 8 ? i : i + 8));

const double = (value: number): Code => splat("f64x2", value);
const f64 = (name: string, ...operands: Code[]): Code => op(`f64x2.${name}`, ...operands);
/** Added to an integer, it leaves that in the low bits. */
const rounder = 1.5 * 2 ** 52;
/** c0 + c1 x + c2 x² … */
const polynomial = (coefficients: readonly number[], x: Code): Code =>
  coefficients
    .toReversed()
    .map(double)
    .reduce((total, coefficient) => f64("add", f64("mul", total, x), coefficient));
const isWhole = (x: Code): Code => f64("eq", f64("trunc", x), x);

/** 1, 1/3, 1/5 …: log((1 + s) / (1 − s)) = 2s · Σ s^2k / (2k + 1), on √½ to √2. */
const logCoefficients = Array.from({ length: 9 }, (_, k) => 2 / (Math.LN2 * (2 * k + 1)));
/** 2^f on |f| ≤ ½, by its Taylor polynomial. */
const expCoefficients = [1];
for (let n = 1; n <= 11; n++) expCoefficients.push((expCoefficients.at(-1)! * Math.LN2) / n);

/** The first operand to the second, as in C. */
export const power: DoubleFunction = ([a, b], spare) => {
  const [m, n, s] = [spare(0), spare(1), spare(2)];
  const magnitude = f64("abs", get(a!));
  const isOdd = op("v128.andnot", isWhole(get(b!)), isWhole(f64("mul", get(b!), double(0.5))));
  const isNegative = f64("lt", get(a!), double(0));
  const hasNone = op("v128.and", isNegative, f64("gt", get(a!), double(-Infinity)));
  return [
    // |a| = 2^n · m: the exponent as an integer, then as a double.
    set(m, magnitude),
    set(n, op("i64x2.shr_s", op("i64x2.sub", get(m), double(Math.SQRT1_2)), i32(52))),
    set(m, op("i64x2.sub", get(m), op("i64x2.shl", get(n), i32(52)))),
    set(n, f64("sub", op("i64x2.add", get(n), double(rounder)), double(rounder))),
    // Its logarithm to the base 2.
    set(s, f64("div", f64("sub", get(m), double(1)), f64("add", get(m), double(1)))),
    set(m, f64("mul", get(s), get(s))),
    set(n, f64("add", get(n), f64("mul", get(s), polynomial(logCoefficients, get(m))))),
    set(n, where(f64("eq", get(a!), double(0)), double(-Infinity), get(n))),
    set(n, where(f64("lt", magnitude, double(Infinity)), get(n), magnitude)),
    // 2 to the product; of 1 it is 1 whatever the exponent.
    set(n, where(f64("eq", get(n), double(0)), double(0), f64("mul", get(n), get(b!)))),
    set(n, f64("min", f64("max", get(n), double(-1000)), double(1000))),
    set(m, f64("nearest", get(n))),
    set(s, f64("sub", get(n), get(m))),
    set(n, op("i64x2.shl", f64("add", get(m), double(rounder + 1023)), i32(52))),
    set(n, f64("mul", get(n), polynomial(expCoefficients, get(s)))),
    set(n, where(f64("ne", get(m), get(m)), get(m), get(n))),
    // Below 0: negative to odd exponents, nothing to broken ones.
    set(m, op("v128.and", op("v128.and", get(a!), isOdd), double(-0))),
    set(n, op("v128.xor", get(n), get(m))),
    set(n, where(op("v128.andnot", hasNone, isWhole(get(b!))), double(Number.NaN), get(n))),
    set(a!, where(op("v128.or", f64("eq", get(b!), double(0)), f64("eq", get(a!), double(1))), double(1), get(n))),
  ];
};

/** What is left of the first operand of whole multiples of the second, with the sign of the first: exact up to 2^28 multiples. */
export const modulo: DoubleFunction = ([a, b], spare) => {
  const rest = spare(0);
  const isAll = op("v128.and", f64("eq", f64("abs", get(b!)), double(Infinity)), f64("lt", f64("abs", get(a!)), double(Infinity))); // biome-ignore format: a line
  return [
    set(rest, f64("trunc", f64("div", get(a!), get(b!)))),
    set(rest, f64("abs", f64("sub", get(a!), f64("mul", get(rest), get(b!))))),
    set(rest, op("v128.or", get(rest), op("v128.and", get(a!), double(-0)))),
    set(a!, where(isAll, get(a!), get(rest))),
  ];
};

/** π/2, of which the first part has so few bits that its products with integers are exact. */
const halfPi = [Math.floor((Math.PI / 2) * 2 ** 20) / 2 ** 20, 0];
/** The rest, with the bits of π/2 beyond a double's. */
halfPi[1] = Math.PI / 2 - halfPi[0]! + 6.123233995736766e-17;
/** Σ (−1)^k r^2k / (2k + first)! */
const series = (first: 0 | 1): number[] => {
  const made = [1];
  for (let k = 1; k <= 7; k++) made.push(-made.at(-1)! / ((2 * k + first) * (2 * k + first - 1)));
  return made;
};

/** sin(r + quarters · π/2) */
const rotated =
  (quarters: 0 | 1): DoubleFunction =>
  ([x], spare) => {
    const [n, r, square] = [spare(0), spare(1), spare(2)];
    const isOdd = op("i64x2.sub", double(0), op("i64x2.shr_u", op("i64x2.shl", get(n), i32(63)), i32(63)));
    const sign = op("i64x2.shl", op("i64x2.shr_u", get(n), i32(1)), i32(63));
    return [
      set(n, f64("nearest", f64("mul", get(x!), double(2 / Math.PI)))),
      set(r, f64("sub", get(x!), f64("mul", get(n), double(halfPi[0]!)))),
      set(r, f64("sub", get(r), f64("mul", get(n), double(halfPi[1]!)))),
      set(square, f64("mul", get(r), get(r))),
      // The quadrant in the low bits.
      set(n, f64("add", get(n), double(rounder + quarters))),
      set(r, f64("mul", get(r), polynomial(series(1), get(square)))),
      set(r, where(isOdd, polynomial(series(0), get(square)), get(r))),
      set(r, op("v128.xor", get(r), sign)),
      set(x!, where(f64("le", f64("abs", get(x!)), double(mostAngle)), get(r), double(Number.NaN))),
    ];
  };

/** Sine and cosine, up to the angle of {@link mostAngle}. */
export const sine = rotated(0);
export const cosine = rotated(1);
