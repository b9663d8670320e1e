// The form of bench/results/*.json that all contests share: what run.ts writes and table.ts reads. Times are milliseconds.

export const format = 1;

export interface Times {
  median: number;
  p10: number;
  p90: number;
  runs: number;
}

/** One library on one number of threads. */
export interface Entry<Check = unknown> {
  rival: string;
  threads: number;
  times?: Times;
  /** Only so many rows of the picture were filtered, and the times multiplied. */
  rows?: number;
  check?: Check;
  plan?: string;
  /** rank1's plans alone, without copies in and out; the chosen one first. */
  programs?: { plan: string; times: Times }[];
  /** Why there are no times. */
  leftOut?: string;
}

export interface CaseResult<Check = unknown> {
  name: string;
  title: string;
  entries: Entry<Check>[];
}

/** Of the whole run: who took part. */
export interface Participant {
  name: string;
  version: string;
  note: string;
}

/** What a contest measures; the rest of the results is about the machine. */
export interface Measured<C extends CaseResult = CaseResult> {
  rivals: Participant[];
  cases: C[];
}

export interface Results<C extends CaseResult = CaseResult> extends Measured<C> {
  format: typeof format;
  date: string;
  commit: string;
  machine: { cpu: string; cores: number; memoryGB: number; os: string; node: string; v8: string; load: number[] };
  settings: { rounds: number; quick: boolean };
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
