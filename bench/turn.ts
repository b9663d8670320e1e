// How a contestant is timed when it is its turn.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Below this, a turn begins with a run that is not timed: caches, clock and sleeping threads are then warm for all. */
const warmUpBelow = 250;

// One contestant's garbage must not be collected in another's time.
setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** `run` gives milliseconds. A turn repeats it until that many are spent, and once at least, and gives those of each run. */
export function turnsOf(run: () => Promise<number>): (milliseconds: number) => Promise<number[]> {
  let last = 0;
  return async (milliseconds) => {
    collectGarbage();
    if (last < warmUpBelow) await run();
    const times: number[] = [];
    for (let spent = 0; times.length === 0 || spent < milliseconds; spent += last) {
      last = await run();
      times.push(last);
    }
    return times;
  };
}
