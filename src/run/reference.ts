// The reference machine: plain f64 loops over plain memory, on the caller's thread. It is the specification that
// generated code is tested against, and what runs where WebAssembly may not.
import type { Rows } from "../kernels/kernel.ts";
import { kernelOf } from "../kernels/table.ts";
import type { BufferSpec } from "../plan/types.ts";
import { type ViewDType, viewOf } from "../tensor.ts";
import { Allocator, type Block } from "../wasm/memory.ts";
import {
  addressOf,
  alone,
  type Call,
  type KernelUse,
  type Machine,
  type PreparedCalls,
  type PreparedSweep,
  type Run,
  type Sweep,
  slotWords,
} from "./machine.ts";
import { runSweep } from "./sweep.ts";

export class ReferenceMachine implements Machine {
  readonly name = "reference";
  readonly threads = 1;
  threadsFor = (): number => 1;
  readonly grainShare = 1 / 16;
  private memory = new ArrayBuffer(0);
  private readonly allocator: Allocator;

  constructor(maxMemory: number) {
    this.allocator = new Allocator(maxMemory, (bytes) => {
      if (bytes <= this.memory.byteLength) return;
      const grown = new ArrayBuffer(Math.max(bytes, 2 * this.memory.byteLength));
      new Uint8Array(grown).set(new Uint8Array(this.memory));
      this.memory = grown;
    });
  }

  dtypeOf(scope: BufferSpec["scope"], dtype: ViewDType): ViewDType {
    return scope === "strip" ? "f64" : dtype;
  }

  buffer(): ArrayBuffer {
    return this.memory;
  }

  allocate(bytes: number): Block {
    return this.allocator.allocate(bytes);
  }

  release(block: Block): void {
    this.allocator.release(block);
  }

  bytes(): number {
    return this.memory.byteLength;
  }

  async prepare(calls: Call[]): Promise<PreparedCalls> {
    return { unverified: false, verify: () => {}, start: async (job) => this.start(calls, job.scratch[0]!) };
  }

  async prepareSweep(sweep: Sweep): Promise<PreparedSweep> {
    return {
      unverified: false,
      verify: () => {},
      run: (options) =>
        runSweep(
          sweep,
          this.memory,
          (stage, args, call) => this.call(sweep.stages[stage]!.calls[call]!, args),
          options,
        ),
    };
  }

  private call({ spec, buffers }: KernelUse, [rows, , ...tables]: number[]): void {
    const reads = buffers.reads.map((read, i) => rowsAt(this.memory, tables[i]!, read));
    const { positioned, reference } = kernelOf(spec);
    const first = positioned ? tables[reads.length]! / 2 : 0;
    reference(spec, reads, rowsAt(this.memory, tables.at(-1)!, buffers.write), rows!, first);
  }

  dispose(): void {
    this.memory = new ArrayBuffer(0);
  }

  private start(calls: Call[], scratch: number): Run {
    const execute = (slot: number): void => {
      const buffer = this.memory;
      const rows = new Int32Array(buffer)[slot / 4 + slotWords.rows]!;
      for (const call of calls) {
        const tables = call.operands.map((operand) => addressOf(operand, slot, scratch));
        this.call(call, [rows, call.params, ...tables]);
      }
    };
    return { ...alone, execute };
  }
}

function rowsAt(buffer: ArrayBuffer, table: number, spec: BufferSpec): Rows {
  const pointers = new Uint32Array(buffer, table >>> 0);
  const elements = spec.width * spec.channels;
  return { spec, row: (index) => viewOf(spec.dtype, buffer, pointers[index]!, elements) };
}
