// How a contestant is timed when it is its turn.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Below this, a turn begins with a run that is not timed: caches, clock and sleeping threads are then warm for all. */
const warmUpBelow = 250;

// One contestant's garbage must not be collected in another's time.
setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

const lastTimes = new WeakMap<() => Promise<number>, number>();

/** Runs until the given milliseconds are spent, and once at least; every run's milliseconds. */
export async function takeTurn(run: () => Promise<number>, milliseconds: number): Promise<number[]> {
  collectGarbage();
  if ((lastTimes.get(run) ?? 0) < warmUpBelow) await run();
  const times: number[] = [];
  for (let spent = 0; times.length === 0 || spent < milliseconds; spent += times.at(-1)!) times.push(await run());
  lastTimes.set(run, times.at(-1)!);
  return times;
}
