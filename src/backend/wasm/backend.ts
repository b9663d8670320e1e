// The WebAssembly backend: one linear memory, generated modules compiled once, and workers where memory can be shared.
import { get, ModuleBuilder } from "../../codegen/assembler.ts";
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

export class WasmBackend implements Backend, ProgramHost {
  readonly name = "wasm";
  readonly profile = builtInProfile;
  readonly views: MemoryViews;
  readonly allocator: Allocator;
  readonly packed: PackedWeights;
  readonly room: SharedRoom;
  readonly kernels: KernelStore;
  readonly driver: Driver;
  readonly pool: WorkerPool | undefined;
  readonly control: number;
  stripRows: number | undefined;
  private readonly memory: WebAssembly.Memory;
  private readonly options: WasmOptions;
  private stage: Staging | undefined;
  private probes: { use: Entry; index: number } | undefined;

  constructor(options: WasmOptions) {
    const { threads, maxMemory, mode, verdicts, createWorker } = options;
    this.options = options;
    const shared = threads > 1;
    const maximum = Math.floor(maxMemory / pageBytes);
    this.memory = new WebAssembly.Memory({ initial: 1, ...(shared && { maximum, shared: true }) });
    this.views = new MemoryViews(this.memory);
    this.allocator = new Allocator(maximum * pageBytes, (bytes) => {
      const missing = Math.ceil((bytes - this.memory.buffer.byteLength) / pageBytes);
      if (missing > 0) this.memory.grow(missing);
    });
    this.packed = new PackedWeights(this.allocator);
    this.room = new SharedRoom(this.allocator);
    // The first block is never address 0, where a call without rows may look for parameters.
    this.allocator.allocate(2048);
    this.control = this.allocator.allocate(control.bytes).offset;
    const driver = new WebAssembly.Module(driverCode({ control: this.control, shared, maximum }));
    if (shared) this.pool = new WorkerPool(this.memory, driver, this.control, threads - 1, createWorker);
    this.kernels = new KernelStore({
      ...{ memory: this.memory, shared, maximum, mode, verdicts },
      announce: (code) => this.pool?.announce(code),
    });
    const env = { memory: this.memory, table: this.kernels.table, due: () => Number(isDue()) };
    const made = new WebAssembly.Instance(driver, { env }).exports as unknown as Driver;
    this.driver = mode.wide ? { ...made, run: emptyingAfter(made.run) } : made;
  }

  get threads(): number {
    return 1 + (this.pool?.size ?? 0);
  }

  threadsFor(nanoseconds: number): number {
    return this.options.always || nanoseconds >= leastNanoseconds ? this.threads : 1;
  }

  /** Why threads are fewer than were asked for, if some could not be started. */
  get loss(): string | undefined {
    return this.pool?.loss;
  }

  get verdicts(): Map<string, Verdict> {
    return this.kernels.verdicts;
  }

  /** Made with the first array that is moved. */
  get staging(): Staging {
    const { threads, maxMemory, memories: apart } = this.options;
    const mode = { shared: threads > 1, maximum: Math.floor(maxMemory / pageBytes), apart };
    this.stage ??= new Staging(this.memory, this.allocator, mode);
    return this.stage;
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
    return this.allocator.used;
  }

  dispose(): void {
    this.pool?.dispose();
  }

  probe(use: Entry): number {
    if (!this.probes) {
      const i32s = Array<"i32">(kernelArity).fill("i32");
      const module = new ModuleBuilder({ functions: { use: { params: i32s, results: [] } } });
      module.define("probe", i32s, (f) => f.emit(module.call("use", ...f.params.map(get))));
      const compiled = new WebAssembly.Module(
        module.encode({ shared: this.pool !== undefined, maximum: Math.floor(this.options.maxMemory / pageBytes) }),
      );
      const env = { memory: this.memory, use: (...args: number[]) => this.probes!.use(...args) };
      const { exports } = new WebAssembly.Instance(compiled, { env });
      const index = this.kernels.table.grow(1);
      this.kernels.table.set(index, exports.probe);
      this.probes = { use, index };
    }
    this.probes.use = use;
    return this.probes.index;
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
