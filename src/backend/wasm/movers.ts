// Moves the caller's arrays into a program's rows and results out, a range of rows at a time, on the caller's thread.
import { borderIndex } from "../../plan/border.ts";
import type { BufferSpec } from "../../plan/types.ts";
import { bytesOf, checkThere, type Elements } from "../../tensor.ts";
import { compareWithOwn, convert, keepAlpha, premultiply, readsSource, unpremultiply } from "../alpha.ts";
import type { Binding, SourceBinding, TargetBinding, TensorBinding } from "../backend.ts";
import { targetAt } from "../bindings.ts";
import { borderPixel, weigh } from "../known.ts";
import type { Place } from "./layout.ts";
import type { MemoryViews } from "./memory.ts";
import { type Staging, stagingBytes } from "./staging.ts";
import type { Transfers } from "./transfer.ts";
import {
  type DividePixels,
  dividerOf,
  type MultiplyPixels,
  multipliedBorder,
  multiplierOf,
  ownPixels,
} from "./translucent.ts";
import { type MovePixels, unweigherOf, weigherOf } from "./weights.ts";

/** Rows of one binding, in order, moved `chunk` at a time at most. */
export interface Mover {
  readonly rows: number;
  readonly chunk: number;
  /** Another one of the same sides may take its place. */
  binding: Binding;
  move(from: number, to: number): void;
}

/** Where movers work. */
export interface MoverSite {
  staging: Staging;
  views: MemoryViews;
  /** The address of the program's block. */
  base: number;
}

const chunkOf = (rowBytes: number): number => Math.max(1, Math.floor(stagingBytes / rowBytes));

/** A tensor's rows, image after image. */
abstract class TensorMover implements Mover {
  readonly rows: number;
  readonly chunk: number;
  protected readonly site: MoverSite;
  protected readonly place: Place;
  binding: TensorBinding;

  constructor(site: MoverSite, place: Place, binding: TensorBinding) {
    const { images, height, width, channels } = binding;
    this.site = site;
    this.place = place;
    this.binding = binding;
    this.rows = images * height;
    this.chunk = chunkOf(width * channels * 4);
  }

  move(from: number, to: number): void {
    // Rows of pixels follow one another through all images where no other rows lie between.
    const isOne = this.binding.format === "NHWC" && this.place.rows === this.binding.height;
    const height = isOne ? this.rows : this.binding.height;
    for (let at = from; at < to; ) {
      const y = at % height;
      const count = Math.min(to - at, height - y);
      this.moveRows(Math.floor(at / height), y, count);
      at += count;
    }
  }

  /** The address of a row's first pixel. */
  protected rowAt(image: number, y: number): number {
    const { spec, data, pitch, rows } = this.place;
    return this.site.base + data + (image * rows + y) * pitch + (spec.left ?? 0) * spec.channels * 4;
  }

  /** Neighbouring rows as stretches of the array: one of NHWC, one a channel of NCHW, one where whole planes are neighbours. */
  protected eachStretch(
    image: number,
    y: number,
    count: number,
    use: (start: number, length: number, at: number) => void,
  ) {
    const { format, height, width, channels } = this.binding;
    if (format === "NHWC") use((image * height + y) * width * channels, count * width * channels, 0);
    else if (count === height) use(image * channels * height * width, channels * height * width, 0);
    else {
      for (let c = 0; c < channels; c++)
        use(((image * channels + c) * height + y) * width, count * width, c * count * width);
    }
  }

  protected abstract moveRows(image: number, y: number, count: number): void;
}

