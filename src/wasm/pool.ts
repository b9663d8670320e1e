// Worker threads on one shared memory. They are started at the first job and told each module once. During a job they
// take filled slots by compare-and-swap; the control block below tells them when it ends. A worker that cannot be started
// costs speed only: it is done without.
import { Rank1Error } from "../errors.ts";
import { startThread, type Thread } from "./host.ts";

/** Words of the control block, in 32-bit integers. worker.js knows the same order. */
const controlWords = { epoch: 0, active: 1, wake: 2, finished: 3 } as const;
/** After the words, a byte for each worker, which it sets when it has started. */
const startedOffset = 64;
const mostWorkers = 64;
export const controlBytes = startedOffset + mostWorkers;

export interface WorkerCall {
  module: number;
  entry: string;
  params: number;
  operands: { base: "slot" | "scratch" | "absolute"; offset: number }[];
}

export interface WorkerJob {
  calls: WorkerCall[];
  slots: number[];
  /** One for each worker. */
  scratch: number[];
}

/** Generated code: where workers find it. */
export interface WorkerCode {
  module: number;
  name: string;
}

export interface WorkerSweep {
  stages: readonly { script: number; words: number; strips: number; calls: readonly { arity: number }[] }[];
  counters: number;
  /** Of the caller first. */
  scratch: readonly number[];
}

export class WorkerPool {
  private readonly memory: WebAssembly.Memory;
  private readonly control: number;
  /** Workers wanted: fewer than asked for once some could not be started. These are not tried again. */
  size: number;
  /** Why workers are missing, if some are. */
  loss: string | undefined;
  private readonly createWorker: (() => Worker) | undefined;
  private threads: Thread[] = [];
  private readonly modules = new Map<number, WebAssembly.Module>();
  private epoch = 0;
  private failure: Rank1Error | undefined;
  private failed = (_error: Rank1Error): void => {};

  constructor(memory: WebAssembly.Memory, control: number, size: number, createWorker?: () => Worker) {
    this.memory = memory;
    this.control = control;
    this.size = size;
    this.createWorker = createWorker;
  }

  addModule(id: number, module: WebAssembly.Module): void {
    this.modules.set(id, module);
    for (const thread of this.threads) thread.post({ kind: "module", id, module });
  }

  /** Starts a job of slots on all workers; the memory must not grow until it has ended. */
  start({ calls, slots, scratch }: WorkerJob): PoolRun {
    return this.begin((index) => ({ kind: "job", slots, scratch: scratch[index], calls }));
  }

  /** Starts a sweep on all workers, each with the code of its calls. */
  startSweep({ stages, counters, scratch }: WorkerSweep, codes: readonly (readonly WorkerCode[])[]): PoolRun {
    const parts = stages.map(({ script, words, strips, calls }, i) => ({
      ...{ script, words, strips },
      calls: calls.map(({ arity }, j) => ({ module: codes[i]![j]!.module, entry: codes[i]![j]!.name, arity })),
    }));
    return this.begin((index) => ({ kind: "sweep", counters, scratch: scratch[index + 1], stages: parts }));
  }

  private begin(messageOf: (index: number) => object): PoolRun {
    if (this.failure || this.threads.length === 0) this.startThreads();
    const words = new Int32Array(this.memory.buffer, this.control, controlBytes / 4);
    const epoch = ++this.epoch;
    Atomics.store(words, controlWords.epoch, epoch);
    this.threads.forEach((thread, index) => {
      thread.hold(true);
      thread.post({ ...messageOf(index), epoch, control: this.control });
    });
    const broken = new Promise<never>((_, reject) => {
      this.failed = reject;
    });
    broken.catch(() => {});
    return {
      wake: () => {
        Atomics.add(words, controlWords.wake, 1);
        Atomics.notify(words, controlWords.wake);
      },
      finished: () => Atomics.load(words, controlWords.finished),
      waitForOthers: (seen) => Promise.race([changed(words, controlWords.finished, seen), broken]),
      end: async () => {
        // Late readers of the job's message find another epoch and leave at once.
        Atomics.store(words, controlWords.epoch, -epoch);
        Atomics.add(words, controlWords.wake, 1);
        Atomics.notify(words, controlWords.wake);
        while (!this.failure) {
          const seen = Atomics.load(words, controlWords.finished);
          if (Atomics.load(words, controlWords.active) === 0) break;
          await Promise.race([changed(words, controlWords.finished, seen), broken.catch(() => {})]);
        }
        for (const thread of this.threads) thread.hold(false);
        if (!this.failure) return;
        // The others may still be writing: nobody may have the memory before they have ended.
        await this.dispose();
        throw this.failure;
      },
    };
  }

  /** Ends the workers; the next job would start new ones. */
  async dispose(): Promise<void> {
    const { threads } = this;
    this.threads = [];
    await Promise.all(threads.map((thread) => thread.terminate()));
  }

  private startThreads(): void {
    this.dispose();
    this.failure = undefined;
    new Int32Array(this.memory.buffer, this.control, controlBytes / 4).fill(0);
    const addresses = Array.from({ length: this.size }, (_, index) => this.control + startedOffset + index);
    for (const started of addresses) this.startThread(started);
  }

  private startThread(started: number): void {
    let thread: Thread | undefined;
    try {
      thread = startThread(this.createWorker);
      this.threads.push(thread);
      thread.onFailure((cause) => this.fail(thread!, started, cause));
      thread.post({ kind: "memory", memory: this.memory, started });
      for (const [id, module] of this.modules) thread.post({ kind: "module", id, module });
    } catch (cause) {
      this.lose(thread, cause as Error);
    }
  }

  /** A worker that breaks may hold a slot: it rejects the run, and the next job starts new workers. */
  private fail(thread: Thread, started: number, cause: Error): void {
    if (!this.threads.includes(thread) || this.failure) return;
    if (Atomics.load(new Uint8Array(this.memory.buffer), started) === 0) {
      this.lose(thread, cause);
      return;
    }
    const [expected, received] = ["worker threads that run", cause.message];
    this.failure = new Rank1Error("WORKER", { parameter: "threads", expected, received, cause });
    this.failed(this.failure);
  }

  /** A worker that never started holds nothing: the others and the caller do its part. */
  private lose(thread: Thread | undefined, { message }: Error): void {
    thread?.terminate();
    this.threads = this.threads.filter((other) => other !== thread);
    this.size--;
    if (this.loss) return;
    this.loss = `a worker could not be started (${message})`;
    console.warn(`rank1: fewer threads than wanted: ${this.loss}; see docs/deploying.md`);
  }
}

export interface PoolRun {
  wake(): void;
  finished(): number;
  waitForOthers(seen: number): Promise<void>;
  end(): Promise<void>;
}

/** Resolves when a word no longer has the value, without blocking this thread. */
async function changed(words: Int32Array, index: number, value: number): Promise<void> {
  if (typeof Atomics.waitAsync === "function") {
    const wait = Atomics.waitAsync(words as Int32Array<SharedArrayBuffer>, index, value, 1000);
    if (wait.async) await wait.value;
    return;
  }
  while (Atomics.load(words, index) === value) await new Promise((resolve) => setTimeout(resolve));
}
