// Functions of f32x4 lanes that WebAssembly lacks, as statements on locals in place. Each step runs over all locals before the
// next, so that neighbours can be joined into wider vectors. Errors are tested by test/kernels/functions.test.ts.
import { type Code, get, i32, type Local, op, set, splat } from "../codegen/assembler.ts";
import type { CodeMode } from "./kernel.ts";
import { multiplyAdd } from "./lanes.ts";

/** What generated code writes in place of numbers: in every lane a float, or the bits of an integer. */
export interface Numbers {
  float(value: number): Code;
  integer(value: number): Code;
}

/** Constants of the code: V8 makes them anew at each use. */
export const inCode: Numbers = {
  float: (value) => splat("f32x4", value),
  integer: (value) => splat("i32x4", value),
};

/** Numbers in memory, as bits, in the order in which they were first asked for. */
export class NumberTable implements Numbers {
  readonly bits: number[] = [];
  private readonly load: (index: number) => Code;

  constructor(load: (index: number) => Code) {
    this.load = load;
  }

  float(value: number): Code {
    return this.integer(new Int32Array(new Float32Array([value]).buffer)[0]!);
  }

  integer(value: number): Code {
    const known = this.bits.indexOf(value);
    return this.load(known < 0 ? this.bits.push(value) - 1 : known);
  }
}

/** Code of functions: numbers, and whether multiplications and additions are fused. */
export interface FunctionMode extends CodeMode {
  numbers: Numbers;
}

/** The value of a polynomial, the highest power's coefficient first (Horner). */
const polynomial = (coefficients: readonly number[], x: Local, mode: FunctionMode): Code =>
  coefficients
    .map((value) => mode.numbers.float(value))
    .reduce((sum, coefficient) => multiplyAdd("f32", mode, sum, get(x), coefficient));

// e^r on |r| ≤ ln 2 / 2 by its Taylor polynomial: an error below 2 units of the last place.
const coefficients = [1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1];
const ln2 = [0.693359375, -2.1219444005469057e-4] as const;
/** Added to a small number, it leaves the nearest integer in the low bits: V8 joins no rounding instructions. */
const rounder = 1.5 * 2 ** 23;

/** e^x of f32x4 locals in place: 2^n · e^r. Needs as many spare locals. */
export function exponential(values: readonly Local[], spares: readonly Local[], mode: FunctionMode): Code[] {
  const each = (step: (x: Local, n: Local) => Code): Code[] => values.map((x, i) => step(x, spares[i]!));
  const madd = (a: Code, b: Code, c: Code): Code => multiplyAdd("f32", mode, a, b, c);
  return [
    ...each((x) => set(x, op("f32x4.min", op("f32x4.max", get(x), mode.numbers.float(-87)), mode.numbers.float(88)))),
    ...each((x, n) =>
      set(
        n,
        op(
          "f32x4.sub",
          madd(get(x), mode.numbers.float(Math.LOG2E), mode.numbers.float(rounder)),
          mode.numbers.float(rounder),
        ),
      ),
    ),
    ...each((x, n) => set(x, madd(get(n), mode.numbers.float(-ln2[0]), get(x)))),
    ...each((x, n) => set(x, madd(get(n), mode.numbers.float(-ln2[1]), get(x)))),
    ...each((x) => set(x, polynomial(coefficients, x, mode))),
    // 2^n, from its bits.
    ...each((_, n) => set(n, op("i32x4.shl", op("f32x4.add", get(n), mode.numbers.float(rounder)), i32(23)))),
    ...each((_, n) => set(n, op("i32x4.add", get(n), mode.numbers.integer(127 << 23)))),
    ...each((x, n) => set(x, op("f32x4.mul", get(x), get(n)))),
  ];
}

