// Worker threads on one shared memory. They are started with the first program that has strips for them, told each module
// once, and watch the control block for runs. A worker that cannot be started costs speed only, as does one that dies with no
// strip in its hands; one that dies with a strip ends the call, and the next run starts another in its place.
import { Rank1Error } from "../../errors.ts";
import { hardwareThreads, startThread, type Thread } from "./host.ts";
import { control, lineBytes } from "./script.ts";

/** How often a thread looks for work before it sleeps, about half a millisecond; not where threads share cores. */
const spinCount = 200_000;
/** How long the caller sleeps at most before it lets events run, and how long a strip may take before its thread is dead. */
const napMilliseconds = 2;
/** How long it sleeps where threads share cores: whoever is woken is to be a worker. */
const shortNapMilliseconds = 0.1;
const lostMilliseconds = 10_000;
const lost = `no answer within ${lostMilliseconds / 1000} seconds`;

export interface KernelModule {
  module: WebAssembly.Module;
  entries: [name: string, index: number][];
}

export class WorkerPool {
  private readonly memory: WebAssembly.Memory;
  private readonly driver: WebAssembly.Module;
  private readonly control: number;
  private readonly createWorker: (() => Worker) | undefined;
  /** Workers wanted: fewer than asked for once some could not be started. These are not tried again. */
  size: number;
  /** Why workers are missing, if some are. */
  loss: string | undefined;
  private threads: { thread: Thread; number: number }[] = [];
  private modules: KernelModule[] = [];
  /** Whether threads share cores. */
  private isCrowded = false;
  /** Set when a worker has died with a strip of the run. */
  private failure: Rank1Error | undefined;
  /** The signal that the caller waits to change, and since when. */
  private waitedFor = -1;
  private waitingSince = 0;

  constructor(
    memory: WebAssembly.Memory,
    driver: WebAssembly.Module,
    control: number,
    size: number,
    createWorker?: () => Worker,
  ) {
    this.memory = memory;
    this.driver = driver;
    this.control = control;
    this.size = size;
    this.createWorker = createWorker;
  }

  /** Sends generated code to all workers, also to those that are started later. */
  announce(code: KernelModule): void {
    this.modules.push(code);
    for (const { thread, number } of this.threads) this.post(thread, number, { kind: "kernels", ...code });
  }

  /** Has all workers let go of code, by its places in their tables. */
  forget(modules: readonly WebAssembly.Module[], indices: readonly number[]): void {
    this.modules = this.modules.filter(({ module }) => !modules.includes(module));
    for (const { thread, number } of this.threads) this.post(thread, number, { kind: "forget", indices });
  }

  /** Makes the workers ready for a run. */
  wake(): void {
    this.failure = undefined;
    if (this.threads.length < this.size) this.startThreads();
    for (const { thread } of this.threads) thread.hold(true);
  }

  /** Calls workers that have gone back to their event loops. To be called when a run has begun. */
  call(): void {
    const bytes = new Uint8Array(this.memory.buffer);
    for (const { thread, number } of this.threads) {
      const isParked = Atomics.compareExchange(bytes, this.control + control.parked + number, 1, 0) === 1;
      if (isParked) this.post(thread, number, { kind: "wake" });
    }
  }

  /** Lets the process end while nothing runs. */
  rest(): void {
    for (const { thread } of this.threads) thread.hold(false);
  }

  /** @throws Rank1Error where a strip of the run was lost with its worker. */
  check(): void {
    if (this.failure) throw this.failure;
  }

  /** Waits a moment, or until the signal is no longer what was seen. */
  async wait(seen: number): Promise<void> {
    const [words, at] = [this.words, this.control / 4];
    this.check();
    if (this.waitedFor !== seen) [this.waitedFor, this.waitingSince] = [seen, performance.now()];
    if (performance.now() - this.waitingSince > lostMilliseconds) {
      await this.dispose();
      throw this.fail(lost);
    }
    Atomics.add(words, at + control.sleepers / 4, 1);
    try {
      if (mayBlock) this.nap(words, seen);
      else await changed(words, at + control.signal / 4, seen);
    } finally {
      Atomics.sub(words, at + control.sleepers / 4, 1);
    }
  }

