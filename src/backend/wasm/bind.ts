// Binds a program's inputs and outputs for one run: to arrays, which are moved, or to values in the engine, whose rows the
// program's tables then point to.
import { borderIndex } from "../../plan/border.ts";
import { stripRows } from "../../plan/cost.ts";
import { bytesOf, newArray, type TypedArray } from "../../tensor.ts";
import { readsSource } from "../alpha.ts";
import {
  type Binding,
  type Bindings,
  isValue,
  type SourceBinding,
  type TargetBinding,
  type TensorBinding,
} from "../backend.ts";
import { areLike, checkBindings } from "../bindings.ts";
import { writeTable } from "./image.ts";
import type { Layout, Place } from "./layout.ts";
import {
  type Border,
  borderPairs,
  type Columns,
  columnsOf,
  type Mover,
  type MoverSite,
  PictureIn,
  PictureOut,
  TensorIn,
  TensorOut,
} from "./movers.ts";
import { WasmValue } from "./value.ts";

/** What a place's table points to: a value as it was laid out, or the program's own rows. */
export interface Bound {
  value: WasmValue | undefined;
  version: number;
  /** The pixel that a picture's first result lies on. */
  x?: number;
  y?: number;
  border?: Border;
}

/** What has to be moved in a run. */
export interface Ends {
  ins: { id: string; place: Place; mover: Mover }[];
  outs: { id: string; place: Place; mover: Mover }[];
  /** Results of stages before the last, moved once all is done; and what is left to do then. */
  late: Mover[];
  after: (() => void)[];
  /** What it was made of, without the arrays: later bindings that are like these can take their places. */
  of: { inputs: Bindings; outputs: Bindings };
  /** By binding, the inputs first: what moves its array. */
  movers: Mover[];
}

const isOwnOf =
  ({ views }: MoverSite) =>
  (value: unknown): boolean =>
    value instanceof WasmValue && value.host.views === views;

/** Binds a run like an earlier one, where only the arrays are others. */
export function rebind(ends: Ends, inputs: Bindings, outputs: Bindings): boolean {
  const { movers, of } = ends;
  if (!areLike(inputs, of.inputs) || !areLike(outputs, of.outputs)) return false;
  checkBindings(inputs, isNone);
  checkBindings(outputs, isNone);
  for (let i = 0; i < inputs.length; i++) movers[i]!.binding = inputs[i]![1];
  for (let i = 0; i < outputs.length; i++) movers[inputs.length + i]!.binding = outputs[i]![1];
  return true;
}

/** Lets go of the caller's arrays. */
export function unbind({ movers, of: { inputs, outputs } }: Ends): void {
  for (let i = 0; i < movers.length; i++) {
    movers[i]!.binding = (i < inputs.length ? inputs[i]! : outputs[i - inputs.length]!)[1];
  }
}

const nothing = new Uint8Array(0);

const withoutArrays = (bindings: Bindings): Bindings =>
  bindings.map(([id, binding]) => [id, withoutArray(binding)] as const);

function withoutArray(binding: Binding): Binding {
  const data = isValue(binding.data) ? binding.data : nothing;
  if (binding.kind !== "target") return { ...binding, data } as Binding;
  return { ...binding, data, source: withoutArray(binding.source) as SourceBinding };
}

const isNone = (): boolean => false;

export function bindAll(
  site: MoverSite,
  layout: Layout,
  bound: Map<string, Bound>,
  inputs: Bindings,
  outputs: Bindings,
): Ends {
  const ends: Ends = {
    ins: [],
    outs: [],
    late: [],
    after: [],
    movers: [],
    of: { inputs: withoutArrays(inputs), outputs: withoutArrays(outputs) },
  };
  for (const bindings of [inputs, outputs]) checkBindings(bindings, isOwnOf(site));
  const binder = new Binder(site, layout, bound, ends);
  for (const [id, binding] of inputs) binder.bind(id, binding, true);
  for (const [id, binding] of outputs) binder.bind(id, binding, false);
  return ends;
}

/** Pixels go in and out as they are. */
const isPlain = (binding: SourceBinding | TargetBinding): boolean =>
  binding.alpha === "none" && !(binding.kind === "source" ? binding : binding.source).known;

