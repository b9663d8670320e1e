// Long work on the caller's thread runs in slices, so that events (an abort, a repaint) get their turn in between.
import type { Steps } from "../plan/steps.ts";

export { finished, type Steps } from "../plan/steps.ts";

/** What ends long work early: an AbortSignal is one. */
export type Abortable = Pick<AbortSignal, "throwIfAborted">;

const sliceMilliseconds = 8;

/** When events last had their turn here, as far as is known: short calls that follow one another share a slice. */
let lastTurn = -Infinity;

/** How many have asked since the clock was read, and how many may. */
let asked = 0;
let patience = 1;
let lastRead = 0;
const mostPatience = 16;

/** Whether events have waited for a slice. Every strip asks, and each look at the clock is garbage: the faster they ask, the fewer. */
export function isDue(): boolean {
  if (++asked < patience) return false;
  const now = Date.now();
  patience = now - lastRead < 2 ? Math.min(mostPatience, 2 * patience) : 1;
  asked = 0;
  lastRead = now;
  return Math.abs(now - lastTurn) >= sliceMilliseconds;
}

export class Slices {
  private readonly signal: Abortable | undefined;

  constructor(signal?: Abortable) {
    this.signal = signal;
  }

  due(): boolean {
    return isDue();
  }

  /** Lets events run, then starts a new slice; throws the signal's reason where it was aborted. */
  async next(): Promise<void> {
    await turn();
    this.begin();
  }

  /** {@link next} after a {@link turn} that the caller has waited for. */
  begin(): void {
    lastTurn = Date.now();
    this.signal?.throwIfAborted();
  }
}

/** All of the work, with turns for events in between; an abort is thrown into it. */
export async function inTurns<T>(steps: Steps<T>, signal?: Abortable): Promise<T> {
  const slices = new Slices(signal);
  for (;;) {
    const next = steps.next();
    if (next.done) return next.value;
    if (slices.due()) await slices.next().catch((reason: unknown) => steps.throw(reason));
  }
}

const sliceElements = 1 << 16;

/** Works through `count` elements, a range at a time, with turns for events in between; ends early at a false. */
export async function inSlices(
  count: number,
  signal: Abortable | undefined,
  work: (from: number, to: number) => boolean,
): Promise<boolean> {
  const slices = new Slices(signal);
  for (let from = 0; from < count; from += sliceElements) {
    if (!work(from, Math.min(count, from + sliceElements))) return false;
    if (slices.due()) await slices.next();
  }
  return true;
}

/** Resolves after other events had a turn. */
export function turn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => void };
  if (setImmediate) return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Tells the milliseconds since it was last asked, or made. */
export function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const [before, now] = [last, performance.now()];
    last = now;
    return now - before;
  };
}
