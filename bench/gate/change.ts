// Whether one contestant is slower than another, by blocks of runs that took turns.

export interface Change {
  /** Of each round: this one's time over the other's. */
  ratios: readonly number[];
  median: number;
  /** What the true median lies between in 95 of 100 cases. Fewer than 6 rounds tell nothing: from 0 to Infinity. */
  low: number;
  high: number;
}

/** What counts as slower: by more than this share. */
const share = 0.05;

export function changeOf(ratios: readonly number[]): Change {
  const sorted = ratios.toSorted((a, b) => a - b);
  const rank = rankOf(sorted.length);
  return { ratios, median: median(ratios), low: sorted[rank - 1] ?? 0, high: sorted[sorted.length - rank] ?? Infinity };
}

/** Slower by more than 5 %, and not by noise: the whole interval lies above 1. */
export const isSlower = (change: Change | undefined): change is Change =>
  change !== undefined && change.median > 1 + share && change.low > 1;

/** The same of a change that was measured again in other processes: both medians, and the interval of all rounds together. */
export const isSlowerTwice = (first: Change | undefined, again: Change | undefined): boolean =>
  isSlower(first) &&
  again !== undefined &&
  again.median > 1 + share &&
  changeOf([...first.ratios, ...again.ratios]).low > 1;

/** The rank from below, and from above, at which the 95 % interval of a median of n values ends: as n coins fall. */
function rankOf(n: number): number {
  let [ways, sum, rank] = [1, 0, 0];
  for (let heads = 0; heads < n / 2; heads++) {
    sum += ways;
    if (sum / 2 ** n > 0.025) break;
    rank = heads + 1;
    ways = (ways * (n - heads)) / (heads + 1);
  }
  return rank;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