export class TensorIn extends TensorMover {
  protected moveRows(image: number, y: number, count: number): void {
    const { staging } = this.site;
    const { transfers } = staging;
    const { data, format, width, channels } = this.binding;
    const { pitch, spec } = this.place;
    const [row, pixel, to] = [width * channels * 4, spec.channels * 4, this.rowAt(image, y)];
    if (format === "NHWC" && channels === spec.channels) {
      const start = (image * this.binding.height + y) * width * channels;
      staging.rowsIn(data as Float32Array, "f32", start, width * channels, count, to, pitch);
      return;
    }
    // Planes come four at a time: those that are missing are zeros.
    const plane = count * width * 4;
    const planes = format === "NCHW" ? Math.ceil(channels / 4) * 4 : channels;
    // A vector is read beyond the last pixel.
    const from = staging.reserve(planes * plane + 16);
    this.eachStretch(image, y, count, (start, length, at) =>
      staging.put(data as Float32Array, "f32", start, length, from + at * 4),
    );
    if (format === "NHWC" && channels < 4 && spec.channels === 4) {
      transfers.pixelsIn(to, pitch, from, channels, width, count);
      return;
    }
    if (format === "NHWC") {
      for (let k = 0; k < count; k++)
        transfers.rowsIn(to + k * pitch, pixel, from + k * row, channels * 4, channels * 4, width);
      return;
    }
    staging.stretch("f32", from + channels * plane, (planes - channels) * count * width).fill(0);
    for (let c = 0; c < planes; c += 4)
      transfers.planesIn(to + 4 * c, pitch, pixel, from + c * plane, plane, width, count);
  }
}

export class TensorOut extends TensorMover {
  protected moveRows(image: number, y: number, count: number): void {
    const { staging } = this.site;
    const { transfers } = staging;
    const { data, format, width, channels, members = 1 } = this.binding;
    const { pitch, spec } = this.place;
    const [row, pixel, from] = [width * channels * 4, spec.channels * 4, this.rowAt(image, y)];
    if (format === "NHWC" && members === 1 && channels === spec.channels) {
      const start = (image * this.binding.height + y) * width * channels;
      staging.rowsOut(data as Float32Array, "f32", start, width * channels, count, from, pitch);
      return;
    }
    const plane = count * width * 4;
    const to = staging.reserve(Math.ceil(channels / 4) * 4 * plane + 16);
    const channel = (o: number): void => {
      const stored = (o % members) * (spec.channels / members) + Math.floor(o / members);
      const [start, toRow, toPixel] =
        format === "NHWC" ? [to + 4 * o, row, channels * 4] : [to + o * plane, width * 4, 4];
      transfers.channelOut(start, toRow, toPixel, from + 4 * stored, pitch, pixel, width, count);
    };
    if (format === "NHWC" && members === 1 && channels < 4 && spec.channels === 4) {
      transfers.pixelsOut(to, from, pitch, channels, width, count);
    } else if (format === "NHWC" && members === 1) {
      for (let k = 0; k < count; k++)
        transfers.rowsOut(to + k * row, channels * 4, from + k * pitch, pixel, channels * 4, width);
    } else if (members > 1) {
      for (let o = 0; o < channels; o++) channel(o);
    } else {
      for (let c = 0; c < channels; c += 4)
        transfers.planesOut(to + c * plane, plane, from + 4 * c, pitch, pixel, width, count);
    }
    this.eachStretch(image, y, count, (start, length, at) =>
      staging.take(data as Float32Array, "f32", start, length, to + at * 4),
    );
  }
}

/** Bytes of the elements that borders are copied by: as many as divide a pixel. */
const unitOf = (pixel: number): 1 | 2 | 4 | 8 => ([8, 4, 2, 1] as const).find((unit) => pixel % unit === 0)!;

/** What a row holds: pixels beyond the picture's left edge, `inside` of the picture from column `first` on, and beyond its right. */
export interface Columns {
  before: number;
  first: number;
  inside: number;
  after: number;
  /** Of the picture. */
  width: number;
}

/** The columns that an input's rows hold. */
export function columnsOf(spec: BufferSpec, { width, origin = { x: 0, y: 0 } }: SourceBinding): Columns {
  const start = origin.x - (spec.left ?? 0);
  const [first, end] = [Math.max(0, start), Math.min(width, start + spec.width)];
  return { before: first - start, first, inside: end - first, after: start + spec.width - end, width };
}

/**
 * Where a row's pixels beyond the picture come from; none under the constant border. Those within the row as pairs of byte
 * offsets (to, from) of elements of `unit` bytes; those of other columns as pairs of a pixel of the row and a column.
 */