/** 1 / (1 + e^−x) of f32x4 locals in place: an error below 4 units of the last place. Needs as many locals twice. */
export function logistic(
  values: readonly Local[],
  bits: readonly Local[],
  exponents: readonly Local[],
  mode: FunctionMode,
): Code[] {
  const { numbers } = mode;
  const each = (step: (x: Local, t: Local, n: Local) => Code): Code[] =>
    values.map((x, i) => step(x, bits[i]!, exponents[i]!));
  const madd = (a: Code, b: Code, c: Code): Code => multiplyAdd("f32", mode, a, b, c);
  // Of x = −n · ln 2 − r: powers of −r have other signs.
  const signed = coefficients.map((value, i) => (i % 2 === 0 ? value : -value));
  return [
    ...each((x) => set(x, op("f32x4.min", op("f32x4.max", get(x), numbers.float(-87)), numbers.float(87)))),
    ...each((x, t) => set(t, madd(get(x), numbers.float(-Math.LOG2E), numbers.float(rounder)))),
    ...each((_, t, n) => set(n, op("f32x4.sub", get(t), numbers.float(rounder)))),
    ...each((x, _, n) => set(x, madd(get(n), numbers.float(ln2[0]), get(x)))),
    ...each((x, _, n) => set(x, madd(get(n), numbers.float(ln2[1]), get(x)))),
    ...each((x) => set(x, polynomial(signed, x, mode))),
    ...each((_, t) => set(t, op("i32x4.shl", get(t), i32(23)))),
    ...each((_, t) => set(t, op("i32x4.add", get(t), numbers.integer(127 << 23)))),
    ...each((x, t) => set(x, madd(get(x), get(t), numbers.float(1)))),
    ...each((x) => set(x, op("f32x4.div", numbers.float(1), get(x)))),
  ];
}

// (log(1 + r) − r + r² / 2) / r³ on √½ ≤ 1 + r ≤ √2, as in Cephes' logf.
const logCoefficients = [
  ...[7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1],
  ...[2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1],
];

/**
 * The natural logarithm of f32x4 locals in place: an error below 2 units of the last place; -Infinity of 0, NaN of what is
 * below. Needs as many locals twice.
 */
export function logarithm(
  values: readonly Local[],
  exponents: readonly Local[],
  spares: readonly Local[],
  mode: FunctionMode,
): Code[] {
  const each = (step: (x: Local, n: Local, spare: Local) => Code): Code[] =>
    values.map((x, i) => step(x, exponents[i]!, spares[i]!));
  const madd = (a: Code, b: Code, c: Code): Code => multiplyAdd("f32", mode, a, b, c);
  const special = (x: Local): Code =>
    // What was not above 0 and finite: NaN, or ±Infinity.
    op(
      "v128.bitselect",
      mode.numbers.float(-Infinity),
      op("f32x4.sqrt", get(x)),
      op("f32x4.eq", get(x), mode.numbers.float(0)),
    );
  const isSmall = (x: Code): Code => op("f32x4.lt", x, mode.numbers.float(2 ** -126));
  return [
    ...each((x, _n, spare) =>
      // Added in the end: nothing where x is above 0 and finite.
      set(
        spare,
        op(
          "v128.bitselect",
          mode.numbers.float(0),
          special(x),
          op(
            "v128.and",
            op("f32x4.gt", get(x), mode.numbers.float(0)),
            op("f32x4.lt", get(x), mode.numbers.float(Infinity)),
          ),
        ),
      ),
    ),
    // Subnormal numbers times 2^23, and the bits of the exponent so much lower again.
    ...each((x, n) => set(n, op("v128.and", isSmall(get(x)), mode.numbers.integer(23 << 23)))),
    ...each((x) => set(x, where(isSmall(get(x)), op("f32x4.mul", get(x), mode.numbers.float(2 ** 23)), get(x)))),
    ...each((x, n) => set(x, op("i32x4.sub", get(x), get(n)))),
    ...each((x, n) => set(n, op("i32x4.sub", get(x), mode.numbers.integer(0x3f3504f3)))),
    // The mantissa from √½ to √2, and the exponent.
    ...each((x, n) => set(x, op("i32x4.sub", get(x), op("i32x4.shl", op("i32x4.shr_s", get(n), i32(23)), i32(23))))),
    ...each((_, n) => set(n, op("f32x4.convert_i32x4_s", op("i32x4.shr_s", get(n), i32(23))))),
    ...each((x) => set(x, op("f32x4.sub", get(x), mode.numbers.float(1)))),
    // r − r² / 2 + r³ · P(r) + n · ln 2; and NaN or ±Infinity where that is wanted.
    ...each((x, n) => {
      const square = op("f32x4.mul", get(x), get(x));
      const cube = op("f32x4.mul", op("f32x4.mul", square, get(x)), polynomial(logCoefficients, x, mode));
      const small = madd(get(n), mode.numbers.float(ln2[1]), cube);
      const rest = op("f32x4.sub", small, op("f32x4.mul", square, mode.numbers.float(0.5)));
      return set(x, madd(get(n), mode.numbers.float(ln2[0]), op("f32x4.add", get(x), rest)));
    }),
    ...each((x, _n, spare) => set(x, op("f32x4.add", get(x), get(spare)))),
  ];
}

