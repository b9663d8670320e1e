// Generates the passes of a fast Fourier transform, of radix 4, over vectors of neighbours. Decimation in frequency:
// butterflies, then twiddle factors; back, their conjugates, then butterflies (Van Loan, Computational Frameworks for the
// Fast Fourier Transform, chapter 2).
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  load,
  op,
  set,
  shuffle,
  store,
} from "../../codegen/assembler.ts";
import type { FftSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import type { CodeMode } from "../kernel.ts";
import { loadTap, multiplyAdd, shapeOf } from "../lanes.ts";
import type { Pass } from "./layout.ts";

/** Real and imaginary parts of the elements of a vector. */
type Complex = readonly [re: Local, im: Local];

type Binary = (x: Code, y: Code) => Code;

/** Elements of so many bytes of two vectors in turn, from the first halves or from the second. */
const zip = (half: 0 | 8, size: number): Binary => {
  const bytes = Array.from({ length: 16 }, (_, i) => {
    const element = Math.floor(i / size);
    return half + (i % size) + size * (element >> 1) + 16 * (element & 1);
  });
  return (x, y) => shuffle(bytes, x, y);
};

/** Over a tile at the local `at`, whose imaginary parts stand `plane` bytes after the real ones. */
export function passesOver(
  f: FunctionBuilder,
  params: Local,
  mode: CodeMode,
  arithmetic: FftSpec["arithmetic"],
  plane: number,
) {
  const [shape, bytes] = [shapeOf[arithmetic], bytesOf[arithmetic]];
  const add: Binary = (x, y) => op(`${shape}.add`, x, y);
  const subtract: Binary = (x, y) => op(`${shape}.sub`, x, y);
  const multiply: Binary = (x, y) => op(`${shape}.mul`, x, y);
  const { at, outer, inner, vector, constants } = f.locals("i32", "at", "outer", "inner", "vector", "constants");
  const complex = (): Complex => [f.local("v128"), f.local("v128")];
  // In wide mode two vectors go together: all of both is loaded and computed before any is stored.
  const held = Array.from({ length: mode.wide ? 2 : 1 }, () => Array.from({ length: 4 }, complex));
  const [factor, [spare]] = [complex(), complex()];

  /** Two results of two vectors, in their place. */
  const exchange = (x: Local, y: Local, first = add, second = subtract): Code[] => [
    set(spare, first(get(x), get(y))),
    set(y, second(get(x), get(y))),
    set(x, get(spare)),
  ];

  /** The transform of four elements, and which vectors hold its results. */
  const butterfly = (z: readonly Complex[], back: boolean): { code: Code[]; results: Complex[] } => {
    const both = (i: number, j: number): Code[] => [...exchange(z[i]![0], z[j]![0]), ...exchange(z[i]![1], z[j]![1])];
    const [a, b, [cr, ci], [dr, di]] = z as [Complex, Complex, Complex, Complex];
    // The last difference times −i, which turns parts into each other.
    const code = [...both(0, 2), ...both(1, 3), ...both(0, 1), ...exchange(cr, di), ...exchange(ci, dr)];
    const second: Complex = [cr, dr];
    const fourth: Complex = [di, ci];
    return { code, results: back ? [a, fourth, b, second] : [a, second, b, fourth] };
  };

  /** z ·= a loaded factor, or its conjugate. */
  const turn = ([re, im]: Complex, factorPart: (part: number) => Code, conjugate: boolean): Code[] => {
    const first = (x: Local): Code => multiply(get(x), get(factor[0]));
    const plus = (x: Local, y: Local): Code => multiplyAdd(arithmetic, mode, get(y), get(factor[1]), first(x));
    const minus = (x: Local, y: Local): Code =>
      mode.relaxed
        ? op(`${shape}.relaxed_nmadd`, get(y), get(factor[1]), first(x))
        : subtract(first(x), multiply(get(y), get(factor[1])));
    const [real, imaginary] = conjugate ? [plus, minus] : [minus, plus];
    return [
      ...factor.map((local, part) => set(local, factorPart(part))),
      set(spare, real(re, im)),
      set(im, imaginary(im, re)),
      set(re, get(spare)),
    ];
  };

  /** Vectors of sets of elements, `apart` bytes from one element to the next: those of all sets side by side. */
  const transfer = (sets: readonly (readonly Complex[])[], apart: number, use: (v: Local, offset: number) => Code) =>
    sets[0]!.flatMap((_, k) =>
      [0, 1].flatMap((part) => sets.map((z, s) => use(z[k]![part]!, k * apart + part * plane + s * 16))),
    );

  /** One pass along an axis of `length` elements that stand `step` bytes apart. */
  const pass = ({ distance, twiddles, lanes, vectors }: Pass, length: number, step: number, back: boolean): Code[] => {
    const sets = held.slice(0, vectors);
    const twiddle = (k: number, s: number) => (part: number) => {
      const offset = (2 * k + part) * lanes * bytes;
      return lanes === 1
        ? loadTap(arithmetic, get(constants), offset)
        : load("v128.load", get(constants), offset + s * 16);
    };
    const turned = (z: readonly Complex[], s: number): Code[] =>
      distance === 1 ? [] : z.slice(1).flatMap((value, k) => turn(value, twiddle(k, s), back));
    const found = sets.map((z) => butterfly(z, back));
    const results = found.map((one) => one.results);
    const butterflies = [
      ...transfer(sets, distance * step, (v, offset) => set(v, load("v128.load", get(at), offset))),
      ...found.flatMap(({ code }, s) =>
        back ? [...turned(sets[s]!, s), ...code] : [...code, ...turned(results[s]!, s)],
      ),
      ...transfer(results, distance * step, (v, offset) => store("v128.store", get(at), get(v), offset)),
    ];
    const group = 4 * distance * step;
    /** `count` times, each `by` bytes further, and back to where it began. */
    const repeat = (counter: Local, count: number, by: number, factors: number, body: Code[]): Code[] => [
      set(counter, i32(count)),
      doWhile(get(counter), ...body, bump(at, by), bump(constants, factors), bump(counter, -1)),
      bump(at, -count * by),
      bump(constants, -count * factors),
    ];
    const side = sets.length * 16;
    return [
      set(constants, op("i32.add", get(params), i32(twiddles))),
      ...repeat(
        outer,
        distance / lanes,
        lanes * step,
        3 * lanes * 2 * bytes,
        repeat(
          inner,
          (length * step) / group,
          group,
          0,
          repeat(vector, vectors / sets.length, side, lanes === 1 ? 0 : side, butterflies),
        ),
      ),
    ];
  };

  return {
    /** Passes along one axis of `length` elements that stand `step` bytes apart, from the first at `start`. */
    along: (passes: readonly Pass[], start: Code, length: number, step: number, back: boolean): Code[] =>
      (back ? passes.toReversed() : passes).flatMap((one) => [set(at, start), ...pass(one, length, step, back)]),

    /** The last pass along a row, the product with a row of the spectrum, and the first pass back. */
    product(start: Code, spectrum: Code, width: number): Code[] {
      const z = held[0]!;
      const there = butterfly(z, false);
      const again = butterfly(there.results, true);
      const [low, high] = [zip(0, bytes), zip(8, bytes)];
      /** Four neighbours of four butterflies, or of two, become one element of each of those in four vectors; and back. */
      const transpose = (four: readonly Complex[]): Code[] =>
        [0, 1].flatMap((part) => {
          const mix = (i: number, j: number): Code[] => exchange(four[i]![part]!, four[j]![part]!, low, high);
          return [...(bytes === 4 ? [...mix(0, 2), ...mix(1, 3)] : []), ...mix(0, 1), ...mix(2, 3)];
        });
      /** The order in which vectors lie in memory for that. */
      const laid = ([a, b, c, d]: readonly Complex[]): Complex[] => (bytes === 4 ? [a!, b!, c!, d!] : [a!, c!, b!, d!]);
      return [
        set(at, start),
        set(constants, spectrum),
        set(inner, i32((width * bytes) / 64)),
        doWhile(
          get(inner),
          ...transfer([laid(z)], 16, (v, offset) => set(v, load("v128.load", get(at), offset))),
          ...transpose(z),
          ...there.code,
          ...there.results.flatMap((value, k) =>
            turn(value, (part) => load("v128.load", get(constants), part * plane + k * 16), false),
          ),
          ...again.code,
          ...transpose(again.results),
          ...transfer([laid(again.results)], 16, (v, offset) => store("v128.store", get(at), get(v), offset)),
          bump(at, 64),
          bump(constants, 64),
          bump(inner, -1),
        ),
      ];
    },
  };
}
