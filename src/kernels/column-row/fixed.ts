// Real taps in fixed point, for pictures of 8 bits: taps of 16 bits, values of 16 bits between the passes, sums of 32. The
// bound of the error is computed from the taps as they were rounded, and where it is too large there is no such plan.
import type { FilterProblem, Finish, Term } from "../../plan/types.ts";
import { finishOf, isInDoubles, isWeighted } from "../filter.ts";

export interface FixedTerms {
  /** Taps are integers of 16 bits; `between` makes values of 16 bits of column sums. */
  terms: (Term & { between: Finish })[];
  /** Makes results of row sums. */
  finish: Finish;
  /** The largest error of one output before it is rounded, in grey levels. */
  maxAbs: number;
}

/** Results before rounding may miss by this much: rounded, they stay within one level of the exact value. */
const mostError = 0.5;

const sum = (taps: readonly number[]): number => taps.reduce((total, tap) => total + tap, 0);
const magnitude = (taps: readonly number[]): number => taps.reduce((total, tap) => total + Math.abs(tap), 0);
const largest = (taps: readonly number[]): number => Math.max(...taps.map(Math.abs));
const missed = (taps: readonly number[], exact: readonly number[]): number =>
  magnitude(taps.map((tap, k) => tap - exact[k]!));
/** The largest power of two by which a number may be multiplied to stay below a limit. */
const room = (value: number, limit: number): number => Math.ceil(Math.log2(limit / value)) - 1;
const shiftBy = (bits: number, offset = 0): Finish => ({ denominator: 2 ** bits, gain: 1, offset });

/** Taps as multiples of 2^-bits. What rounding leaves goes to the next tap, so that their sum is as near as one can be. */
function quantise(taps: readonly number[], bits: number): number[] {
  let [wanted, given] = [0, 0];
  return taps.map((tap) => {
    wanted += tap * 2 ** bits;
    const rounded = Math.round(wanted) - given;
    given += rounded;
    return rounded;
  });
}

/** Terms in fixed point with the least error, or undefined where that is too large or the types do not allow it. */
export function fixedTerms(
  problem: FilterProblem,
  terms: readonly Term[],
  denominator: number,
): FixedTerms | undefined {
  const { x, y } = problem;
  if (x.dtype !== "u8" || y.dtype === "f32" || isInDoubles(problem) || isWeighted(problem)) return undefined;
  const { gain, offset } = finishOf(problem, denominator);
  const scaled = terms.map(({ column, row }) => {
    // Columns of unit sum, so that a flat picture stays flat between the passes; the rest is the row's.
    const [total, size] = [sum(column), magnitude(column)];
    const unit = Math.abs(total) > size / 4 ? total : size;
    return { column: column.map((tap) => tap / unit), row: row.map((tap) => (tap * unit * gain) / denominator) };
  });
  const found = [7, 6, 5, 4].flatMap((bits) => withBits(scaled, offset, bits) ?? []);
  const best = found.sort((a, b) => a.maxAbs - b.maxAbs)[0];
  return best && best.maxAbs <= mostError ? best : undefined;
}

/** With so many bits of fraction between the passes, where they fit. */
function withBits(terms: readonly Term[], offset: number, bits: number): FixedTerms | undefined {
  const highest = terms.map(({ column }) => magnitude(column) * 255);
  const range = terms.reduce((total, { row }, t) => total + highest[t]! * magnitude(row), Math.abs(offset) + 1);
  const rowBits = Math.min(room(range, 2 ** 31) - bits, ...terms.map(({ row }) => room(largest(row), 32767)));
  // Shifts in steps of four: each is a kernel of its own.
  const columnBits = terms.map(
    ({ column }, t) => bits + ((Math.min(room(largest(column), 32767), room(highest[t]!, 2 ** 30)) - bits) & ~3),
  );
  const scale = 2 ** (bits + rowBits);
  // The largest value between the passes, the largest sum of a row with all that is added to it, and the error.
  let [value, peak, maxAbs] = [0, (Math.abs(offset) + 1) * scale, 1 / scale];
  const rounded = terms.map((exact, t) => {
    const [column, row] = [quantise(exact.column, columnBits[t]!), quantise(exact.row, rowBits)];
    // What the rounded taps are, and by how much they miss.
    const [c, r] = [column.map((tap) => tap / 2 ** columnBits[t]!), row.map((tap) => tap / 2 ** rowBits)];
    const taps = missed(c, exact.column) * magnitude(r) + magnitude(exact.column) * missed(r, exact.row);
    const drift = Math.abs(sum(c) * sum(r) - sum(exact.column) * sum(exact.row));
    const most = 255 * magnitude(c) * 2 ** bits + 1;
    value = Math.max(value, most);
    peak += most * magnitude(row);
    // Pixels are half their range, give or take the other half; each value between the passes was rounded once.
    maxAbs += ((taps + drift) * 255) / 2 + magnitude(r) / 2 ** (bits + 1);
    return { column, row, between: shiftBy(columnBits[t]! - bits) };
  });
  const fits = value <= 32767 && peak < 2 ** 31 && Math.min(...columnBits) > bits && scale > 1;
  if (!fits) return undefined;
  return { terms: rounded, finish: shiftBy(bits + rowBits, Math.round(offset * scale) / scale), maxAbs };
}
