// Between the caller's arrays and a program's rows. Into memory that is shared they go through staging memory: copies from
// JavaScript are several times slower there than into private memory and from that, in generated code, into the shared one.
import type { FunctionBuilder } from "../../codegen/assembler.ts";
import { bytesOf, checkThere, type Elements, type ViewDType } from "../../tensor.ts";
import { type Allocator, type Block, MemoryViews, pageBytes } from "./memory.ts";
import { moveCode, type TransferMode, type Transfers, transferCode } from "./transfer.ts";

/** What is copied at once, where a row is no longer: it stays in the second-level cache. */
export const stagingBytes = 1 << 18;
/** Shorter rows are copied together: a view of an array takes longer than they do. */
const shortRow = 1024;
type Move = (...args: number[]) => void;
/** Views that are kept of one array. */
const mostViews = 8192;

export class Staging {
  readonly transfers: Transfers;
  readonly main: MemoryViews;
  private readonly mode: TransferMode;
  private readonly memory: WebAssembly.Memory;
  private readonly views: MemoryViews;
  private readonly allocator: Allocator | undefined;
  private block: Block | undefined;
  private readonly env: Record<string, WebAssembly.Memory>;
  private readonly moves = new Map<string, Move>();
  /** By type, address and length. */
  private readonly kept = new Map<ViewDType, Map<number, Elements>>();
  private keptOf: ArrayBufferLike | undefined;

  /** `apart`: as a memory of its own, else within the program's. */
  constructor(main: WebAssembly.Memory, allocator: Allocator, mode: TransferMode) {
    const { apart } = mode;
    this.main = new MemoryViews(main);
    this.mode = mode;
    this.memory = apart ? new WebAssembly.Memory({ initial: stagingBytes / pageBytes }) : main;
    this.views = new MemoryViews(this.memory);
    if (!apart) this.allocator = allocator;
    this.env = { memory: main, staging: this.memory };
    this.transfers = this.instance(transferCode(mode)) as unknown as Transfers;
  }

  private instance(code: Uint8Array<ArrayBuffer>): WebAssembly.Exports {
    return new WebAssembly.Instance(new WebAssembly.Module(code), { env: this.env }).exports;
  }

  /** A generated function of addresses and counts, made when it is first asked for. */
  compiled(name: string, params: number, emit: (f: FunctionBuilder, staging: number) => void): Move {
    const move = this.moves.get(name) ?? (this.instance(moveCode(this.mode, params, emit)).move as Move);
    this.moves.set(name, move);
    return move;
  }

  /** Room for so many bytes: its address in staging memory. */
  reserve(bytes: number): number {
    if (!this.allocator) {
      const missing = bytes - this.memory.buffer.byteLength;
      if (missing > 0) this.memory.grow(Math.ceil(missing / pageBytes));
      return 0;
    }
    if (!this.block || this.block.bytes < bytes) {
      if (this.block) this.allocator.release(this.block);
      this.block = this.allocator.allocate(Math.max(bytes, stagingBytes));
    }
    return this.block.offset;
  }

  /**
   * Rows of `row` elements, `step` elements apart in an array from `start` on, to rows `pitch` bytes apart in the program's
   * memory.
   */
  rowsIn(
    array: Elements,
    dtype: ViewDType,
    start: number,
    row: number,
    count: number,
    to: number,
    pitch: number,
    step = row,
  ): void {
    const size = bytesOf[dtype];
    if (this.mode.shared || (row * size < shortRow && count > 1)) {
      const from = this.reserve(count * row * size);
      this.putRows(array, dtype, start, step, row, count, from);
      this.transfers.rowsIn(to, pitch, from, row * size, row * size, count);
      return;
    }
    const memory = this.main.of(dtype);
    for (let i = 0; i < count; i++) memory.set(viewOfArray(array, start + i * step, row), (to + i * pitch) / size);
  }

  /** Rows of the program's memory to rows of an array, as {@link rowsIn}. */
  rowsOut(
    array: Elements,
    dtype: ViewDType,
    start: number,
    row: number,
    count: number,
    from: number,
    pitch: number,
    step = row,
  ): void {
    const size = bytesOf[dtype];
    if (this.mode.shared || (row * size < shortRow && count > 1)) {
      const to = this.reserve(count * row * size);
      this.transfers.rowsOut(to, row * size, from, pitch, row * size, count);
      this.takeRows(array, dtype, start, step, row, count, to);
      return;
    }
    const memory = this.main.of(dtype);
    checkThere("out", array, start + (count - 1) * step + row);
    for (let i = 0; i < count; i++) array.set(viewOfArray(memory, (from + i * pitch) / size, row), start + i * step);
  }

  /** Copies a stretch of an array to a byte address of staging memory. */
  put(array: Elements, dtype: ViewDType, start: number, length: number, address: number): void {
    this.views.of(dtype).set(viewOfArray(array, start, length), address / bytesOf[dtype]);
  }

  /** Copies elements of staging memory, from a byte address on, into an array. */
  take(array: Elements, dtype: ViewDType, start: number, length: number, address: number): void {
    checkThere("out", array, start + length);
    array.set(this.stretch(dtype, address, length), start);
  }

  /** {@link put} of `count` rows, `step` elements apart in the array and neighbours in staging memory. */
  putRows(
    array: Elements,
    dtype: ViewDType,
    start: number,
    step: number,
    row: number,
    count: number,
    address: number,
  ): void {
    if (step === row) this.put(array, dtype, start, count * row, address);
    else
      for (let i = 0; i < count; i++) this.put(array, dtype, start + i * step, row, address + i * row * bytesOf[dtype]);
  }

  /** {@link take}, as {@link putRows}. */
  takeRows(
    array: Elements,
    dtype: ViewDType,
    start: number,
    step: number,
    row: number,
    count: number,
    address: number,
  ): void {
    if (step === row) this.take(array, dtype, start, count * row, address);
    else
      for (let i = 0; i < count; i++)
        this.take(array, dtype, start + i * step, row, address + i * row * bytesOf[dtype]);
  }

  /** A view of elements of staging memory, kept for the next time. */
  stretch(dtype: ViewDType, address: number, length: number): Elements {
    const { buffer } = this.memory;
    if (this.keptOf !== buffer) this.kept.clear();
    this.keptOf = buffer;
    const views = this.kept.get(dtype) ?? new Map<number, Elements>();
    const key = address * 2 ** 21 + length;
    const known = views.get(key);
    if (known?.length === length) return known;
    if (views.size >= mostViews) views.clear();
    const first = address / bytesOf[dtype];
    const view = this.views.of(dtype).subarray(first, first + length);
    this.kept.set(dtype, views.set(key, view));
    return view;
  }
}

const kept = new WeakMap<Elements, Map<number, Elements>>();

/** A stretch of an array as a view. From the second time that an array comes they are kept: a video leaves no garbage. */
export function viewOfArray(array: Elements, start: number, length: number): Elements {
  if (start === 0 && length === array.length) return array;
  const views = kept.get(array);
  const known = views?.get(start);
  if (known?.length === length) return known;
  checkThere("data", array, start + length);
  const view = array.subarray(start, start + length);
  if (!views) kept.set(array, new Map());
  else if (views.size < mostViews) views.set(start, view);
  return view;
}
