// The caller's rows in and out: staging a row extends it by its border; both ends deal with alpha where asked. Nothing
// else of a program touches the caller's memory.
import type { Alpha, Border } from "../plan/types.ts";
import { type CheckedImage, type ImageDType, rangeOf, viewOf } from "../tensor.ts";
import { borderIndex } from "./border.ts";
import type { RowsLayout } from "./layout.ts";
import { type Abortable, inSlices } from "./slices.ts";

type Elements = Uint8Array | Uint16Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface Source {
  data: Elements;
  dtype: ImageDType;
  height: number;
  width: number;
  channels: number;
}

export interface Edge {
  border: Border;
  borderValue: number;
}

/** The alpha that means opaque. */
export const opaque = (dtype: ImageDType): number => (dtype === "f32" ? 1 : rangeOf[dtype][1]);

/** Writes rows of the source, extended by their border, into a machine's memory. */
export class RowStager {
  private readonly columns: { at: number; from: number }[];
  private readonly source: Source;
  private readonly edge: Edge;
  private readonly layout: RowsLayout;
  private readonly premultiply: boolean;

  constructor(source: Source, edge: Edge, layout: RowsLayout, alpha: Alpha) {
    this.source = source;
    this.edge = edge;
    this.layout = layout;
    this.premultiply = alpha === "premultiply";
    const { left = 0, right = 0 } = layout.spec;
    const outside = [
      ...Array.from({ length: left }, (_, i) => i - left),
      ...Array.from({ length: right }, (_, i) => source.width + i),
    ];
    this.columns = outside.map((x) => ({ at: left + x, from: borderIndex(x, source.width, edge.border) }));
  }

  /** Stages row `y` of image `image`, which may lie outside the picture, at a byte offset. */
  stage(buffer: ArrayBufferLike, image: number, y: number, offset: number): void {
    const { spec } = this.layout;
    const { width, height, channels, data } = this.source;
    const elements = spec.width * spec.channels;
    const row = viewOf(spec.dtype, buffer, offset, elements);
    const from = borderIndex(y, height, this.edge.border);
    if (from < 0) {
      row.fill(this.edge.borderValue);
    } else {
      const start = (image * height + from) * width * channels;
      row.set(data.subarray(start, start + width * channels), (spec.left ?? 0) * channels);
      this.extend(row, channels);
    }
    if (this.premultiply) premultiplyRow(row, channels, opaque(this.source.dtype));
  }

  private extend(row: Elements, channels: number): void {
    const left = (this.layout.spec.left ?? 0) * channels;
    for (const { at, from } of this.columns) {
      for (let c = 0; c < channels; c++) {
        row[at * channels + c] = from < 0 ? this.edge.borderValue : row[left + from * channels + c]!;
      }
    }
  }
}

function premultiplyRow(row: Elements, channels: number, full: number): void {
  const alpha = channels - 1;
  for (let i = 0; i < row.length; i += channels) {
    const weight = row[i + alpha]! / full;
    for (let c = 0; c < alpha; c++) row[i + c]! *= weight;
  }
}

export interface Target {
  data: Elements;
  dtype: ImageDType;
  /** Under premultiplied alpha: applied to colours after they were divided by alpha. */
  gain: number;
  offset: number;
}

/** Copies finished rows from a machine's memory to the caller's array. */
export class RowEmitter {
  private readonly source: Source;
  private readonly target: Target;
  private readonly layout: RowsLayout;
  private readonly alpha: Alpha;

  constructor(source: Source, target: Target, layout: RowsLayout, alpha: Alpha) {
    this.source = source;
    this.target = target;
    this.layout = layout;
    this.alpha = alpha;
  }

  /** Emits a row of the output's `index`-th row over all images. */
  emit(buffer: ArrayBufferLike, offset: number, index: number): void {
    const { spec } = this.layout;
    const elements = spec.width * spec.channels;
    const view = viewOf(spec.dtype, buffer, offset, elements);
    const at = index * elements;
    if (this.alpha === "premultiply") this.unpremultiply(view, at);
    else this.target.data.set(view, at);
    if (this.alpha === "keep") this.keepAlpha(at, elements);
  }

  private keepAlpha(at: number, elements: number): void {
    const { channels } = this.source;
    const [low, high] = this.target.dtype === "f32" ? [-Infinity, Infinity] : rangeOf[this.target.dtype];
    for (let i = at + channels - 1; i < at + elements; i += channels) {
      this.target.data[i] = Math.min(high, Math.max(low, this.source.data[i]!));
    }
  }

  private unpremultiply(view: Elements, at: number): void {
    const { dtype, data, gain, offset } = this.target;
    const { channels } = this.source;
    const full = opaque(this.source.dtype);
    const alpha = channels - 1;
    const [low, high] = dtype === "f32" ? [-Infinity, Infinity] : rangeOf[dtype];
    const rounding = dtype === "f32" ? 0 : 0.5;
    const put = (i: number, value: number): void => {
      data[i] = Math.min(high, Math.max(low, rounding ? Math.floor(value + rounding) : value));
    };
    for (let i = 0; i < view.length; i += channels) {
      const weight = view[i + alpha]!;
      for (let c = 0; c < alpha; c++) put(at + i + c, weight > 0 ? (view[i + c]! / weight) * full * gain + offset : 0);
      put(at + i + alpha, Math.min(full, Math.max(0, weight)));
    }
  }
}

/** True where no pixel is translucent, so that alpha can be ignored and kept. */
export function isOpaque({ data, dtype, channels, width, height }: CheckedImage, signal: Abortable): Promise<boolean> {
  const full = opaque(dtype);
  return inSlices(width * height, signal, (from, to) => {
    for (let pixel = from; pixel < to; pixel++) if (data[(pixel + 1) * channels - 1] !== full) return false;
    return true;
  });
}
