// Data that stays on the GPU between calls: elements in row-major order, packed.
import { describe, InvalidArgumentError, Rank1Error } from "../../errors.ts";
import { bytesOf, type Elements, newArray, type TypedArray, type ValueDType } from "../../tensor.ts";
import type { Part, Value } from "../backend.ts";
import { lostDevice } from "./device.ts";
import type { Account, GpuMemory } from "./memory.ts";
import { roomFor } from "./memory.ts";

/** What values need of their backend. */
export interface ValueHost extends Account {
  /** The memory of the device that there is; undefined after it was lost, until another call opens one. */
  readonly memory: GpuMemory | undefined;
}

export class GpuValue implements Value {
  readonly shape: readonly number[];
  readonly dtype: ValueDType;
  readonly host: ValueHost;
  readonly length: number;
  private buffer: GPUBuffer | undefined;
  /** Of the device that it lies on. */
  private memory: GpuMemory;

  constructor(host: ValueHost, memory: GpuMemory, shape: readonly number[], dtype: ValueDType) {
    this.length = shape.reduce((product, side) => product * side, 1);
    this.host = host;
    this.memory = memory;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    host.take(this.bytes);
    this.buffer = memory.storage(this.bytes);
  }

  private get bytes(): number {
    return this.length * bytesOf[this.dtype];
  }

  /** Throws once it was disposed of, and where its device was lost with what it held. */
  get home(): GPUBuffer {
    if (!this.buffer) {
      const [expected, received] = ["one in use", "a disposed one"];
      throw new Rank1Error("DISPOSED", { parameter: "value", expected, received });
    }
    if (this.host.memory !== this.memory) throw lostDevice("what the value held is gone: write it again");
    return this.buffer;
  }

  async write(data: TypedArray, part?: Part): Promise<void> {
    if (part) return this.writePart(data as Elements, part);
    const array = this.check("data", data);
    // After a loss the value lives on, on the new device.
    if (this.buffer && this.host.memory && this.host.memory !== this.memory) {
      this.memory = this.host.memory;
      this.buffer = this.memory.storage(this.bytes);
    }
    this.memory.upload(this.home, array);
  }

  private async writePart(data: Elements, { x, y, width, height }: Part): Promise<void> {
    const all = (await this.read()) as Elements;
    const [, pitch, channels] = this.shape as [number, number, number];
    const row = width * channels;
    for (let line = 0; line < height; line++)
      all.set(data.subarray(line * row, (line + 1) * row), ((y + line) * pitch + x) * channels);
    this.memory.upload(this.home, all);
  }

  async read(into?: TypedArray): Promise<TypedArray> {
    const array = into === undefined ? newArray(this.dtype, this.length) : this.check("into", into);
    const { memory, home } = this;
    const lent = memory.lend(this.bytes);
    const encoder = memory.device.createCommandEncoder();
    encoder.copyBufferToBuffer(home, 0, lent, 0, roomFor(this.bytes));
    memory.device.queue.submit([encoder.finish()]);
    await memory.read(lent, array).catch((error: unknown) => {
      throw this.host.memory === memory ? error : lostDevice("");
    });
    return into ?? array;
  }

  dispose(): void {
    if (!this.buffer) return;
    this.buffer.destroy();
    this.host.take(-this.bytes);
    this.buffer = undefined;
  }

  private check(parameter: string, data: TypedArray): Elements {
    const like = newArray(this.dtype, 0);
    const clamped = data instanceof Uint8ClampedArray && like instanceof Uint8Array;
    const fits = clamped || data instanceof (like.constructor as new () => Elements);
    if (fits && data.length === this.length) return data as Elements;
    const expected = `a ${like.constructor.name} of ${this.length} elements`;
    throw new InvalidArgumentError({ parameter, expected, received: describe(data) });
  }
}
