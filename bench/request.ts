/** What run.ts asks of a contest: to measure the parts that are wanted. */
export interface Request {
  wanted(name: string): boolean;
  /** Shows that everything runs, and measures nothing. */
  quick: boolean;
  rounds: number;
  say(line: string): void;
}
