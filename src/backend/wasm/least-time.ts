// Times short synchronous work: the least of many runs, which other work on the machine has disturbed least.
import { type Abortable, Slices } from "../slices.ts";

export interface TimeOptions {
  signal?: Abortable;
  /** For how long to try. Default 30. */
  milliseconds?: number;
}

/** The least time of one run in nanoseconds, over at least three; events get their turn in between. */
export async function leastTime(work: () => void, { signal, milliseconds = 30 }: TimeOptions = {}): Promise<number> {
  const slices = new Slices(signal);
  const end = performance.now() + milliseconds;
  let least = Infinity;
  for (let run = 0; run < 3 || performance.now() < end; run++) {
    const start = performance.now();
    work();
    least = Math.min(least, performance.now() - start);
    if (slices.due()) await slices.next();
  }
  return least * 1e6;
}
