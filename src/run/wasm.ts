// The WebAssembly machine: one linear memory, generated modules compiled once, and the worker pool where memory can be
// shared between threads.
import type { CodeMode } from "../kernels/kernel.ts";
import { kernelOf } from "../kernels/table.ts";
import { rowBytes, stripRows } from "../plan/cost.ts";
import type { BufferSpec, KernelSpec } from "../plan/types.ts";
import type { ViewDType } from "../tensor.ts";
import { ModuleBuilder } from "../wasm/assembler.ts";
import { Allocator, type Block, pageBytes } from "../wasm/memory.ts";
import { controlBytes, WorkerPool } from "../wasm/pool.ts";
import { compileOptimised } from "../wasm/wide.ts";
import {
  addressOf,
  alone,
  type Call,
  type Job,
  type KernelUse,
  type Machine,
  type PreparedCalls,
  type PreparedSweep,
  type Run,
  type Sweep,
  slotWords,
} from "./machine.ts";
import { runSweep, stripCalls } from "./sweep.ts";

export interface WasmOptions {
  threads: number;
  /** Threads are used even where the work does not repay waking them. */
  always: boolean;
  maxMemory: number;
  mode: CodeMode;
  /** Verdicts on wide kernels that an earlier process has reached. */
  verdicts?: Iterable<[string, Verdict]>;
  createWorker?: () => Worker;
}

/** Work predicted to take less is done before another thread is awake. */
const momentNanoseconds = 2e6;

type Entry = (rows: number, ...addresses: number[]) => void;

/** Generated code of one kernel: where workers find it, and the function. */
interface Code {
  module: number;
  name: string;
  run: Entry;
}

/** A kernel as it runs. In wide mode, its 128-bit twin stays until both were seen to agree: a verdict under `key`. */
interface LoadedKernel {
  code: Code;
  twin?: Code;
  key: string;
}

/** What became of a kernel in wide mode. */
export type Verdict = (typeof verdictNames)[number];
export const verdictNames = ["wide", "narrow: results differ"] as const;

export class WasmMachine implements Machine {
  readonly name = "wasm";
  readonly grainShare = 1;
  private readonly mode: CodeMode;
  private readonly memory: WebAssembly.Memory;
  private readonly shared: boolean;
  private readonly always: boolean;
  private readonly maximum: number;
  private readonly allocator: Allocator;
  private readonly pool: WorkerPool | undefined;
  private readonly kernels = new Map<string, LoadedKernel>();
  private modules = 0;
  /** Of wide kernels, by the name and a hash of their code; those that are known from elsewhere need no twin. */
  readonly verdicts: Map<string, Verdict>;

  constructor({ threads, always, maxMemory, mode, createWorker, verdicts }: WasmOptions) {
    this.verdicts = new Map(verdicts);
    this.mode = mode;
    this.shared = threads > 1;
    this.always = always;
    this.maximum = Math.floor(maxMemory / pageBytes);
    this.memory = new WebAssembly.Memory({ initial: 0, ...(this.shared && { maximum: this.maximum, shared: true }) });
    this.allocator = new Allocator(this.maximum * pageBytes, (bytes) => {
      const missing = Math.ceil((bytes - this.memory.buffer.byteLength) / pageBytes);
      if (missing > 0) this.memory.grow(missing);
    });
    // The first block is never address 0.
    const control = this.allocator.allocate(controlBytes);
    if (this.shared) this.pool = new WorkerPool(this.memory, control.offset, threads - 1, createWorker);
  }

  get threads(): number {
    return 1 + (this.pool?.size ?? 0);
  }

  threadsFor(nanoseconds: number): number {
    return this.always || nanoseconds >= momentNanoseconds ? this.threads : 1;
  }

  /** Why threads are fewer than were asked for, if some could not be started. */
  get loss(): string | undefined {
    return this.pool?.loss;
  }

  dtypeOf(_scope: BufferSpec["scope"], dtype: ViewDType): ViewDType {
    return dtype;
  }

  buffer(): ArrayBufferLike {
    return this.memory.buffer;
  }

  allocate(bytes: number): Block {
    return this.allocator.allocate(bytes);
  }

  release(block: Block): void {
    this.allocator.release(block);
  }

  bytes(): number {
    return this.memory.buffer.byteLength;
  }