export function borderPairs(
  { before, first, inside, after, width }: Columns,
  { channels, dtype }: BufferSpec,
  border: SourceBinding["border"],
) {
  const pixel = channels * bytesOf[dtype];
  const unit = unitOf(pixel);
  const pairs: number[] = [];
  const others: [to: number, column: number][] = [];
  for (let i = 0; i < before + after; i++) {
    const to = i < before ? i : inside + i;
    const column = borderIndex(first + to - before, width, border);
    if (column < 0) continue;
    const from = before + column - first;
    if (from < before || from >= before + inside) others.push([to, column]);
    else for (let k = 0; k < pixel; k += unit) pairs.push(to * pixel + k, from * pixel + k);
  }
  return { unit, pairs, others };
}

/** The pairs of a program's input, as they stand in its memory. */
export interface Border {
  columns: Columns;
  unit: 1 | 2 | 4 | 8;
  address: number;
  count: number;
  others: readonly (readonly [to: number, column: number])[];
}

/** A picture's rows, and those above and below it, extended left and right, into a ring. */
export class PictureIn implements Mover {
  readonly rows: number;
  readonly chunk: number;
  private readonly site: MoverSite;
  private readonly place: Place;
  binding: SourceBinding;
  private readonly border: Border;
  private readonly extend: Transfers[`extend${Border["unit"]}`];
  /** A pixel beyond the edges under the constant border, where pixels have weights, or colours count by alpha. */
  private readonly beyond: Float64Array | undefined;
  private readonly weigh: MovePixels | undefined;
  private readonly multiply: MultiplyPixels | undefined;

  constructor(site: MoverSite, place: Place, binding: SourceBinding, border: Border, rows: number) {
    this.site = site;
    this.place = place;
    this.binding = binding;
    this.border = border;
    this.extend = site.staging.transfers[`extend${border.unit}`];
    this.weigh = binding.known && weigherOf(site.staging, binding, place.spec.dtype);
    if (binding.alpha === "premultiply" && !binding.known)
      this.multiply = multiplierOf(site.staging, binding, place.spec.dtype);
    if (binding.known) this.beyond = borderPixel(binding);
    else if (this.multiply) this.beyond = multipliedBorder(binding);
    this.rows = rows;
    this.chunk = chunkOf(border.columns.inside * place.spec.channels * bytesOf[place.spec.dtype]);
  }

  move(from: number, to: number): void {
    const { above } = this.place.spec;
    const { height, border, origin } = this.binding;
    for (let at = from; at < to; ) {
      const y = at - above + (origin?.y ?? 0);
      const ringEnd = this.place.rows - (at % this.place.rows);
      const inside = y >= 0 && y < height;
      const count = inside ? Math.min(to - at, height - y, ringEnd) : 1;
      this.moveRows(at % this.place.rows, inside ? y : borderIndex(y, height, border), count);
      at += count;
    }
  }

  private moveRows(slot: number, y: number, count: number): void {
    const { views, base } = this.site;
    const { spec, data, pitch } = this.place;
    const { border, alpha, known } = this.binding;
    const start = base + data + slot * pitch;
    const first = start / bytesOf[spec.dtype];
    const elements = spec.width * spec.channels;
    if (y >= 0) this.copyRows(start, y, count);
    // Not before: room for the copy may have moved the memory.
    const memory = views.of(spec.dtype);
    if (y < 0) this.fillPixels(memory, first, spec.width);
    else {
      if (border === "constant") this.fillMargins(memory, first, count);
      else if (this.border.count > 0) {
        const { address, count: pairs } = this.border;
        this.extend(start, pitch, address, pairs, count);
      }
      if (this.border.others.length > 0) this.fetchOthers(memory, first, y, count);
    }
    if (alpha !== "premultiply" || known || this.multiply) return;
    for (let row = 0; row < count; row++)
      premultiply(memory, first + (row * pitch) / bytesOf[spec.dtype], elements, this.binding);
  }

  private copyRows(start: number, y: number, count: number): void {
    const { staging } = this.site;
    const { spec, pitch } = this.place;
    const { width, channels, data } = this.binding;
    const { before, first, inside } = this.border.columns;
    const to = start + before * spec.channels * bytesOf[spec.dtype];
    const pixels = { first: y * width + first, step: width, width: inside, count };
    const [at, row, step] = [(y * width + first) * channels, inside * channels, width * channels];
    if (this.weigh) this.weigh(pixels, to, pitch);
    else if (this.multiply) this.multiply(this.binding, pixels, to, pitch);
    // Elements of another type than the program's are converted on the way.
    else staging.rowsIn(data as Elements, spec.dtype, at, row, count, to, pitch, step);
  }

