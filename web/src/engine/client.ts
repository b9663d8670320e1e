// The page's side of the worker: calls as promises, and queues of length one, in which the latest input replaces the
// waiting one.
import { signal } from "@preact/signals";
import type { Calls, Kind, Reply, ToWorker } from "./protocol.ts";

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: Error): void;
  progress?(done: number, what?: string): void;
}

export interface CallHooks {
  transfer?: Transferable[];
  signal?: AbortSignal;
  onProgress?(done: number, what?: string): void;
}

let calls = 0;

/** One worker, from the first call on, and the calls that it has not answered yet. */
export class Client {
  private readonly waiting = new Map<number, Waiting>();
  private worker: Worker | undefined;

  /** Asks the worker; an AbortError where the signal ended the call. */
  call<K extends Kind>(kind: K, args: Calls[K]["args"], hooks: CallHooks = {}) {
    this.worker ??= this.start();
    const worker = this.worker;
    const id = ++calls;
    const post = (message: ToWorker, transfer: Transferable[] = []): void => worker.postMessage(message, transfer);
    return new Promise<Calls[K]["answer"]>((resolve, reject) => {
      const { onProgress: progress, signal, transfer } = hooks;
      this.waiting.set(id, { resolve: resolve as (answer: unknown) => void, reject, progress });
      signal?.addEventListener("abort", () => post({ abort: id }), { once: true });
      post({ id, kind, args } as ToWorker, transfer);
    });
  }

  /** Ends the worker at once, whatever it computes, and all that it holds. */
  end(): void {
    this.worker?.terminate();
    this.fail(new DOMException("the worker was ended", "AbortError"));
  }

  private start(): Worker {
    const started = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "rank1 studio" });
    started.onmessage = ({ data }: MessageEvent<Reply>) => {
      const call = this.waiting.get(data.id);
      if ("progress" in data) {
        call?.progress?.(data.progress, data.what);
        return;
      }
      this.waiting.delete(data.id);
      if ("answer" in data) call?.resolve(data.answer);
      else call?.reject(data.aborted ? new DOMException(data.error, "AbortError") : new Error(data.error));
    };
    started.onerror = (event) => this.fail(new Error(event.message || "the studio's worker could not be started"));
    return started;
  }

  private fail(error: Error): void {
    for (const call of this.waiting.values()) call.reject(error);
    this.waiting.clear();
  }
}

const studio = new Client();

/** What the engine is; undefined until a view has needed it, for its code is loaded by then. */
export const engineInfo = signal<Calls["info"]["answer"] | Error | undefined>(undefined);
let asked = false;

/** Asks the worker that holds the picture and the model that are looked at. */
export const call: Client["call"] = (...args) => {
  if (!asked) {
    asked = true;
    studio.call("info", undefined).then(
      (info) => (engineInfo.value = info),
      (error) => (engineInfo.value = error as Error),
    );
  }
  return studio.call(...args);
};

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

/** A call that has run this long gives way to a newer one; a shorter one may finish, so that a drag shows something. */
const patienceMilliseconds = 100;

/**
 * Runs one job at a time; of those that come meanwhile only the last is kept. A job gets a signal that ends it where a newer
 * one waits and it takes long.
 */
export class Latest {
  /** Whether a job runs. */
  busy = false;
  private since = 0;
  private next: ((signal: AbortSignal) => Promise<void>) | undefined;
  private controller = new AbortController();

  run(job: (signal: AbortSignal) => Promise<void>): void {
    this.next = job;
    if (!this.busy) void this.drain();
    else if (performance.now() - this.since > patienceMilliseconds) this.controller.abort();
  }

  /** Ends what runs, and forgets what waits. */
  stop(): void {
    this.next = undefined;
    this.controller.abort();
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.next) {
      const job = this.next;
      this.next = undefined;
      this.controller = new AbortController();
      this.since = performance.now();
      await job(this.controller.signal).catch((error) => {
        if (!isAbort(error)) reportError(error);
      });
    }
    this.busy = false;
  }
}