  dispose(): void {
    this.pool?.dispose();
  }

  async prepare(calls: Call[]): Promise<PreparedCalls> {
    const kernels = await this.load(calls);
    return {
      unverified: kernels.some(({ twin }) => twin !== undefined),
      verify: (slot, scratch) => this.verify(calls, kernels, slot, scratch),
      start: async (job) => this.start(job, calls, kernels),
    };
  }

  /** Makes the kernels of these calls ready: one new module for all that are missing. */
  private async load(calls: readonly KernelUse[]): Promise<LoadedKernel[]> {
    const { mode } = this;
    const names = calls.map((call) => nameOf(call, mode));
    // Many calls use few kernels: one call stands for all that use the same.
    const uses = new Map(calls.map((call, i) => [names[i]!, call]));
    const missing = [...uses].filter(([name]) => !this.kernels.has(name)).map(([, call]) => call);
    if (missing.length > 0) {
      const code = build(missing, mode);
      const narrow = { ...mode, wide: false };
      // By the code itself, so that no verdict outlives a change of it.
      const keyOf = (name: string): string => `${name} ${hash(code.codeOf(name))}`;
      const keys = new Map(mode.wide ? missing.map((call) => [call, keyOf(nameOf(call, mode))]) : []);
      const known = (call: KernelUse): Verdict | undefined => this.verdicts.get(keys.get(call)!);
      // The twins come first: V8 would share the native code of equal modules.
      const twins = mode.wide ? missing.filter((call) => known(call) !== "wide") : [];
      const narrows = await this.compile(build(twins, narrow), twins, narrow);
      const wanted = mode.wide ? missing.filter((call) => known(call) !== "narrow: results differ") : missing;
      const compiled = await this.compile(code, wanted, mode);
      for (const call of missing) {
        const [best, twin] = [compiled.get(nameOf(call, mode)), narrows.get(nameOf(call, narrow))];
        const kernel = best ? { code: best, twin } : { code: twin! };
        this.kernels.set(nameOf(call, mode), { ...kernel, key: keys.get(call) ?? "" });
      }
    }
    return names.map((name) => this.kernels.get(name)!);
  }

  /** Compiles a module and readies the functions that these calls want of it. */
  private async compile(code: ModuleBuilder, calls: readonly KernelUse[], mode: CodeMode): Promise<Map<string, Code>> {
    if (calls.length === 0) return new Map();
    const bytes = code.encode({ shared: this.shared, maximum: this.maximum }, mode.wide ? "wide" : undefined);
    const arity = new Map(calls.map((call) => [nameOf(call, mode), call.arity]));
    const imports = { env: { memory: this.memory } };
    const instantiate = (module: WebAssembly.Module): [WebAssembly.Module, WebAssembly.Exports] => {
      const { exports } = new WebAssembly.Instance(module, imports);
      // Compiled at its first call: with no rows it does nothing else.
      for (const [name, count] of arity) (exports[name] as Entry)(0, ...new Array<number>(count).fill(0));
      return [module, exports];
    };
    const [module, exports] = this.mode.wide
      ? compileOptimised(mode.wide, () => instantiate(new WebAssembly.Module(bytes)))
      : instantiate(await WebAssembly.compile(bytes));
    const id = this.modules++;
    this.pool?.addModule(id, module);
    return new Map([...arity.keys()].map((name) => [name, { module: id, name, run: exports[name] as Entry }]));
  }

  /** Tries each unverified call on a slot filled with test data. */
  private verify(calls: readonly Call[], kernels: readonly LoadedKernel[], slot: number, scratch: number): void {
    const rows = new Int32Array(this.memory.buffer)[slot / 4 + slotWords.rows]!;
    calls.forEach(({ params, operands, buffers: { write } }, index) => {
      const tables = operands.map((operand) => addressOf(operand, slot, scratch));
      this.tryKernel(kernels[index]!, [rows, params, ...tables], write, stripRows(write, rows));
    });
  }