/** Where a condition holds one value, else the other. */
export const where = (condition: Code, then: Code, otherwise: Code): Code =>
  op("v128.bitselect", then, otherwise, condition);

/** The magnitude of one value with the sign of another. */
const signed = (magnitude: Code, sign: Code, { numbers }: FunctionMode): Code =>
  op("v128.or", magnitude, op("v128.and", sign, numbers.integer(-(2 ** 31))));

/**
 * e^x of f32x4 locals in place for all x: 0 below the normal numbers, Infinity above the finite ones. Needs as many spare
 * locals twice.
 */
export function fullExponential(
  values: readonly Local[],
  spares: readonly Local[],
  kept: readonly Local[],
  mode: FunctionMode,
): Code[] {
  const { numbers } = mode;
  const each = (step: (x: Local, kept: Local) => Code): Code[] => values.map((x, i) => step(x, kept[i]!));
  /** Up there 2^n is no number: the exponential of one less, times e. */
  const isHigh = (x: Local): Code => op("f32x4.gt", get(x), numbers.float(87));
  return [
    ...each((x, before) => set(before, get(x))),
    ...each((x, before) => set(x, op("f32x4.sub", get(x), op("v128.and", isHigh(before), numbers.float(1))))),
    ...exponential(values, spares, mode),
    ...each((x, before) =>
      set(x, op("f32x4.mul", get(x), where(isHigh(before), numbers.float(Math.E), numbers.float(1)))),
    ),
    ...each((x, before) =>
      set(x, where(op("f32x4.gt", get(before), numbers.float(88.72283)), numbers.float(Infinity), get(x))),
    ),
    ...each((x, before) =>
      set(x, where(op("f32x4.lt", get(before), numbers.float(-87.33654)), numbers.float(0), get(x))),
    ),
  ];
}

// (tanh(x) − x) / x³ on |x| ≤ 0.625, by powers of x², as in Cephes' tanhf.
const tanhCoefficients = [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1];

/** The hyperbolic tangent of f32x4 locals in place: an error below 3 units of the last place. Needs as many locals twice. */
export function hyperbolicTangent(
  values: readonly Local[],
  spares: readonly Local[],
  exponents: readonly Local[],
  mode: FunctionMode,
): Code[] {
  const each = (step: (x: Local, spare: Local, e: Local) => Code): Code[] =>
    values.map((x, i) => step(x, spares[i]!, exponents[i]!));
  return [
    ...each((x, _, e) => set(e, op("f32x4.mul", op("f32x4.abs", get(x)), mode.numbers.float(2)))),
    ...exponential(exponents, spares, mode),
    // 1 − 2 / (e^2|x| + 1)
    ...each((_x, _, e) =>
      set(
        e,
        op(
          "f32x4.sub",
          mode.numbers.float(1),
          op("f32x4.div", mode.numbers.float(2), op("f32x4.add", get(e), mode.numbers.float(1))),
        ),
      ),
    ),
    ...each((x, _, e) => set(e, signed(get(e), get(x), mode))),
    ...each((x, spare) => set(spare, op("f32x4.mul", get(x), get(x)))),
    ...each((x, spare, e) => {
      const near = op(
        "f32x4.add",
        get(x),
        op("f32x4.mul", op("f32x4.mul", polynomial(tanhCoefficients, spare, mode), get(spare)), get(x)),
      );
      return set(x, where(op("f32x4.lt", get(spare), mode.numbers.float(0.625 ** 2)), near, get(e)));
    }),
  ];
}

