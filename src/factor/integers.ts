// Exact arithmetic on matrices of integers: their rank, and their sum of few products of small integers.

/** One product: the matrix [kh, kw] of column[i] · row[j]. */
export interface Term {
  /** Taps of the column pass, [kh]. */
  column: number[];
  /** Taps of the row pass, [kw]. */
  row: number[];
}

/** Terms of integers, whose sum over `denominator` is the matrix. */
export interface WholeTerms {
  terms: Term[];
  denominator: number;
}

const largestTap = 2 ** 15;
/** Terms of larger values than this times the matrix's would cancel, and cost digits in floating point. */
const largestGrowth = 16;
const exact = 2 ** 53;

/**
 * Removes one cross (a column ⊗ a row through a pivot) after the other until nothing is left: fraction-free
 * elimination (Bareiss 1968) with the pivot of least magnitude, which keeps the numbers small. The number of steps is
 * the rank. Undefined where the numbers outgrow exact arithmetic or the rank exceeds `maxRank`.
 */
export function eliminate(values: readonly number[], kh: number, kw: number, maxRank: number) {
  const rest = Float64Array.from(values);
  const crosses: { column: number[]; row: number[]; divisor: number }[] = [];
  for (let previous = 1; ; ) {
    const pivot = leastPivot(rest, kh, kw);
    if (pivot === undefined) return crosses;
    if (crosses.length === maxRank || 2 * pivot.largest ** 2 > exact) return undefined;
    const column = Array.from({ length: kh }, (_, i) => rest[i * kw + pivot.x]!);
    const row = Array.from(rest.subarray(pivot.y * kw, (pivot.y + 1) * kw));
    const value = row[pivot.x]!;
    for (let i = 0; i < kh; i++) {
      for (let j = 0; j < kw; j++) {
        const at = i * kw + j;
        rest[at] = (rest[at]! * value - column[i]! * row[j]!) / previous;
      }
    }
    crosses.push({ column, row, divisor: previous * value });
    previous = value;
  }
}

/** The non-zero entry of least magnitude; among equal ones that with the fewest others in its row and column. */
function leastPivot(rest: Float64Array, kh: number, kw: number) {
  const [inRow, inColumn] = [new Uint32Array(kh), new Uint32Array(kw)];
  let [least, largest] = [Infinity, 0];
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const magnitude = Math.abs(rest[i * kw + j]!);
      if (magnitude === 0) continue;
      inRow[i]!++;
      inColumn[j]!++;
      if (magnitude < least) least = magnitude;
      if (magnitude > largest) largest = magnitude;
    }
  }
  if (largest === 0) return undefined;
  let [x, y, fewest] = [0, 0, Infinity];
  for (let i = 0; i < kh; i++) {
    for (let j = 0; j < kw; j++) {
      const others = (inRow[i]! - 1) * (inColumn[j]! - 1);
      if (Math.abs(rest[i * kw + j]!) === least && others < fewest) [y, x, fewest] = [i, j, others];
    }
  }
  return { y, x, largest };
}

/** The crosses as terms of small integers, if their sum over the common denominator is the matrix exactly. */
export function smallTerms(
  values: readonly number[],
  kh: number,
  kw: number,
  crosses: NonNullable<ReturnType<typeof eliminate>>,
): WholeTerms | undefined {
  const reduced = crosses.map(({ column, row, divisor }) => {
    const [c, r] = [divisorOf(column), divisorOf(row)];
    const common = gcd(c * r, Math.abs(divisor));
    const [numerator, denominator] = [(c * r) / common, divisor / common];
    const sign = Math.sign(denominator);
    return {
      column: column.map((x) => (sign * x) / c + 0),
      row: row.map((x) => (x / r) * numerator + 0),
      denominator: Math.abs(denominator),
    };
  });
  const denominator = reduced.reduce((lcm, term) => (lcm / gcd(lcm, term.denominator)) * term.denominator, 1);
  const scaled = reduced.map((term) => ({
    column: term.column.map((x) => x * (denominator / term.denominator)),
    row: term.row,
  }));
  if (denominator > largestTap || !isSmall(scaled, values, denominator)) return;
  const rest = values.map((x) => x * denominator);
  for (const { column, row } of scaled) {
    for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) rest[i * kw + j]! -= column[i]! * row[j]!;
  }
  if (rest.some((x) => x !== 0)) return;
  return { terms: scaled, denominator };
}

