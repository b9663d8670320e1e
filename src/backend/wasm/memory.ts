// One linear memory and who owns which part of it: first fit over a sorted list of free blocks, growing at the end.
import { LimitError } from "../../errors.ts";
import { bytesOf, type Elements, type ViewDType, viewOf } from "../../tensor.ts";

export const pageBytes = 65536;
/** Every block starts on a cache line. */
export const alignment = 64;

export const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export interface Block {
  offset: number;
  bytes: number;
}

/** Hands out blocks of a memory that `grow` can make longer; the owner remakes its views when `buffer` changed. */
export class Allocator {
  /** Bytes handed out and not yet released. */
  used = 0;
  private free: Block[] = [];
  private end = 0;
  private readonly limit: number;
  private readonly grow: (bytes: number) => void;

  constructor(limit: number, grow: (bytes: number) => void) {
    this.limit = limit;
    this.grow = grow;
  }

  allocate(requested: number): Block {
    if (!Number.isSafeInteger(requested)) throw new Error(`memory: ${requested} bytes asked for`);
    const bytes = align(Math.max(1, requested));
    const index = this.free.findIndex((block) => block.bytes >= bytes);
    const block = index >= 0 ? this.split(index, bytes) : this.extend(bytes);
    this.used += bytes;
    return block;
  }

  release({ offset, bytes }: Block): void {
    this.used -= bytes;
    const at = this.free.findIndex((block) => block.offset > offset);
    this.free.splice(at < 0 ? this.free.length : at, 0, { offset, bytes });
    const merged: Block[] = [];
    for (const block of this.free) {
      const last = merged.at(-1);
      if (last && last.offset + last.bytes === block.offset) last.bytes += block.bytes;
      else merged.push({ ...block });
    }
    this.free = merged;
  }

  private split(index: number, bytes: number): Block {
    const block = this.free[index]!;
    if (block.bytes === bytes) this.free.splice(index, 1);
    else this.free[index] = { offset: block.offset + bytes, bytes: block.bytes - bytes };
    return { offset: block.offset, bytes };
  }

  /** Takes from the end, together with a free block that may stand there. */
  private extend(bytes: number): Block {
    const last = this.free.at(-1);
    const offset = last && last.offset + last.bytes === this.end ? last.offset : this.end;
    if (offset + bytes > this.limit) {
      const [expected, received] = [`at most ${this.limit} bytes of working memory`, `${offset + bytes}`];
      throw new LimitError({
        parameter: "maxMemory",
        expected,
        received,
        hint: "raise it with createEngine({ maxMemory })",
      });
    }
    this.grow(offset + bytes);
    if (offset !== this.end) this.free.pop();
    this.end = offset + bytes;
    return { offset, bytes };
  }
}

/** All of a memory as elements of a type; views are made anew when the memory has grown. */
export class MemoryViews {
  private readonly memory: WebAssembly.Memory;
  private buffer: ArrayBufferLike | undefined;
  private readonly views = new Map<ViewDType, Elements>();

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
  }

  of(dtype: ViewDType): Elements {
    const { buffer } = this.memory;
    if (buffer !== this.buffer) {
      this.views.clear();
      this.buffer = buffer;
    }
    const known = this.views.get(dtype);
    if (known) return known;
    const view = viewOf(dtype, buffer, 0, Math.floor(buffer.byteLength / bytesOf[dtype]));
    this.views.set(dtype, view);
    return view;
  }

  get words(): Int32Array {
    return this.of("i32") as Int32Array;
  }

  get bytes(): Uint8Array {
    return this.of("u8") as Uint8Array;
  }
}
