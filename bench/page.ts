// What a contest must offer so that its results become a page of docs/.
import type { Reached } from "./goals.ts";
import type { Results } from "./results.ts";

export interface Page<R extends Results = Results> {
  /** The page in docs/, and how its files in results/ end, before ".json". */
  document: string;
  suffix: string;
  goals(results: R): Reached[];
  /** How the others compare on a number of threads. */
  ratios(results: R, threads: number): string;
  /** The parts after the list of who takes part. */
  rest(results: R): string[];
}
