// The WebAssembly backend: one linear memory, generated modules compiled once, and workers where memory can be shared.
import { get, ModuleBuilder } from "../../codegen/assembler.ts";
import { Rank1Error } from "../../errors.ts";
import { type CodeMode, kernelArity } from "../../kernels/kernel.ts";
import { builtInProfile } from "../../plan/cost.ts";
import type { ValueDType } from "../../tensor.ts";
import type { Backend, BackendPlan, CompileOptions, Verdict, Weights } from "../backend.ts";
import { finished, inTurns, isDue } from "../slices.ts";
import { type Driver, driverCode } from "./driver.ts";
import { type Entry, KernelStore } from "./kernels.ts";
import { Allocator, MemoryViews, pageBytes } from "./memory.ts";
import { WorkerPool } from "./pool.ts";
import { type ProgramHost, WasmProgram } from "./program.ts";
import { control } from "./script.ts";
import { PackedWeights, SharedRoom } from "./shared.ts";
import { Staging } from "./staging.ts";
import { WasmValue } from "./value.ts";
import { emptyUpperHalves } from "./wide.ts";

export interface WasmOptions {
  threads: number;
  /** Threads are used even where the work does not repay waking them. */
  always: boolean;
  maxMemory: number;
  mode: CodeMode;
  /** Staging memory may be a memory of its own. */
  memories: boolean;
  /** Verdicts on wide kernels that an earlier process has reached. */
  verdicts?: Iterable<[string, Verdict]>;
  createWorker?: () => Worker;
}

/** Work predicted to take less on one thread is not worth waking others for: that alone takes 20 to 50 microseconds. */
const leastNanoseconds = 1.5e5;

/** What holds memory: an engine that is disposed of lets go of it as a whole, whoever still has its programs and values. */
interface Live {
  memory: WebAssembly.Memory;
  views: MemoryViews;
  allocator: Allocator;
  packed: PackedWeights;
  room: SharedRoom;
  kernels: KernelStore;
  driver: Driver;
  pool: WorkerPool | undefined;
  control: number;
  flowing: ProgramHost["flowing"];
  staging?: Staging;
  probes?: { use: Entry; index: number };
}

function start(options: WasmOptions): Live {
  const { threads, maxMemory, mode, verdicts, createWorker } = options;
  const shared = threads > 1;
  const maximum = Math.floor(maxMemory / pageBytes);
  const memory = new WebAssembly.Memory({ initial: 1, ...(shared && { maximum, shared: true }) });
  const views = new MemoryViews(memory);
  const allocator = new Allocator(maximum * pageBytes, (bytes) => {
    const missing = Math.ceil((bytes - memory.buffer.byteLength) / pageBytes);
    if (missing > 0) memory.grow(missing);
  });
  // The first block is never address 0, where a call without rows may look for parameters.
  allocator.allocate(2048);
  const at = allocator.allocate(control.bytes).offset;
  const driver = new WebAssembly.Module(driverCode({ control: at, shared, maximum }));
  const pool = shared ? new WorkerPool(memory, driver, at, threads - 1, createWorker) : undefined;
  const kernels = new KernelStore({ ...{ memory, shared, maximum, mode, verdicts }, workers: pool });
  const env = { memory, table: kernels.table, due: () => Number(isDue()) };
  const made = new WebAssembly.Instance(driver, { env }).exports as unknown as Driver;
  return {
    ...{ memory, views, allocator, kernels, pool, control: at, flowing: new WeakMap() },
    ...{ packed: new PackedWeights(allocator), room: new SharedRoom(allocator) },
    driver: mode.wide ? { ...made, run: emptyingAfter(made.run) } : made,
  };
}

export class WasmBackend implements Backend, ProgramHost {
  readonly name = "wasm";
  readonly profile = builtInProfile;
  readonly verdicts: Map<string, Verdict>;
  stripRows: number | undefined;
  private readonly options: WasmOptions;
  private held: Live | undefined;

  constructor(options: WasmOptions) {
    this.options = options;
    this.held = start(options);
    this.verdicts = this.held.kernels.verdicts;
  }

  private get live(): Live {
    if (this.held) return this.held;
    const [expected, received] = ["an engine in use", "a disposed one"];
    throw new Rank1Error("DISPOSED", { parameter: "engine", expected, received });
  }

  get isDisposed(): boolean {
    return this.held === undefined;
  }

  get views(): MemoryViews {
    return this.live.views;
  }

  get allocator(): Allocator {
    return this.live.allocator;
  }

  get packed(): PackedWeights {
    return this.live.packed;
  }

  get room(): SharedRoom {
    return this.live.room;
  }

  get kernels(): KernelStore {
    return this.live.kernels;
  }

  get driver(): Driver {
    return this.live.driver;
  }

  get pool(): WorkerPool | undefined {
    return this.live.pool;
  }

  get control(): number {
    return this.live.control;
  }

  get flowing(): ProgramHost["flowing"] {
    return this.live.flowing;
  }

  get threads(): number {
    return 1 + (this.held?.pool?.size ?? 0);
  }

  threadsFor(nanoseconds: number): number {
    return this.options.always || nanoseconds >= leastNanoseconds ? this.threads : 1;
  }

  /** Why threads are fewer than were asked for, if some could not be started. */
  get loss(): string | undefined {
    return this.held?.pool?.loss;
  }

  /** Made with the first array that is moved. */
  get staging(): Staging {
    const { threads, maxMemory, memories: apart } = this.options;
    const mode = { shared: threads > 1, maximum: Math.floor(maxMemory / pageBytes), apart };
    const { live } = this;
    live.staging ??= new Staging(live.memory, live.allocator, mode);
    return live.staging;
  }

  async compile(plan: BackendPlan, weights: Weights, options?: CompileOptions): Promise<WasmProgram> {
    return inTurns(WasmProgram.compiling(this, plan, weights, options), options?.signal);
  }

  /** {@link compile} at once. */
  compileSync(plan: BackendPlan, weights: Weights): WasmProgram {
    return finished(WasmProgram.compiling(this, plan, weights));
  }

  alloc({ shape, dtype }: { shape: readonly number[]; dtype: ValueDType }): WasmValue {
    return new WasmValue(this, shape, dtype);
  }

  bytes(): number {
    return this.held?.allocator.used ?? 0;
  }

  dispose(): void {
    this.held?.pool?.dispose();
    this.held = undefined;
  }

  probe(use: Entry): number {
    const { live } = this;
    if (!live.probes) {
      const i32s = Array<"i32">(kernelArity).fill("i32");
      const module = new ModuleBuilder({ functions: { use: { params: i32s, results: [] } } });
      module.define("probe", i32s, (f) => f.emit(module.call("use", ...f.params.map(get))));
      const compiled = new WebAssembly.Module(
        module.encode({ shared: live.pool !== undefined, maximum: Math.floor(this.options.maxMemory / pageBytes) }),
      );
      const env = { memory: live.memory, use: (...args: number[]) => live.probes!.use(...args) };
      const { exports } = new WebAssembly.Instance(compiled, { env });
      const index = live.kernels.table.grow(1);
      live.kernels.table.set(index, exports.probe);
      live.probes = { use, index };
    }
    live.probes.use = use;
    return live.probes.index;
  }
}

/** Gives registers back as other code on the caller's thread wants them. */
const emptyingAfter =
  (run: Driver["run"]): Driver["run"] =>
  (...args) => {
    const state = run(...args);
    emptyUpperHalves();
    return state;
  };
