// Matrices of integers as a sum of as few products of integers as their rank, without a denominator. The columns span a
// lattice; a reduced basis of it (Lenstra, Lenstra and Lovász 1982) is short, and every column is a sum of whole multiples of it.
import type { Term } from "./integers.ts";

type Vector = bigint[];

/** Larger ranks are left: the time grows with the fourth power. */
const mostRank = 24;
/** The sum of all |column| · |row| beyond which sums over pixels of 16 bits would not be exact in f64. */
const largestSum = 2 ** 37;

/**
 * Terms whose sum is the matrix [kh, kw] exactly, as many as its rank. Undefined where the rank is large, or taps outgrow
 * exact sums in f64. At full rank the terms are the rows of the matrix, or its columns.
 */
export function latticeTerms(values: readonly number[], kh: number, kw: number, rank: number): Term[] | undefined {
  const vectors = Array.from({ length: kw }, (_, j) => Array.from({ length: kh }, (_, i) => values[i * kw + j]!));
  const unit = (length: number, at: number): number[] => Array.from({ length }, (_, i) => (i === at ? 1 : 0));
  if (rank === kw) return vectors.map((column, j) => ({ column, row: unit(kw, j) }));
  if (rank === kh) {
    return vectors[0]!.map((_, i) => ({ column: unit(kh, i), row: vectors.map((column) => column[i]!) }));
  }
  if (rank > mostRank) return undefined;
  const given = vectors.map((vector) => vector.map(BigInt));
  const columns = reduced(echelon(given)).map((vector) => vector.map(Number));
  const rows = coordinates(columns, values, kw);
  const terms = columns.map((column, k) => ({ column, row: rows.map((row) => row[k]!) }));
  const size = terms.reduce((sum, { column, row }) => sum + magnitude(column) * magnitude(row), 0);
  return size <= largestSum && isSum(terms, values, kw) ? terms : undefined;
}

const magnitude = (taps: readonly number[]): number => taps.reduce((sum, tap) => sum + Math.abs(tap), 0);

function isSum(terms: readonly Term[], values: readonly number[], kw: number): boolean {
  return values.every((value, at) => {
    const [i, j] = [Math.floor(at / kw), at % kw];
    return terms.reduce((sum, { column, row }) => sum + column[i]! * row[j]!, 0) === value;
  });
}

const floorDivide = (a: bigint, b: bigint): bigint => {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
};
const subtract = (a: Vector, b: Vector, times: bigint): Vector => a.map((x, i) => x - times * b[i]!);

/** A basis of the lattice that vectors generate, each with its first non-zero entry further down than the one before. */
function echelon(vectors: readonly Vector[]): Vector[] {
  const basis: (Vector | undefined)[] = [];
  for (const vector of vectors) {
    let rest = vector;
    for (let at = 0; at < rest.length; at++) {
      if (rest[at] === 0n) continue;
      let pivot = basis[at];
      // Euclid's algorithm on whole vectors.
      while (pivot && rest[at] !== 0n)
        [pivot, rest] = [rest, subtract(pivot, rest, floorDivide(pivot[at]!, rest[at]!))];
      const found = pivot ?? rest;
      basis[at] = found;
      for (let above = 0; above < at; above++) {
        const other = basis[above];
        if (other) basis[above] = subtract(other, found, floorDivide(other[at]!, found[at]!));
      }
      if (!pivot) break;
    }
  }
  return basis.filter((vector) => vector !== undefined);
}

/**
 * The reduction in integers alone (Cohen 1993, algorithm 2.6.7). l[k][j] is the projection of vector k on the j-th
 * orthogonal one, times the determinant d[j] of the first j + 1 vectors; d[-1] is 1.
 */
function reduced(given: readonly Vector[]): Vector[] {
  const basis = [...given];
  const l: bigint[][] = basis.map(() => []);
  const d = (k: number): bigint => (k < 0 ? 1n : l[k]![k]!);
  for (const [k, vector] of basis.entries()) {
    for (let j = 0; j <= k; j++) {
      let value = vector.reduce((sum, x, i) => sum + x * basis[j]![i]!, 0n);
      for (let i = 0; i < j; i++) value = (d(i) * value - l[k]![i]! * l[j]![i]!) / d(i - 1);
      l[k]!.push(value);
    }
  }
  const reduce = (k: number, j: number): void => {
    const times = floorDivide(2n * l[k]![j]! + d(j), 2n * d(j));
    if (times === 0n) return;
    basis[k] = subtract(basis[k]!, basis[j]!, times);
    for (let i = 0; i <= j; i++) l[k]![i]! -= times * l[j]![i]!;
  };
  for (let k = 1; k < basis.length; ) {
    reduce(k, k - 1);
    const between = l[k]![k - 1]!;
    const swapped = (d(k - 2) * d(k) + between ** 2n) / d(k - 1);
    if (4n * swapped >= 3n * d(k - 1)) {
      for (let j = k - 2; j >= 0; j--) reduce(k, j);
      k++;
      continue;
    }
    [basis[k - 1], basis[k]] = [basis[k]!, basis[k - 1]!];
    for (let j = 0; j < k - 1; j++) [l[k - 1]![j], l[k]![j]] = [l[k]![j]!, l[k - 1]![j]!];
    for (let i = k + 1; i < basis.length; i++) {
      const [before, own] = [l[i]![k - 1]!, l[i]![k]!];
      l[i]![k] = (d(k) * before - between * own) / d(k - 1);
      l[i]![k - 1] = (swapped * own + between * l[i]![k]!) / d(k);
    }
    l[k - 1]![k - 1] = swapped;
    k = Math.max(1, k - 1);
  }
  return basis;
}

/** What each column of the matrix is of the basis, by least squares: the basis is short, so that rounding cannot miss. */
function coordinates(basis: readonly (readonly number[])[], values: readonly number[], kw: number): number[][] {
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const orthogonal: number[][] = [];
  for (const vector of basis) {
    const rest = orthogonal.reduce((left: readonly number[], other) => {
      const ratio = dot(left, other) / dot(other, other);
      return left.map((x, i) => x - ratio * other[i]!);
    }, vector);
    orthogonal.push([...rest]);
  }
  return Array.from({ length: kw }, (_, j) => {
    let rest = basis[0]!.map((_, i) => values[i * kw + j]!);
    const found = basis.map(() => 0);
    for (let k = basis.length - 1; k >= 0; k--) {
      found[k] = Math.round(dot(rest, orthogonal[k]!) / dot(orthogonal[k]!, orthogonal[k]!)) + 0;
      rest = rest.map((x, i) => x - found[k]! * basis[k]![i]!);
    }
    return found;
  });
}
