// What programs of networks hold in common: packed weights, each once, and one room for values, since they run one after the
// other. Another size of a network then costs no weights and no further room.
import { LimitError } from "../../errors.ts";
import { type LayerWeights, sourcesOf } from "../../kernels/kernel.ts";
import type { BufferSpec, KernelSpec } from "../../plan/types.ts";
import type { Allocator, Block } from "./memory.ts";

interface Packed {
  key: string;
  block: Block;
  users: number;
}

/** Blocks of packed weights by what they were packed from and how. */
export class PackedWeights {
  private readonly allocator: Allocator;
  private readonly kept = new Map<string, Packed>();
  private readonly numbers = new WeakMap<object, number>();
  private count = 0;

  constructor(allocator: Allocator) {
    this.allocator = allocator;
  }

  /** Weights that a kernel wants packed for such an input, which `pack` writes to an address if they are new. */
  take(
    kernel: KernelSpec,
    input: BufferSpec,
    weights: LayerWeights,
    bytes: number,
    pack: (address: number) => void,
  ): Packed {
    const key = this.keyOf(kernel, input, weights, bytes);
    const known = this.kept.get(key);
    if (known) {
      known.users++;
      return known;
    }
    const block = this.allocator.allocate(bytes);
    const made = { key, block, users: 1 };
    this.kept.set(key, made);
    pack(block.offset);
    return made;
  }

  release(packed: Packed): void {
    if (--packed.users > 0) return;
    this.kept.delete(packed.key);
    this.allocator.release(packed.block);
  }

  /** Equal where the same numbers come to stand at the same places: where a window stands is all that packing never reads. */
  private keyOf(kernel: KernelSpec, { channels }: BufferSpec, weights: LayerWeights, bytes: number): string {
    const spec = { ...kernel, pads: undefined, phase: undefined, rowStart: undefined };
    return JSON.stringify([spec, channels, bytes, sourcesOf(weights).map((source) => this.numberOf(source))]);
  }

  /** Objects are told apart as such: arrays of weights never change. */
  private numberOf(source: object | string): number | string {
    if (typeof source !== "object") return source;
    const known = this.numbers.get(source);
    if (known !== undefined) return known;
    this.numbers.set(source, ++this.count);
    return this.count;
  }
}

/** One block of memory, as large as the largest of its users needs it. */
export class SharedRoom {
  private readonly allocator: Allocator;
  private readonly users = new Map<object, number>();
  private block: Block | undefined;
  private last: object | undefined;
  /** Bytes of the block that was too small last. */
  private before = 0;

  constructor(allocator: Allocator) {
    this.allocator = allocator;
  }

  /** Room for a user's values, from now on. */
  join(user: object, bytes: number): void {
    this.users.set(user, bytes);
    // What stands there is nobody's any more: freed before a larger one is taken.
    if (!this.block || this.block.bytes >= bytes) return;
    this.before = this.block.bytes;
    this.free();
  }

  leave(user: object): void {
    this.users.delete(user);
    if (this.last === user) this.last = undefined;
    if (this.block && this.most < this.block.bytes / 2) this.free();
  }

  /** Where the room is, for a user that runs next, and whether another has run in it since. */
  enter(user: object): { address: number; changed: boolean } {
    this.block ??= this.allocate();
    const changed = this.last !== user;
    this.last = user;
    return { address: this.block.offset, changed };
  }

  /** Somewhat more than is needed where it has grown: the next may be larger still. */
  private allocate(): Block {
    const { most, before } = this;
    try {
      return this.allocator.allocate(Math.max(most, 1.5 * before));
    } catch (error) {
      if (!(error instanceof LimitError) || most >= 1.5 * before) throw error;
      return this.allocator.allocate(most);
    } finally {
      this.before = 0;
    }
  }

  private get most(): number {
    return Math.max(0, ...this.users.values());
  }

  private free(): void {
    this.allocator.release(this.block!);
    this.block = undefined;
    this.last = undefined;
  }
}
