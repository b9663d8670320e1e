// Work that several wait for, each as long as it likes.

/** Is awaited by any number; who stops waiting stops the work only where nobody else waits for it. */
export class SharedWork<T> {
  /** Settles with the work. */
  readonly result: Promise<T>;
  private readonly end = new AbortController();
  private waiting = 0;

  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.result = work(this.end.signal);
    // Who waits is told.
    this.result.catch(() => {});
  }

  /** Nobody has waited to the end: it has no result. */
  get isOver(): boolean {
    return this.end.signal.aborted;
  }

  /** The result, or the reason of a signal that comes before it. */
  async wait(signal?: AbortSignal): Promise<T> {
    if (!signal) {
      // Nobody can stop waiting any more.
      this.waiting = Infinity;
      return this.result;
    }
    signal.throwIfAborted();
    this.waiting++;
    let stop: (() => void) | undefined;
    const stopped = new Promise<never>((_, reject) => {
      stop = () => reject(signal.reason);
      signal.addEventListener("abort", stop);
    });
    try {
      return await Promise.race([this.result, stopped]);
    } finally {
      signal.removeEventListener("abort", stop!);
      if (--this.waiting === 0 && signal.aborted) this.end.abort(signal.reason);
    }
  }
}
