// The form of bench/results/<machine>.json: what run.ts writes and table.ts reads. Times are milliseconds.

export const format = 1;

export interface Times {
  median: number;
  p10: number;
  p90: number;
  runs: number;
}

/** How far a result was from the exact one at sampled points, and from rank1's everywhere but near the edges. */
export interface Check {
  /** The border that was computed. */
  border: string;
  samples: number;
  /** Largest difference from the exact value, in levels, and what was allowed. */
  worst: number;
  levels: number;
  fromRank1: { worst: number; mean: number };
}

/** One library on one number of threads. */
export interface Entry {
  rival: string;
  threads: number;
  times?: Times;
  /** Only so many rows of the picture were filtered, and the times multiplied. */
  rows?: number;
  check?: Check;
  plan?: string;
  /** Why there are no times. */
  leftOut?: string;
}

export interface CaseResult {
  name: string;
  title: string;
  width: number;
  height: number;
  channels: number;
  output: string;
  border: string;
  tolerance: number;
  entries: Entry[];
}

/** First call of a new engine in a new process, beside a warm one: one megapixel of grey. */
export interface Cold {
  wide: boolean;
  threads: number;
  create: Times;
  first: Times;
  warm: Times;
  /** First call minus warm call. */
  extra: Times;
}

/** What one call leaves for the garbage collector, in bytes, on the video case. */
export interface Allocation {
  wide: boolean;
  calls: number;
  heap: number;
  buffers: number;
  collections: number;
}

export interface Results {
  format: typeof format;
  date: string;
  commit: string;
  machine: { cpu: string; cores: number; memoryGB: number; os: string; node: string; v8: string; load: number[] };
  settings: { rounds: number; quick: boolean };
  rivals: { name: string; version: string; note: string }[];
  cases: CaseResult[];
  cold: Cold[];
  allocations: Allocation[];
}

/** Percentiles by linear interpolation. */
export function timesOf(values: readonly number[]): Times {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = share * (sorted.length - 1);
    const [low, high] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
    return rounded(low + (high - low) * (position - Math.floor(position)));
  };
  return { median: at(0.5), p10: at(0.1), p90: at(0.9), runs: values.length };
}

/** Four significant digits: more would be noise. */
export const rounded = (value: number): number => Number(value.toPrecision(4));
