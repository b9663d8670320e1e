// The reference machine: plain f64 loops over plain memory, on the caller's thread. It is the specification that
// generated code is tested against, and what runs where WebAssembly may not.
import type { Rows } from "../kernels/kernel.ts";
import { kernelOf } from "../kernels/table.ts";
import type { BufferSpec } from "../plan/types.ts";
import { type ViewDType, viewOf } from "../tensor.ts";
import { Allocator, type Block } from "../wasm/memory.ts";
import { addressOf, alone, type Call, type Machine, type PreparedCalls, type Run, slotWords } from "./machine.ts";

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

  dispose(): void {
    this.memory = new ArrayBuffer(0);
  }

  private start(calls: Call[], scratch: number): Run {
    const execute = (slot: number): void => {
      const buffer = this.memory;
      const rows = new Int32Array(buffer)[slot / 4 + slotWords.rows]!;
      for (const { spec, buffers, operands } of calls) {
        const specs = [...buffers.reads, buffers.write];
        const views = operands.map((operand, i) => rowsAt(buffer, addressOf(operand, slot, scratch), specs[i]!));
        kernelOf(spec).reference(spec, views.slice(0, -1), views.at(-1)!, rows);
      }
    };
    return { ...alone, execute };
  }
}

function rowsAt(buffer: ArrayBuffer, table: number, spec: BufferSpec): Rows {
  const pointers = new Uint32Array(buffer, table);
  const elements = spec.width * spec.channels;
  return { spec, row: (index) => viewOf(spec.dtype, buffer, pointers[index]!, elements) };
}