class Binder {
  private readonly site: MoverSite;
  private readonly layout: Layout;
  private readonly bound: Map<string, Bound>;
  private readonly ends: Ends;
  private readonly copies = new Map<WasmValue, TypedArray>();

  constructor(site: MoverSite, layout: Layout, bound: Map<string, Bound>, ends: Ends) {
    this.site = site;
    this.layout = layout;
    this.bound = bound;
    this.ends = ends;
  }

  bind(id: string, binding: Binding, isInput: boolean): void {
    const place = this.layout.places.get(id);
    if (!place) throw new Error(`program: no value ${id}`);
    const value = isValue(binding.data) ? (binding.data as WasmValue) : undefined;
    if (value && this.fits(place, binding, value)) {
      this.pointTo(place, binding, value);
      return;
    }
    this.pointHome(place);
    const data = value ? this.copyOf(value, isInput) : binding.data;
    const mover = this.moverOf(place, this.withSource({ ...binding, data } as Binding), isInput);
    this.ends.movers.push(mover);
    if (isInput) this.ends.ins.push({ id, place, mover });
    else if (this.layout.last.has(id)) this.ends.outs.push({ id, place, mover });
    else this.ends.late.push(mover);
  }

  /** Whether a program can read or write the value's rows as they stand. */
  private fits({ spec, rows }: Place, binding: Binding, value: WasmValue): boolean {
    value.home();
    if (value.dtype !== spec.dtype || value.stored !== spec.channels) return false;
    const inside = spec.width - (spec.left ?? 0) - (spec.right ?? 0);
    if (binding.kind === "source") return isPlain(binding) && value.images === 1;
    if (binding.kind === "target") return isPlain(binding) && value.width === inside && value.images === 1;
    const { format, images, members = 1 } = binding;
    const sides = value.width === inside && value.height === rows && value.images === images;
    return sides && format === "NHWC" && members === 1 && value.shape.length === 4;
  }

  private pointTo(place: Place, binding: Binding, value: WasmValue): void {
    const { spec } = place;
    const slack = binding.kind === "tensor" ? 0 : Math.ceil(this.layout.overrun / spec.channels);
    const { x, y: top } = (binding.kind === "source" && binding.origin) || { x: 0, y: 0 };
    // Pixels of a picture's rows that are read before its first and after its last.
    const before = (spec.left ?? 0) - x;
    const after = binding.kind === "source" ? spec.width - before - value.width : (spec.right ?? 0);
    value.ensure(Math.max(0, before), Math.max(0, after) + slack);
    if (binding.kind === "source") this.extend(place, binding, value, Math.max(0, before), Math.max(0, after));
    const known = this.bound.get(spec.id);
    if (known?.value === value && known.version === value.version && known.x === x && known.y === top) return;
    this.bound.set(spec.id, { ...known, value, version: value.version, x, y: top });
    const margin = before * spec.channels * bytesOf[spec.dtype];
    const { words } = this.site.views;
    const at = (this.site.base + place.table) / 4;
    const zeros = this.site.base + this.layout.zeros;
    if (binding.kind === "tensor") {
      const each = spec.above + place.rows + spec.below;
      for (let entry = 0; entry < place.entries; entry++) {
        const [image, row] = [Math.floor(entry / each), (entry % each) - spec.above];
        const inside = row >= 0 && row < place.rows;
        words[at + entry] = inside ? value.rowAt(image * place.rows + row) - margin : zeros;
      }
      return;
    }
    // Rows beyond the picture: those that stand for them; the constant, and what is written past the end, in the ring.
    const spare = this.site.base + place.data + (binding.kind === "target" ? place.rows * place.pitch : 0);
    for (let entry = 0; entry < place.entries; entry++) {
      const y = entry - spec.above + top;
      const row = binding.kind === "source" ? borderIndex(y, value.height, binding.border) : y < value.height ? y : -1;
      words[at + entry] = row < 0 ? spare : value.rowAt(row) - margin;
    }
  }