  /** Runs a kernel as wide code and as its twin, and keeps the twin where the results differ in a single bit. */
  private tryKernel(kernel: LoadedKernel, args: [number, ...number[]], write: BufferSpec, count: number): void {
    const { code, twin } = kernel;
    if (!twin) {
      code.run(...args);
      return;
    }
    const table = (args.at(-1)! >>> 0) / 4;
    const written = [...new Uint32Array(this.memory.buffer).subarray(table, table + count)].map(
      (at) => new Uint8Array(this.memory.buffer, at, rowBytes(write)),
    );
    // A sum that goes on reads the rows that it writes: both runs start from the same.
    const before = written.map((row) => row.slice());
    const run = (code: Code): Uint8Array[] => {
      for (const [i, row] of written.entries()) row.set(before[i]!);
      code.run(...args);
      return written.map((row) => row.slice());
    };
    const result = run(code);
    const equal = run(twin).every((row, i) => row.every((byte, j) => byte === result[i]![j]));
    if (!equal) kernel.code = twin;
    kernel.twin = undefined;
    this.verdicts.set(kernel.key, equal ? "wide" : "narrow: results differ");
  }

  async prepareSweep(sweep: Sweep): Promise<PreparedSweep> {
    const kernels: LoadedKernel[][] = [];
    const all = await this.load(sweep.stages.flatMap(({ calls }) => calls));
    for (const { calls } of sweep.stages) kernels.push(all.splice(0, calls.length));
    return {
      unverified: kernels.flat().some(({ twin }) => twin !== undefined),
      verify: () => {
        const words = new Int32Array(this.memory.buffer);
        for (const [index, { script, calls }] of sweep.stages.entries()) {
          stripCalls(words, script, calls, sweep.scratch[0]!, (args, call) => {
            const { spec, buffers } = calls[call]!;
            if (args[0] > 0) this.tryKernel(kernels[index]![call]!, args, buffers.write, rowsWritten(spec, args[0]));
          });
        }
      },
      run: (options) => {
        const codes = kernels.map((stage) => stage.map(({ code }) => code));
        const execute = (stage: number, args: [number, ...number[]], call: number): void =>
          codes[stage]![call]!.run(...args);
        const pool = sweep.scratch.length > 1 ? this.pool : undefined;
        return runSweep(sweep, this.memory.buffer, execute, options, () => pool?.startSweep(sweep, codes));
      },
    };
  }

  private start(job: Job, calls: readonly Call[], kernels: readonly LoadedKernel[]): Run {
    const scratch = job.scratch[0]!;
    const words = new Int32Array(this.memory.buffer);
    const bind = (slot: number) =>
      calls.map(({ params, operands }, i) => ({
        run: kernels[i]!.code.run,
        args: [params, ...operands.map((operand) => addressOf(operand, slot, scratch))] as [number, ...number[]],
      }));
    const bound = new Map(job.slots.map((slot) => [slot, bind(slot)]));
    const execute = (slot: number): void => {
      const rows = words[slot / 4 + slotWords.rows]!;
      for (const { run, args } of bound.get(slot)!) run(rows, ...args);
    };
    if (!this.pool || job.scratch.length === 1) return { ...alone, execute };
    const workerCalls = calls.map(({ params, operands }, i) => {
      const { module, name } = kernels[i]!.code;
      return { module, entry: name, params, operands };
    });
    return { execute, ...this.pool.start({ calls: workerCalls, slots: job.slots, scratch: job.scratch.slice(1) }) };
  }
}

const nameOf = ({ spec, buffers }: KernelUse, mode: CodeMode): string => kernelOf(spec).entry(spec, buffers, mode);

/** The generated functions of calls. */
function build(calls: readonly KernelUse[], mode: CodeMode): ModuleBuilder {
  const builder = new ModuleBuilder();
  for (const call of calls) {
    const name = nameOf(call, mode);
    if (!builder.has(name)) kernelOf(call.spec).emit(builder, name, call.spec, call.buffers, mode);
  }
  return builder;
}

/** FNV-1a, 32 bits. */
function hash(bytes: Uint8Array): string {
  const value = bytes.reduce((state, byte) => Math.imul(state ^ byte, 0x01000193), 0x811c9dc5);
  return (value >>> 0).toString(16).padStart(8, "0");
}

/** From the first to the last row that a call writes for so many rows of the grid. */
function rowsWritten(spec: KernelSpec, rows: number): number {
  const { rowsOut = 1 } = spec as { rowsOut?: number };
  const each = spec.family === "conv" && spec.phase ? 1 : rowsOut;
  return (rows - 1) * rowsOut + each;
}
