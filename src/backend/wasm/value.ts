// Data inside the engine's memory. Its rows get margins as programs need them: it is laid out anew at the first program that
// reads further beyond its ends than any before, and then stays as it is.
import { describe, InvalidArgumentError, Rank1Error } from "../../errors.ts";
import { paddedChannels } from "../../kernels/conv/layout.ts";
import { bytesOf, type Elements, newArray, type TypedArray, type ValueDType, viewOf } from "../../tensor.ts";
import { plural } from "../../words.ts";
import type { Part, Value } from "../backend.ts";
import { type Place, pitchOf } from "./layout.ts";
import type { Allocator, Block, MemoryViews } from "./memory.ts";
import { TensorIn, TensorOut } from "./movers.ts";
import { type Staging, stagingBytes } from "./staging.ts";

/** What values need of their backend. */
export interface ValueHost {
  readonly views: MemoryViews;
  readonly allocator: Allocator;
  readonly staging: Staging;
}

/** Shape [images, height, width, channels], [height, width, channels], or rows of the last axis. */
export class WasmValue implements Value {
  readonly shape: readonly number[];
  readonly dtype: ValueDType;
  readonly host: ValueHost;
  readonly images: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Channels as they are stored: of four axes, in f32, padded to whole vectors. */
  readonly stored: number;
  /** Counts how often it was laid out. */
  version = 0;
  private left = 0;
  private right = 0;
  private block: Block | undefined;

  constructor(host: ValueHost, shape: readonly number[], dtype: ValueDType) {
    const [images, height, width, channels] = shape.length === 4 ? shape : [1, ...sidesOf(shape)];
    this.host = host;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.images = images!;
    this.height = height!;
    this.width = width!;
    this.channels = channels!;
    this.stored = shape.length === 4 && dtype === "f32" ? paddedChannels(channels!) : channels!;
    this.block = this.allocate();
  }

  get pitch(): number {
    const { left, right, width, stored: channels, dtype } = this;
    return pitchOf({
      id: "",
      scope: "arena",
      width: left + width + right,
      channels,
      dtype,
      stride: 1,
      above: 0,
      below: 0,
    });
  }

  /** The address of a row's first pixel. */
  rowAt(row: number): number {
    return this.home().offset + row * this.pitch + this.left * this.stored * bytesOf[this.dtype];
  }

  /** Makes room for so many pixels left and right of each row. */
  ensure(left: number, right: number): void {
    if (left <= this.left && right <= this.right) return;
    const { allocator, views } = this.host;
    const [before, from, pitch] = [this.home(), this.rowAt(0), this.pitch];
    [this.left, this.right] = [Math.max(left, this.left), Math.max(right, this.right)];
    this.block = this.allocate();
    this.version++;
    const [to, step, bytes] = [this.rowAt(0), this.pitch, this.width * this.stored * bytesOf[this.dtype]];
    for (let row = 0; row < this.images * this.height; row++)
      views.bytes.copyWithin(to + row * step, from + row * pitch, from + row * pitch + bytes);
    allocator.release(before);
  }

  async write(data: TypedArray, part?: Part): Promise<void> {
    if (part === undefined) return this.store(data);
    const { x, y, width, height } = part;
    const { dtype, pitch, channels } = this;
    const array = this.check("data", data, width * height * channels);
    const to = this.rowAt(y) + x * channels * bytesOf[dtype];
    this.eachChunk(width * channels, height, (from, count, row) =>
      this.host.staging.rowsIn(array, dtype, from * row, row, count, to + from * pitch, pitch),
    );
  }

  async read(into?: TypedArray): Promise<TypedArray> {
    return this.load(into);
  }

  /** {@link write} at once. */
  store(data: TypedArray): void {
    const array = this.check("data", data);
    const { staging, views } = this.host;
    if (this.stored !== this.channels) {
      new TensorIn({ staging, views, base: 0 }, this.place(), this.binding(array)).move(0, this.images * this.height);
      return;
    }
    this.eachChunk(this.width * this.channels, this.images * this.height, (y, count, row) =>
      staging.rowsIn(array, this.dtype, y * row, row, count, this.rowAt(y), this.pitch),
    );
  }

  /** {@link read} at once. */
  load(into?: TypedArray): TypedArray {
    const length = this.shape.reduce((product, side) => product * side, 1);
    const array = into === undefined ? newArray(this.dtype, length) : this.check("into", into);
    const { staging, views } = this.host;
    if (this.stored !== this.channels) {
      new TensorOut({ staging, views, base: 0 }, this.place(), this.binding(array)).move(0, this.images * this.height);
      return into ?? array;
    }
    this.eachChunk(this.width * this.channels, this.images * this.height, (y, count, row) =>
      staging.rowsOut(array, this.dtype, y * row, row, count, this.rowAt(y), this.pitch),
    );
    return into ?? array;
  }

  /** Rows of so many elements, as many at a time as fit staging memory. */
  private eachChunk(row: number, rows: number, use: (y: number, count: number, row: number) => void): void {
    const chunk = Math.max(1, Math.floor(stagingBytes / (row * bytesOf[this.dtype])));
    for (let y = 0; y < rows; y += chunk) use(y, Math.min(chunk, rows - y), row);
  }

  dispose(): void {
    if (this.block) this.host.allocator.release(this.block);
    this.block = undefined;
  }

  /** Throws once it was disposed of. */
  home(): Block {
    if (this.block) return this.block;
    const [expected, received] = ["one in use", "a disposed one"];
    throw new Rank1Error("DISPOSED", { parameter: "value", expected, received });
  }

  private allocate(): Block {
    const bytes = this.images * this.height * this.pitch + 64 * bytesOf[this.dtype];
    const block = this.host.allocator.allocate(bytes);
    this.host.views.bytes.fill(0, block.offset, block.offset + bytes);
    return block;
  }

  private place(): Place {
    const { left, right, stored: channels, dtype, height: rows } = this;
    const width = left + this.width + right;
    const spec = {
      id: "",
      scope: "arena",
      width,
      channels,
      dtype,
      stride: 1,
      above: 0,
      below: 0,
      left,
      right,
    } as const;
    return { spec, data: this.home().offset, pitch: this.pitch, rows, table: 0, entries: 0, real: 0 };
  }

  private binding(data: Elements) {
    const { images, height, width, channels } = this;
    return { kind: "tensor", data: data as Float32Array, format: "NHWC", images, height, width, channels } as const;
  }

  private check(parameter: string, data: TypedArray, part?: number): Elements {
    this.home();
    const length = part ?? this.shape.reduce((product, side) => product * side, 1);
    const like = newArray(this.dtype, 0);
    const clamped = data instanceof Uint8ClampedArray && this.dtype === "u8";
    const fits = clamped || data instanceof (like.constructor as new () => Elements);
    if (!fits || data.length !== length) {
      const expected = `a ${like.constructor.name} of ${plural(length, "element")}`;
      throw new InvalidArgumentError({ parameter, expected, received: describe(data) });
    }
    return data.constructor === like.constructor
      ? (data as Elements)
      : viewOf(this.dtype, data.buffer, data.byteOffset, length);
  }
}

/** Height, width and channels. */
function sidesOf(shape: readonly number[]): [number, number, number] {
  if (shape.length === 3) return shape as unknown as [number, number, number];
  const all = shape.reduce((product, side) => product * side, 1);
  const channels = shape.at(-1) ?? 1;
  return [1, channels === 0 ? 0 : all / channels, channels];
}