  /** The pixels beyond the ends of the rows of a value that are read, and a row of the constant. */
  private extend(place: Place, binding: SourceBinding, value: WasmValue, before: number, after: number): void {
    const { spec, data } = place;
    const { border, borderValue, origin } = binding;
    const { views, base, staging } = this.site;
    const size = bytesOf[spec.dtype];
    const width = value.width;
    const [left, right] = [before * spec.channels, after * spec.channels];
    const memory = views.of(spec.dtype);
    if (border === "constant")
      memory.fill(borderValue, (base + data) / size, (base + data) / size + spec.width * spec.channels);
    if (before + after === 0) return;
    const [top, end] = rowsRead((origin?.y ?? 0) - spec.above, place.real, value.height, border);
    const first = value.rowAt(top) - left * size;
    if (border !== "constant") {
      const { unit, address, count } = this.borderOf(place, border, { before, first: 0, inside: width, after, width });
      if (count > 0) staging.transfers[`extend${unit}`](first, value.pitch, address, count, end - top);
      return;
    }
    const elements = left + width * spec.channels + right;
    for (let y = top; y < end; y++) {
      const at = (first + (y - top) * value.pitch) / size;
      memory.fill(borderValue, at, at + left);
      memory.fill(borderValue, at + elements - right, at + elements);
    }
  }

  private pointHome(place: Place): void {
    const known = this.bound.get(place.spec.id);
    if (!known?.value) return;
    writeTable(this.layout, place, this.site.views.words, this.site.base);
    this.bound.set(place.spec.id, { ...known, value: undefined });
  }

  /** A result that keeps its picture's alpha, or compares with its colours, reads it from an array. */
  private withSource(binding: Binding): Binding {
    if (binding.kind !== "target" || !readsSource(binding) || !isValue(binding.source.data)) return binding;
    const data = this.copyOf(binding.source.data as WasmValue, true) as SourceBinding["data"];
    return { ...binding, source: { ...binding.source, data } };
  }

  /** An array in place of a value whose rows do not serve. */
  private copyOf(value: WasmValue, isInput: boolean) {
    if (isInput) {
      const copy = this.copies.get(value) ?? value.load();
      this.copies.set(value, copy);
      return copy;
    }
    const array = newArray(
      value.dtype,
      value.shape.reduce((product, side) => product * side, 1),
    );
    this.ends.after.push(() => value.store(array));
    return array;
  }

  private moverOf(place: Place, binding: Binding, isInput: boolean): Mover {
    const { site } = this;
    if (binding.kind === "tensor") return new (isInput ? TensorIn : TensorOut)(site, place, binding as TensorBinding);
    if (binding.kind === "target") return new PictureOut(site, place, binding);
    const { stage } = this.layout.stages.find(({ stage }) =>
      stage.steps.some(({ reads, writes }) => writes === place.spec.id || reads.includes(place.spec.id)),
    )!;
    const rows = stripRows(place.spec, stage.grid.extent);
    const border = this.borderOf(place, binding.border, columnsOf(place.spec, binding));
    return new PictureIn(site, place, binding, border, rows);
  }

  /** Pairs of a border, in the program's memory: written when other columns are read than before. */
  private borderOf({ spec }: Place, border: SourceBinding["border"], columns: Columns): Border {
    const known = this.bound.get(spec.id)?.border;
    if (known && columnKeys.every((key) => known.columns[key] === columns[key])) return known;
    const { unit, pairs, others } = borderPairs(columns, spec, border);
    const address = this.site.base + this.layout.pairs;
    this.site.views.words.set(pairs, address / 4);
    const made = { columns, unit, address, count: pairs.length / 2, others };
    this.bound.set(spec.id, { ...(this.bound.get(spec.id) ?? { value: undefined, version: 0 }), border: made });
    return made;
  }
}

const columnKeys = ["before", "first", "inside", "after", "width"] as const;

/** Rows of a picture, from the first to the one after the last, among which are all that stand for rows from `from` on. */
function rowsRead(from: number, count: number, height: number, border: SourceBinding["border"]): [number, number] {
  if (from >= 0 && from + count <= height) return [from, from + count];
  return border === "constant" ? [Math.max(0, from), Math.min(height, from + count)] : [0, height];
}
