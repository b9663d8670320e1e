// The caller's rows in and out: staging a row extends it by its border; both ends deal with alpha where asked. Nothing
// else of a program touches the caller's memory.
import type { Alpha, Border } from "../plan/types.ts";
import { bytesOf, type CheckedImage, type ImageDType, rangeOf, type ViewDType, viewOf } from "../tensor.ts";
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

const memories = new WeakMap<ArrayBufferLike, Map<ViewDType, Elements>>();

/** All of a machine's memory as elements of one type, made once. */
function elementsOf(dtype: ViewDType, buffer: ArrayBufferLike): Elements {
  const views = memories.get(buffer) ?? new Map<ViewDType, Elements>();
  const known = views.get(dtype) ?? viewOf(dtype, buffer, 0, Math.floor(buffer.byteLength / bytesOf[dtype]));
  memories.set(buffer, views.set(dtype, known));
  return known;
}

/** Rows of an array that are kept as views. */
const mostRows = 4096;
const rowsOf = new WeakMap<Elements, Map<number, Elements>>();

/** Rows of an array as views. From the second time that an array comes they are kept: a video leaves no garbage. */
class RowViews {
  private readonly array: Elements;
  private readonly kept: Map<number, Elements> | undefined;

  constructor(array: Elements) {
    this.array = array;
    this.kept = rowsOf.get(array);
    if (!this.kept) rowsOf.set(array, new Map());
  }

  of(start: number, length: number): Elements {
    const { kept } = this;
    const known = kept?.get(start);
    if (known?.length === length) return known;
    const row = this.array.subarray(start, start + length);
    if (kept && kept.size >= mostRows) kept.clear();
    kept?.set(start, row);
    return row;
  }
}

/** Writes rows of the source, extended by their border, into a machine's memory. */
export class RowStager {
  /** Elements of a row that stand for pixels outside, and from where in the row each comes; −1 for the constant. */
  private readonly outside: Int32Array;
  private readonly inside: Int32Array;
  private readonly memory: Elements;
  private readonly rows: RowViews;
  private readonly source: Source;
  private readonly edge: Edge;
  private readonly layout: RowsLayout;
  private readonly premultiply: boolean;

  constructor(source: Source, edge: Edge, layout: RowsLayout, alpha: Alpha, buffer: ArrayBufferLike) {
    this.source = source;
    this.rows = new RowViews(source.data);
    this.edge = edge;
    this.layout = layout;
    this.premultiply = alpha === "premultiply";
    const { dtype, channels, left = 0, right = 0 } = layout.spec;
    this.memory = elementsOf(dtype, buffer);
    const count = left + right;
    this.outside = new Int32Array(count * channels);
    this.inside = new Int32Array(count * channels);
    for (let i = 0; i < count; i++) {
      const x = i < left ? i - left : source.width + i - left;
      const from = borderIndex(x, source.width, edge.border);
      for (let c = 0; c < channels; c++) {
        this.outside[i * channels + c] = (left + x) * channels + c;
        this.inside[i * channels + c] = from < 0 ? -1 : (left + from) * channels + c;
      }
    }
  }

  /** Stages row `y` of image `image`, which may lie outside the picture, at a byte offset. */
  stage(image: number, y: number, offset: number): void {
    const { memory, outside, inside, edge } = this;
    const { dtype, left = 0, width: staged } = this.layout.spec;
    const { width, height, channels } = this.source;
    const at = offset / bytesOf[dtype];
    const from = borderIndex(y, height, edge.border);
    if (from < 0) {
      memory.fill(edge.borderValue, at, at + staged * channels);
    } else {
      const start = (image * height + from) * width * channels;
      memory.set(this.rows.of(start, width * channels), at + left * channels);
      for (let i = 0; i < outside.length; i++) {
        const k = inside[i]!;
        memory[at + outside[i]!] = k < 0 ? edge.borderValue : memory[at + k]!;
      }
    }
    if (this.premultiply)
      premultiplyRow(memory.subarray(at, at + staged * channels), channels, opaque(this.source.dtype));
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
  private readonly rows: RowViews;

  constructor(source: Source, target: Target, layout: RowsLayout, alpha: Alpha, buffer: ArrayBufferLike) {
    this.rows = new RowViews(elementsOf(layout.spec.dtype, buffer));
    this.source = source;
    this.target = target;
    this.layout = layout;
    this.alpha = alpha;
  }

  /** Emits a row of the output's `index`-th row over all images. */
  emit(offset: number, index: number): void {
    const { spec } = this.layout;
    const elements = spec.width * spec.channels;
    const view = this.rows.of(offset / bytesOf[spec.dtype], elements);
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
