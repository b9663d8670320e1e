// Values of a run that lie on the host: each in memory that it gives back after its last reader, all of them counted against
// one limit before any memory is taken.
import { LimitError } from "../errors.ts";
import { type DType, newStored } from "../tensor.ts";
import type { Spec, Value } from "./types.ts";
import { heldAs, isBig, newValue, sizeOf, valueBytes } from "./values.ts";

/** Buffers smaller than this serve any value that fits. */
const leastBuffer = 4096;

/**
 * Memory for values that no caller sees, which runs take again and again: fresh memory takes longer than most host nodes. What
 * a run did not take is let go after it.
 */
export class HostMemory {
  private readonly free = new Set<ArrayBuffer>();
  private readonly taken = new Set<ArrayBuffer>();
  private idle = new Set<ArrayBuffer>();
  /** Bytes of all buffers, and of arrays that are counted elsewhere. */
  private held = 0;
  private readonly room: () => number;

  /** `room`: bytes that there are for all of it. */
  constructor(room: () => number) {
    this.room = room;
  }

  get bytes(): number {
    return this.held;
  }

  /** Counts memory that is taken now. */
  count(name: string, bytes: number): void {
    if (this.held + bytes > this.room()) this.drop(this.free);
    checkRoom(name, this.held + bytes, this.room());
    this.held += bytes;
  }

  discount(bytes: number): void {
    this.held -= bytes;
  }

  /** A value of zeros. */
  take(name: string, spec: Spec): Value {
    const bytes = valueBytes(spec);
    const most = Math.max(leastBuffer, 2 * bytes);
    let best: ArrayBuffer | undefined;
    for (const one of this.free) {
      const fits = one.byteLength >= bytes && one.byteLength <= most;
      if (fits && one.byteLength < (best?.byteLength ?? Infinity)) best = one;
    }
    if (!best) this.count(name, bytes);
    const buffer = best ?? new ArrayBuffer(bytes);
    this.free.delete(buffer);
    this.idle.delete(buffer);
    this.taken.add(buffer);
    const data = viewIn(spec.dtype, buffer, sizeOf(spec.shape));
    if (best) data.fill((isBig(spec.dtype) ? 0n : 0) as never);
    return { dtype: spec.dtype, shape: spec.shape, data };
  }

  owns(buffer: ArrayBufferLike): buffer is ArrayBuffer {
    return this.taken.has(buffer as ArrayBuffer);
  }

  give(buffer: ArrayBuffer): void {
    this.taken.delete(buffer);
    this.free.add(buffer);
  }

  /** After a run: what it left untouched goes. */
  trim(): void {
    this.drop(this.idle);
    this.idle = new Set(this.free);
  }

  private drop(buffers: Set<ArrayBuffer>): void {
    for (const buffer of buffers) {
      if (!this.free.delete(buffer)) continue;
      this.held -= buffer.byteLength;
    }
    buffers.clear();
  }
}

function viewIn(dtype: DType, buffer: ArrayBuffer, length: number): Value["data"] {
  const Class = newStored(heldAs(dtype), 0).constructor as new (buffer: ArrayBuffer, at: number, n: number) => never;
  return new Class(buffer, 0, length);
}

function checkRoom(name: string, bytes: number, room: number): void {
  if (bytes <= room) return;
  const expected = `at most ${room} bytes for values on the host beside what the engine holds`;
  const hint = "raise it with createEngine({ maxMemory })";
  throw new LimitError({ parameter: "maxMemory", expected, received: `${bytes} up to ${name}`, hint });
}

/** The values of one run by name. A value goes when all that `uses` counts have read it. */
export class RunValues {
  private readonly memory: HostMemory;
  private readonly values = new Map<string, Value>();
  private readonly left: Map<string, number>;
  /** Names by which values in the memory's buffers are known. */
  private readonly names = new Map<ArrayBuffer, number>();
  private counted = 0;

  constructor(memory: HostMemory, uses: ReadonlyMap<string, number>) {
    this.memory = memory;
    this.left = new Map(uses);
  }

  get(name: string): Value | undefined {
    return this.values.get(name);
  }

  set(name: string, value: Value): void {
    const { buffer } = value.data;
    this.values.set(name, value);
    if (this.memory.owns(buffer)) this.names.set(buffer, (this.names.get(buffer) ?? 0) + 1);
    if (!this.left.get(name)) this.drop(name);
  }

  /** Room of zeros for a value that `set` will name; `fresh` where the caller gets it. */
  room(name: string, spec: Spec, fresh: boolean): Value {
    if (!fresh) {
      const value = this.memory.take(name, spec);
      this.names.set(value.data.buffer as ArrayBuffer, 0);
      return value;
    }
    const bytes = valueBytes(spec);
    this.memory.count(name, bytes);
    this.counted += bytes;
    return newValue(spec.dtype, spec.shape);
  }

  /** Whether an array may be another run's later. */
  isLent({ data }: Value): boolean {
    return this.memory.owns(data.buffer);
  }

  /** Notes that values have been read, each name as often as it stands in the list. */
  done(names: readonly string[]): void {
    for (const name of names) {
      const left = (this.left.get(name) ?? 0) - 1;
      this.left.set(name, left);
      if (left <= 0) this.drop(name);
    }
  }

  /** Gives all memory back that no caller has. */
  end(): void {
    for (const buffer of this.names.keys()) this.memory.give(buffer);
    this.names.clear();
    this.memory.discount(this.counted);
    this.memory.trim();
  }

  private drop(name: string): void {
    const buffer = this.values.get(name)?.data.buffer as ArrayBuffer;
    if (!this.values.delete(name) || !this.names.has(buffer)) return;
    const names = this.names.get(buffer)! - 1;
    this.names.set(buffer, names);
    if (names > 0) return;
    this.names.delete(buffer);
    this.memory.give(buffer);
  }
}

/** What reads and computes values on the host, in turn; `made` are values in memory of their own. */
export interface HostStep {
  reads: readonly string[];
  made: readonly string[];
}

/** How often each value is read, by steps and as an output. */
export function usesOf(steps: readonly HostStep[], outputs: readonly { name: string }[]): Map<string, number> {
  const uses = new Map<string, number>();
  const names = [...steps.flatMap(({ reads }) => reads), ...outputs.map(({ name }) => name)];
  for (const name of names) uses.set(name, (uses.get(name) ?? 0) + 1);
  return uses;
}

/** Throws {@link LimitError} where the values of a run are together more than there is room for. */
export function checkPeak(
  steps: readonly HostStep[],
  uses: ReadonlyMap<string, number>,
  specs: ReadonlyMap<string, Spec>,
  room: number,
): void {
  const left = new Map(uses);
  const live = new Map<string, number>();
  let held = 0;
  for (const { reads, made } of steps) {
    for (const name of made) {
      const spec = specs.get(name);
      if (!spec || live.has(name)) continue;
      live.set(name, valueBytes(spec));
      held += live.get(name)!;
      checkRoom(name, held, room);
    }
    for (const name of [...reads, ...made]) {
      if (reads.includes(name)) left.set(name, left.get(name)! - 1);
      if ((left.get(name) ?? 0) > 0) continue;
      held -= live.get(name) ?? 0;
      live.delete(name);
    }
  }
}
