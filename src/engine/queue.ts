// The queue of an engine's calls: one at a time, in order. A call begins when its caller has gone on, never before it returns.
import type { Abortable } from "../backend/slices.ts";
import { Rank1Error } from "../errors.ts";

export class CallQueue {
  private last: Promise<unknown> = Promise.resolve();
  /** Aborted when the engine is disposed of: every call listens. */
  private readonly stop = new AbortController();

  /** @throws Rank1Error once the queue has ended. */
  check(): void {
    this.stop.signal.throwIfAborted();
  }

  add<T>(given: Abortable | undefined, work: (signal: Abortable) => T | Promise<T>): Promise<T> {
    // Not AbortSignal.any: it would let go of a timeout that nobody else holds.
    const signal = given ? new EitherSignal(given, this.stop.signal) : this.stop.signal;
    const next = this.last.then(() => {
      signal.throwIfAborted();
      return work(signal);
    });
    // Without the result: it would be kept until the next call.
    this.last = next.then(nothing, nothing);
    return next;
  }

  /** Runs when the calls before it are done. */
  after(work: () => void): void {
    this.last = this.last.then(work);
  }

  /** Rejects calls that run, wait or come later. */
  end(): void {
    const [expected, received] = ["an engine in use", "a disposed one"];
    this.stop.abort(new Rank1Error("DISPOSED", { parameter: "engine", expected, received }));
  }
}

function nothing(): void {}

class EitherSignal implements Abortable {
  private readonly given: Abortable;
  private readonly end: Abortable;

  constructor(given: Abortable, end: Abortable) {
    this.given = given;
    this.end = end;
  }

  throwIfAborted(): void {
    this.given.throwIfAborted();
    this.end.throwIfAborted();
  }
}