/** Whether integer terms are of use in floating point, too: small, and so near the matrix that little cancels. */
export function isSmall(terms: readonly Term[], values: readonly number[], denominator = 1): boolean {
  const most = largestGrowth * denominator * magnitude(values);
  return terms.every(({ column, row }) => {
    const [c, r] = [magnitude(column), magnitude(row)];
    return c <= largestTap && r <= largestTap && c * r <= most;
  });
}

function magnitude(numbers: readonly number[]): number {
  return numbers.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

function gcd(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

/** The greatest common divisor; 0 of zeros. */
export function divisorOf(numbers: readonly number[]): number {
  return numbers.reduce((divisor, x) => gcd(divisor, Math.abs(x)), 0);
}

/** Primes just below 2^26: products of two residues stay exact. */
const primes = [67108859, 67108837, 67108819, 67108777, 67108763, 67108757, 67108753, 67108747];

/**
 * The rank, or maxRank + 1 where it is larger: the largest rank modulo several primes. A prime never raises the rank,
 * and lowers it only where it divides every minor of that size; when the product of the primes exceeds Hadamard's bound
 * of the minors, or the rank is full, the answer is proven.
 */
export function integerRank(values: readonly number[], kh: number, kw: number, maxRank: number): number {
  const full = Math.min(kh, kw, maxRank + 1);
  const largest = Math.max(1, magnitude(values));
  let [rank, proven] = [0, 0];
  for (const prime of primes) {
    rank = Math.max(rank, rankModulo(values, kh, kw, full, prime));
    proven += Math.log2(prime);
    const size = rank + 1;
    if (rank === full || proven > size * (Math.log2(largest) + Math.log2(size) / 2)) break;
  }
  return rank;
}

/** The numbers modulo the first of the primes that {@link rankModulo} knows: their sums and differences stay exact. */
export function residuesOf(values: readonly number[]): Float64Array {
  const residues = new Float64Array(values.length);
  for (let i = 0; i < residues.length; i++) {
    const value = values[i]!;
    // A division of doubles takes as long as all the rest.
    residues[i] = Math.abs(value) < primes[0]! ? value : value % primes[0]!;
  }
  return residues;
}

/** The rank modulo a prime, up to `full`. */
export function rankModulo(
  values: readonly number[],
  kh: number,
  kw: number,
  full: number,
  prime = primes[0]!,
): number {
  const modulo = (x: number) => {
    const residue = x - Math.floor(x / prime) * prime;
    return residue < 0 ? residue + prime : residue >= prime ? residue - prime : residue;
  };
  const rows = Array.from({ length: kh }, (_, i) =>
    Float64Array.from(values.slice(i * kw, (i + 1) * kw), (x) => modulo(x)),
  );
  let rank = 0;
  for (let j = 0; j < kw && rank < full; j++) {
    const found = rows.findIndex((row, i) => i >= rank && row[j] !== 0);
    if (found < 0) continue;
    [rows[rank], rows[found]] = [rows[found]!, rows[rank]!];
    const pivotRow = rows[rank]!;
    const inverse = inverseModulo(pivotRow[j]!, prime);
    rank++;
    for (let i = rank; i < kh; i++) {
      const row = rows[i]!;
      if (row[j] === 0) continue;
      const factor = prime - modulo(row[j]! * inverse);
      for (let c = j; c < kw; c++) row[c] = modulo(row[c]! + factor * pivotRow[c]!);
    }
  }
  return rank;
}

/** Extended Euclid. */
function inverseModulo(x: number, prime: number): number {
  let [a, b, s, t] = [x, prime, 1, 0];
  while (b !== 0) {
    const quotient = Math.floor(a / b);
    [a, b, s, t] = [b, a - quotient * b, t, s - quotient * t];
  }
  return s < 0 ? s + prime : s;
}