// Abramowitz and Stegun, 7.1.26.
const erfCoefficients = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592, 0];

/** The error function of f32x4 locals in place: an error below 6e-7. Needs as many locals twice. */
export function errorFunction(
  values: readonly Local[],
  spares: readonly Local[],
  exponents: readonly Local[],
  mode: FunctionMode,
): Code[] {
  const each = (step: (x: Local, t: Local, e: Local) => Code): Code[] =>
    values.map((x, i) => step(x, spares[i]!, exponents[i]!));
  return [
    ...each((x, _, e) => set(e, op("f32x4.neg", op("f32x4.mul", get(x), get(x))))),
    ...exponential(exponents, spares, mode),
    ...each((x, t) =>
      set(
        t,
        op(
          "f32x4.div",
          mode.numbers.float(1),
          op(
            "f32x4.add",
            mode.numbers.float(1),
            op("f32x4.mul", mode.numbers.float(0.3275911), op("f32x4.abs", get(x))),
          ),
        ),
      ),
    ),
    ...each((_, t, e) => set(e, op("f32x4.mul", get(e), polynomial(erfCoefficients, t, mode)))),
    ...each((x, _, e) => set(x, signed(op("f32x4.sub", mode.numbers.float(1), get(e)), get(x), mode))),
  ];
}

// (atan(x) − x) / x³ on |x| ≤ tan(π / 8), by powers of x², as in Cephes' atanf.
const atanCoefficients = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1];

/** The arc tangent of f32x4 locals in place: an error below 3 units of the last place. Needs as many locals twice. */
export function arcTangent(
  values: readonly Local[],
  bases: readonly Local[],
  signs: readonly Local[],
  mode: FunctionMode,
): Code[] {
  const { numbers } = mode;
  const each = (step: (x: Local, base: Local, sign: Local) => Code): Code[] =>
    values.map((x, i) => step(x, bases[i]!, signs[i]!));
  const isAbove = (x: Local, bound: number): Code => op("f32x4.gt", get(x), numbers.float(bound));
  const [near, far] = [Math.tan(Math.PI / 8), Math.tan((3 * Math.PI) / 8)];
  return [
    ...each((x, _, sign) => set(sign, get(x))),
    ...each((x) => set(x, op("f32x4.abs", get(x)))),
    // atan(x) is π/2 + atan(−1 / x), and π/4 + atan((x − 1) / (x + 1)).
    ...each((x, base) =>
      set(
        base,
        where(
          isAbove(x, far),
          numbers.float(Math.PI / 2),
          op("v128.and", isAbove(x, near), numbers.float(Math.PI / 4)),
        ),
      ),
    ),
    ...each((x) => {
      const top = where(isAbove(x, far), numbers.float(-1), op("f32x4.sub", get(x), numbers.float(1)));
      const bottom = where(isAbove(x, far), get(x), op("f32x4.add", get(x), numbers.float(1)));
      return set(x, where(isAbove(x, near), op("f32x4.div", top, bottom), get(x)));
    }),
    ...each((x, base, sign) => {
      const square = op("f32x4.mul", get(x), get(x));
      const series = atanCoefficients
        .map((value) => numbers.float(value))
        .reduce((total, coefficient) => multiplyAdd("f32", mode, total, square, coefficient));
      const inner = op("f32x4.add", op("f32x4.mul", op("f32x4.mul", series, square), get(x)), get(x));
      return set(x, signed(op("f32x4.add", get(base), inner), get(sign), mode));
    }),
  ];
}