  /** Pixels beyond the edge of a picture of which the row holds a part: those that stand for them are in no row here. */
  private fetchOthers(memory: Elements, first: number, y: number, count: number): void {
    const { spec, pitch } = this.place;
    const { width, channels, known } = this.binding;
    const data = this.binding.data as Elements;
    for (let row = 0, start = first; row < count; row++, start += pitch / bytesOf[spec.dtype]) {
      for (const [to, column] of this.border.others) {
        const [pixel, at] = [(y + row) * width + column, start + to * spec.channels];
        if (known) weigh(memory, at, this.binding, pixel, 1);
        else for (let c = 0; c < channels; c++) memory[at + c] = data[pixel * channels + c]!;
        if (this.multiply) premultiply(memory, at, channels, this.binding);
      }
    }
  }

  private fillMargins(memory: Elements, first: number, count: number): void {
    const { spec, pitch } = this.place;
    const { before, after } = this.border.columns;
    const step = pitch / bytesOf[spec.dtype];
    for (let row = 0, at = first; row < count; row++, at += step) {
      this.fillPixels(memory, at, before);
      this.fillPixels(memory, at + (spec.width - after) * spec.channels, after);
    }
  }

  /** The constant beyond the edges. */
  private fillPixels(memory: Elements, first: number, count: number): void {
    const { channels } = this.place.spec;
    if (!this.beyond) memory.fill(this.binding.borderValue, first, first + count * channels);
    else for (let i = 0; i < count; i++) memory.set(this.beyond, first + i * channels);
  }
}

/** Finished rows, from a ring. */
export class PictureOut implements Mover {
  readonly rows: number;
  readonly chunk: number;
  private readonly site: MoverSite;
  private readonly place: Place;
  binding: TargetBinding;
  private readonly unweigh: MovePixels | undefined;
  private readonly divide: DividePixels | undefined;

  constructor(site: MoverSite, place: Place, binding: TargetBinding) {
    this.site = site;
    this.place = place;
    this.binding = binding;
    this.unweigh = binding.source.known && unweigherOf(site.staging, binding, place.spec.dtype);
    if (binding.alpha === "premultiply" && !binding.source.known)
      this.divide = dividerOf(site.staging, binding, place.spec.dtype);
    this.rows = binding.height;
    this.chunk = chunkOf(place.spec.width * place.spec.channels * bytesOf[place.spec.dtype]);
  }

  move(from: number, to: number): void {
    const { staging, base, views } = this.site;
    const { spec, data, pitch, rows } = this.place;
    const { alpha, dtype, source, width, at, tapSum } = this.binding;
    const target = this.binding.data as Elements;
    const row = width * source.channels;
    const apart = at?.pitch ?? width;
    const step = apart * source.channels;
    const size = bytesOf[spec.dtype];
    for (let y = from; y < to; ) {
      const count = Math.min(to - y, rows - (y % rows));
      const first = base + data + (y % rows) * pitch;
      const pixel = targetAt(this.binding, y);
      const start = pixel * source.channels;
      const pixels = { first: pixel, step: apart, width, count };
      const own = this.divide && ownPixels(this.binding, y, count);
      if (own) {
        this.divide!(this.binding, pixels, own, first, pitch);
        y += count;
        continue;
      }
      if (this.unweigh) this.unweigh(pixels, first, pitch);
      else if (alpha !== "premultiply" && dtype === spec.dtype)
        staging.rowsOut(target, dtype, start, row, count, first, pitch, step);
      else {
        checkThere("out", target, start + (count - 1) * step + row);
        const memory = views.of(spec.dtype);
        for (let i = 0; i < count; i++) {
          const [from, at] = [(first + i * pitch) / size, start + i * step];
          if (tapSum !== undefined) compareWithOwn(memory, from, this.binding, target, source.data as Elements, y + i);
          else if (alpha === "premultiply") unpremultiply(memory, from, this.binding, target, at, row);
          else convert(memory, from, dtype, target, at, row);
        }
      }
      if (readsSource(this.binding))
        for (let i = 0; i < count; i++) keepAlpha(this.binding, target, source.data as Elements, y + i);
      y += count;
    }
  }
}
