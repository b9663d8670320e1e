// The WebAssembly machine: one linear memory, generated modules compiled once, and the worker pool where memory can be
// shared between threads.
import type { CodeMode } from "../kernels/kernel.ts";
import { kernelOf } from "../kernels/table.ts";
import type { BufferSpec } from "../plan/types.ts";
import type { ViewDType } from "../tensor.ts";
import { ModuleBuilder } from "../wasm/assembler.ts";
import { Allocator, type Block, pageBytes } from "../wasm/memory.ts";
import { controlBytes, type WorkerCall, WorkerPool } from "../wasm/pool.ts";
import { type Call, type Job, type Machine, type PreparedCalls, type Run, slotWords } from "./machine.ts";

export interface WasmOptions {
  threads: number;
  maxMemory: number;
  mode: CodeMode;
  createWorker?: () => Worker;
}

type Entry = (rows: number, params: number, ...tables: number[]) => void;

interface Compiled {
  id: number;
  exports: WebAssembly.Exports;
}

export class WasmMachine implements Machine {
  readonly name = "wasm";
  readonly threads: number;
  private readonly mode: CodeMode;
  private readonly memory: WebAssembly.Memory;
  private readonly shared: boolean;
  private readonly maximum: number;
  private readonly allocator: Allocator;
  private readonly pool: WorkerPool | undefined;
  private readonly compiled = new Map<string, Compiled>();

  constructor({ threads, maxMemory, mode, createWorker }: WasmOptions) {
    this.threads = threads;
    this.mode = mode;
    this.shared = threads > 1;
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
    const names = calls.map(({ spec, buffers }) => kernelOf(spec).entry(spec, buffers, this.mode));
    const { id, exports } = await this.compile(names, calls);
    const workerCalls = calls.map(({ params, operands }, i) => ({ module: id, entry: names[i]!, params, operands }));
    const entries = names.map((name) => exports[name] as Entry);
    return { start: async (job) => this.start(job, entries, workerCalls) };
  }

  /** One module for all kernels of a program; programs of the same kernels share it. */
  private async compile(names: readonly string[], calls: readonly Call[]): Promise<Compiled> {
    const key = [...new Set(names)].sort().join("\n");
    const known = this.compiled.get(key);
    if (known) return known;
    const builder = new ModuleBuilder();
    calls.forEach(({ spec, buffers }, i) => {
      if (!builder.has(names[i]!)) kernelOf(spec).emit(builder, names[i]!, spec, buffers, this.mode);
    });
    const module = await WebAssembly.compile(builder.encode({ shared: this.shared, maximum: this.maximum }));
    const { exports } = await WebAssembly.instantiate(module, { env: { memory: this.memory } });
    const compiled = { id: this.compiled.size, exports };
    this.compiled.set(key, compiled);
    this.pool?.addModule(compiled.id, module);
    return compiled;
  }

  private start(job: Job, entries: readonly Entry[], calls: WorkerCall[]): Run {
    const scratch = job.scratch[0]!;
    const words = new Int32Array(this.memory.buffer);
    const execute = (slot: number): void => {
      const rows = words[slot / 4 + slotWords.rows]!;
      calls.forEach(({ params, operands }, i) => {
        const tables = operands.map(
          ({ base, offset }) => offset + (base === "slot" ? slot : base === "scratch" ? scratch : 0),
        );
        entries[i]!(rows, params, ...tables);
      });
    };
    if (!this.pool)
      return { execute, wake: () => {}, waitForOthers: async () => {}, finished: () => 0, end: async () => {} };
    return { execute, ...this.pool.start({ calls, slots: job.slots, scratch: job.scratch.slice(1) }) };
  }
}
