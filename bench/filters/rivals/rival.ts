// What a library that takes part must offer.
import type { Border, Case } from "../cases.ts";
import type { Picture, Pixels } from "../picture.ts";

/** One case, prepared on one picture: nothing is allocated in `run` that the library allows to be allocated before. */
export interface Job {
  /** How rank1 goes about it. */
  plan?: string;
  /** Filters the picture, an array of the caller's, into another; returns the milliseconds that took. */
  run(): Promise<number>;
  /** What the last run made, in the picture's layout. */
  result(): Promise<Pixels | Float64Array>;
  dispose(): void | Promise<void>;
}

export interface Rival {
  name: string;
  /** rank1 itself: what the others are compared with, always on the whole picture. */
  ours?: boolean;
  version: string;
  /** One line for the page: how it is called, what it does differently. */
  note: string;
  /** Numbers of threads that it can work on. */
  threads: readonly number[];
  /** True, or the reason why it cannot do the case. */
  supports(problem: Case): true | string;
  /** The border that it computes where the case asks for "reflect". */
  border: Border;
  /** The levels that its results may miss, where more than the case's own: because its method rounds more coarsely. */
  levels?(problem: Case): number;
  prepare(problem: Case, picture: Picture, threads: number): Promise<Job>;
  close(): Promise<void>;
}
