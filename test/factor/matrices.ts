// What the tests of factoring share: random matrices, sums of products, and their distance.
import fc from "fast-check";

export interface Matrix {
  rows: number;
  cols: number;
  /** Row-major. */
  values: number[];
}

/** Matrices of up to `side` rows and columns with entries from an arbitrary. */
export function matrices(side: number, entry: fc.Arbitrary<number>): fc.Arbitrary<Matrix> {
  return fc
    .tuple(fc.integer({ min: 1, max: side }), fc.integer({ min: 1, max: side }))
    .chain(([rows, cols]) =>
      fc.array(entry, { minLength: rows * cols, maxLength: rows * cols }).map((values) => ({ rows, cols, values })),
    );
}

/** From −1 to 1, down to 1e-250: the tests multiply them by factors that must not make them vanish. */
export const reals = fc.double({ min: -1, max: 1, noNaN: true }).map((x) => (Math.abs(x) < 1e-250 ? 0 : x));
export const smallIntegers = fc.integer({ min: -9, max: 9 });

/** Integer matrices that are sums of few products, and so of low rank. */
export const lowRankIntegers: fc.Arbitrary<Matrix & { terms: number }> = fc
  .tuple(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 3 }))
  .chain(([rows, cols, terms]) => {
    const vector = (length: number) =>
      fc.array(fc.integer({ min: -3, max: 3 }), { minLength: length, maxLength: length });
    return fc
      .array(fc.record({ column: vector(rows), row: vector(cols) }), { minLength: terms, maxLength: terms })
      .map((list) => ({ rows, cols, terms, values: sumOfTerms(list, rows, cols) }));
  });

/** Row-major Σ column ⊗ row, times a gain. */
export function sumOfTerms(
  terms: readonly { column: ArrayLike<number>; row: ArrayLike<number> }[],
  rows: number,
  cols: number,
  gain = 1,
): number[] {
  const values: number[] = [];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) {
      values.push(gain * terms.reduce((sum, { column, row }) => sum + column[i]! * row[j]!, 0));
    }
  }
  return values;
}

export function transposed({ rows, cols, values }: Matrix): Matrix {
  const at = (k: number) => values[(k % rows) * cols + Math.floor(k / rows)]!;
  return { rows: cols, cols: rows, values: values.map((_, k) => at(k)) };
}

export function frobenius(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
}

export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return frobenius(Array.from(a, (x, i) => x - b[i]!));
}

/** A generator of numbers from −0.5 to 0.5 that is the same everywhere (Park and Miller). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647 - 0.5;
  };
}
