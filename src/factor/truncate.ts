// How many terms of a singular value decomposition are kept, and the error of leaving out the rest.
import { checkInteger, checkNumber, checkOptions } from "../errors.ts";
import { norm, type Svd } from "./svd.ts";

/** How many terms are kept; without either, all. */
export interface TruncateOptions {
  /** At most this many terms. */
  rank?: number;
  /** The fewest terms whose relative error (Frobenius) is at most this; 0 or absent keeps the exact rank. */
  tolerance?: number;
}

/** @throws InvalidArgumentError for an unknown key, a rank below 1 or a tolerance outside 0 to 1. */
export function checkTruncateOptions<T extends TruncateOptions>(
  options: T | undefined,
  known: readonly (keyof T & string)[] = ["rank", "tolerance"],
): Required<TruncateOptions> {
  const { rank = Number.MAX_SAFE_INTEGER, tolerance = 0 } = checkOptions<T>("options", options, known);
  return {
    rank: checkInteger("rank", rank, { min: 1 }),
    tolerance: checkNumber("tolerance", tolerance, { min: 0, max: 1 }),
  };
}

/**
 * The rank to keep of matrices that share it, given their singular values, and its relative error over all of them:
 * the norm of the dropped values over the norm of all. At least 1, except where exactRank is 0.
 */
export function truncate(
  spectra: readonly (readonly number[])[],
  exactRank: number,
  { rank, tolerance }: Required<TruncateOptions>,
): { rank: number; error: number } {
  const norms = [0];
  for (let k = Math.max(0, ...spectra.map((s) => s.length)) - 1; k >= 0; k--) {
    norms.unshift(norm([norms[0]!, ...spectra.map((s) => s[k] ?? 0)]));
  }
  const errors = norms.map((dropped) => (dropped === 0 ? 0 : dropped / norms[0]!));
  const enough = Math.max(
    1,
    errors.findIndex((error) => error <= tolerance),
  );
  const kept = Math.min(rank, exactRank, enough);
  return { rank: kept, error: errors[kept] ?? 0 };
}

/** How many singular values of each matrix are above rounding, in numbers of the given precision. */
export function numericalRanks(matrices: readonly Svd[], epsilon: number): number[] {
  const largest = Math.max(...matrices.map(({ s }) => s[0] ?? 0));
  return matrices.map(({ u, s, v }) => {
    const threshold = Math.max(u[0]?.length ?? 0, v[0]?.length ?? 0) * epsilon * largest;
    return s.filter((sigma) => sigma > threshold).length;
  });
}