  /** Resolves when no worker holds a strip, or those that do have been ended: until then the memory of a run is in use. */
  async settle(): Promise<void> {
    for (const since = performance.now(); this.holds(); ) {
      if (performance.now() - since > lostMilliseconds) {
        this.fail(lost);
        await this.dispose();
        return;
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  private nap(words: Int32Array, seen: number): void {
    if (this.isCrowded) Atomics.wait(elsewhere!, 0, 0, shortNapMilliseconds);
    else Atomics.wait(words, (this.control + control.signal) / 4, seen, napMilliseconds);
  }

  /** {@link wait} where no event may come: only time tells that a worker is lost. */
  waitSync(seen: number): void {
    const [words, at] = [this.words, this.control / 4];
    const since = performance.now();
    while (Atomics.load(words, at + control.signal / 4) === seen) {
      if (mayBlock) this.nap(words, seen);
      if (performance.now() - since > lostMilliseconds) this.giveUpRun();
    }
  }

  /** {@link settle} where no event may come. */
  settleSync(): void {
    for (const since = performance.now(); this.holds(); ) {
      if (performance.now() - since > lostMilliseconds) this.giveUpRun();
    }
    this.rest();
  }

  private giveUpRun(): never {
    const failure = this.fail(lost);
    this.dispose();
    throw failure;
  }

  /** Ends the workers; the next run would start new ones. */
  async dispose(): Promise<void> {
    const { threads } = this;
    this.threads = [];
    await Promise.all(threads.map(({ thread }) => thread.terminate()));
  }

  private get words(): Int32Array {
    return new Int32Array(this.memory.buffer);
  }

  /** Whether a worker holds a strip; for a moment, one that only looks for one may seem to. */
  private holds(): boolean {
    const words = this.words;
    for (let look = 0; look < 1000; look++)
      if (!this.threads.some(({ number }) => this.isHolding(number, words))) return false;
    return true;
  }

  private isHolding(number: number, words = this.words): boolean {
    return Atomics.load(words, (this.control + control.held + number * lineBytes) / 4) === 1;
  }

  /** Those that are missing. */
  private startThreads(): void {
    const there = new Set(this.threads.map(({ number }) => number));
    this.shareCores();
    for (let number = 1; number <= this.size; number++) if (!there.has(number)) this.startThread(number);
  }

  /** Keeps no more threads awake than there are cores for: others would only take them from these. */
  private shareCores(): void {
    const cores = hardwareThreads();
    this.isCrowded = this.size >= cores;
    Atomics.store(this.words, (this.control + control.spinCount) / 4, spinCount);
    Atomics.store(this.words, (this.control + control.spare) / 4, Math.max(0, this.size + 1 - cores));
  }

  private startThread(number: number): void {
    let thread: Thread | undefined;
    const [words, bytes] = [this.words, new Uint8Array(this.memory.buffer)];
    const started = this.control + control.started + number;
    for (const state of [started, this.control + control.parked + number]) Atomics.store(bytes, state, 0);
    for (const state of [control.held + number * lineBytes, control.mail + 4 * number])
      Atomics.store(words, (this.control + state) / 4, 0);
    try {
      thread = startThread(this.createWorker);
      this.threads.push({ thread, number });
      thread.onFailure(({ message }) => this.lose(thread!, number, message));
      const { memory, driver } = this;
      this.post(thread, number, { kind: "start", memory, driver, thread: number, started });
      for (const code of this.modules) this.post(thread, number, { kind: "kernels", ...code });
    } catch (error) {
      this.drop(thread);
      this.giveUp((error as Error).message);
    }
  }

  /**
   * A worker that is in the driver returns to its mail. It is counted before it is posted: a worker that had read more than
   * was counted would leave the driver for mail that never comes, and no run would find it again.
   */
  private post(thread: Thread, number: number, message: object): void {
    const [words, at] = [this.words, this.control / 4];
    Atomics.add(words, at + control.mail / 4 + number, 1);
    thread.post(message);
    Atomics.add(words, at + control.signal / 4, 1);
    Atomics.notify(words, at + control.signal / 4);
  }

  /** A worker that has broken works no more. What it held is lost. */
  private lose(thread: Thread, number: number, message: string): void {
    if (!this.threads.some((one) => one.thread === thread)) return;
    const hasStarted = Atomics.load(new Uint8Array(this.memory.buffer), this.control + control.started + number) === 1;
    this.drop(thread);
    if (!hasStarted) this.giveUp(message);
    else if (this.isHolding(number)) this.fail(message);
  }

  private drop(thread: Thread | undefined): void {
    thread?.terminate();
    this.threads = this.threads.filter((other) => other.thread !== thread);
  }

  private fail(received: string): Rank1Error {
    this.failure ??= new Rank1Error("WORKER", { parameter: "threads", expected: "worker threads that run", received });
    return this.failure;
  }

  /** A worker that never started holds nothing: the others and the caller do its part. */
  private giveUp(message: string): void {
    this.size--;
    this.shareCores();
    for (const { thread, number } of this.threads) if (number > this.size) this.drop(thread);
    if (this.loss) return;
    this.loss = `a worker could not be started (${message})`;
    console.warn(`rank1: fewer threads than wanted: ${this.loss}; see docs/deploying.md`);
  }
}

/** A word that nobody changes, to sleep on. */
const elsewhere = typeof SharedArrayBuffer === "undefined" ? undefined : new Int32Array(new SharedArrayBuffer(4));

/** Whether this thread may sleep: a browser's main thread may not. */
const mayBlock = (() => {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
})();

/** Resolves when a word no longer has the value, without blocking this thread. */
async function changed(words: Int32Array, index: number, value: number): Promise<void> {
  if (typeof Atomics.waitAsync === "function") {
    const wait = Atomics.waitAsync(words as Int32Array<SharedArrayBuffer>, index, value, 100);
    if (wait.async) await wait.value;
    return;
  }
  if (Atomics.load(words, index) === value) await new Promise((resolve) => setTimeout(resolve));
}
