// Weights of convolutions and products: taken from constants in the order that a problem wants, or, where they are computed
// at run time, packed on the backend by copies into the panels that kernels read.
import { convShape, convWeights, panelOutputs } from "../kernels/conv/layout.ts";
import { depthwiseShape } from "../kernels/depthwise/layout.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import { arena } from "../kernels/layer.ts";
import type { BufferSpec, ConvSpec, DepthwiseSpec, MoveSpec, Step } from "../plan/types.ts";
import type { Tensor } from "../tensor.ts";
import { filling, type Lowered, type LoweringContext, moving, read, stages } from "./lowering.ts";
import { moveOf, type Placed } from "./places.ts";

/** Tap i along an axis is tap `first + i · step` of the weight. */
export interface Taps {
  first: number;
  step: number;
  count: number;
}

export const allTaps = (count: number): Taps => ({ first: 0, step: 1, count });

/** How far apart elements of a weight stand in row-major order. */
export interface WeightSteps {
  group: number;
  output: number;
  input: number;
  depth: number;
  y: number;
  x: number;
}

/** Steps of [out, in / groups, depth, height, width], or, transposed, [in, out / groups, depth, height, width]. */
export function weightSteps(
  [first, second, depth, height, width]: readonly number[],
  groups: number,
  transposed: boolean,
): WeightSteps {
  const taps = depth! * height! * width!;
  const [outer, inner] = [second! * taps, taps];
  return {
    group: (first! / groups) * outer,
    ...(transposed ? { output: inner, input: outer } : { output: outer, input: inner }),
    ...{ depth: height! * width!, y: width!, x: 1 },
  };
}

/** Which part of a weight a problem multiplies by: inputs of a group are those of one tap along the depth after the other. */
export interface WeightPart {
  steps: WeightSteps;
  groups: number;
  /** Of one group. */
  outputs: number;
  inputs: number;
  depth: Taps;
  y: Taps;
  x: Taps;
}

/** A part of a constant as [outputs, inputs, kh, kw], outputs of all groups and inputs of one. */
export function takeWeight({ data }: Tensor, part: WeightPart): Float32Array {
  const { steps, groups, outputs, inputs, depth, y, x } = part;
  const taken = new Float32Array(groups * outputs * depth.count * inputs * y.count * x.count);
  let to = 0;
  for (let group = 0; group < groups; group++)
    for (let o = 0; o < outputs; o++)
      for (let z = 0; z < depth.count; z++)
        for (let c = 0; c < inputs; c++)
          for (let i = 0; i < y.count; i++) {
            const row = group * steps.group + o * steps.output + c * steps.input + (y.first + i * y.step) * steps.y;
            const from = row + (depth.first + z * depth.step) * steps.depth + x.first * steps.x;
            for (let j = 0; j < x.count; j++) taken[to++] = Number(data[from + j * x.step * steps.x]);
          }
  return taken;
}

/** A loop over elements of a value and of a packed weight, by steps of elements. */
export interface PackLoop {
  count: number;
  from: number;
  to: number;
}

/** A value that weights are packed from, where it lies. */
export interface PackSource {
  buffer: BufferSpec;
  placed: Placed;
}

export function packSource(name: string, context: LoweringContext): PackSource | undefined {
  const { shape } = context.specs.get(name)!;
  const order = context.held.get(name)?.order ?? "plain";
  const buffer = read(name, order, context);
  return buffer && { buffer, placed: { shape, order } };
}

/** Weights that are packed at run time. */
export interface Packed {
  buffer: BufferSpec;
  steps: Step[];
}

/** Copies of elements between two values; where the loops are too many for one, several. */
export function copiesOf(
  loops: readonly PackLoop[],
  from: { placed: Placed; offset: number },
  to: { placed: Placed; offset: number },
): MoveSpec[] | undefined {
  const view = {
    counts: loops.map(({ count }) => count),
    from: { offset: from.offset, strides: loops.map((loop) => loop.from) },
    to: { offset: to.offset, strides: loops.map((loop) => loop.to) },
  };
  if (view.counts.includes(0)) return [];
  const whole = moveOf(view, from.placed, to.placed);
  if (whole) return [whole];
  const most = loops.filter(({ count }) => count > 1).toSorted((a, b) => a.count - b.count)[0];
  if (!most || most.count > mostCopies) return undefined;
  const others = loops.filter((loop) => loop !== most);
  const parts = Array.from({ length: most.count }, (_, i) =>
    copiesOf(others, { ...from, offset: from.offset + i * most.from }, { ...to, offset: to.offset + i * most.to }),
  );
  return parts.includes(undefined) ? undefined : (parts.flat() as MoveSpec[]);
}

/** Copies that one loop is cut into, at most. */
const mostCopies = 64;

/** Packed weights in a buffer of their own: zeros, and what copies put there. */
class Packing {
  readonly steps: Step[] = [];
  readonly buffer: BufferSpec;
  private readonly placed: Placed;
  private failed = false;

  constructor(id: string, elements: number, images: number, rows: number) {
    this.buffer = arena(id, { images, height: rows, width: 1, channels: elements });
    this.placed = { shape: [images, rows, 1, elements], order: "plain" };
    this.steps.push(filling(0, this.buffer));
  }

  copy(source: PackSource, loops: readonly PackLoop[], from: number, to: number): void {
    const made = copiesOf(loops, { placed: source.placed, offset: from }, { placed: this.placed, offset: to });
    if (!made) this.failed = true;
    for (const kernel of made ?? []) this.steps.push(moving(kernel, source.buffer.id, this.buffer.id));
  }

  /** Undefined where some copy is beyond what the backend can do. */
  get done(): Packed | undefined {
    return this.failed ? undefined : { buffer: this.buffer, steps: this.steps };
  }
}

/** Stacks of weights: how many images and rows have one of their own, and loops from one to the next, `to` counted in weights. */
export interface PackBatch {
  images: number;
  rows: number;
  loops: readonly PackLoop[];
}

const once: PackBatch = { images: 1, rows: 1, loops: [] };

/** Blocks of `side` neighbours, and what is left over in a block of its own. */
function blocks(count: number, side: number): { first: number; blocks: number; lanes: number }[] {
  const whole = Math.floor(count / side);
  const all = [
    { first: 0, blocks: whole, lanes: side },
    { first: whole * side, blocks: 1, lanes: count % side },
  ];
  return all.filter(({ blocks, lanes }) => blocks * lanes > 0);
}

/** The panels of a convolution, as its kernel's `pack` lays them out. */
export function packConvolution(
  id: string,
  spec: ConvSpec,
  part: WeightPart,
  weight: PackSource,
  bias?: PackSource,
  batch: PackBatch = once,
): Packed | undefined {
  const { steps, groups, outputs, inputs, depth, y, x } = part;
  const { depth: sums, panels, tail, inputs: stored } = convShape(spec);
  const packing = new Packing(id, convWeights(spec), batch.images, batch.rows);
  const stack = batch.loops.map((loop) => ({ ...loop, to: loop.to * convWeights(spec) }));
  const groupTo = (sums + 1) * (panels * panelOutputs + tail);
  for (const { first, blocks: count, lanes } of blocks(outputs, panelOutputs)) {
    const side = first / panelOutputs < panels ? panelOutputs : tail;
    const base = first * (sums + 1);
    const panel = { count, to: (sums + 1) * panelOutputs };
    const lane = { count: lanes, to: 1 };
    const group = { count: groups, to: groupTo };
    const tapTo = stored * side;
    const loops: PackLoop[] = [
      ...stack,
      { ...group, from: steps.group },
      { ...panel, from: panelOutputs * steps.output },
      { count: y.count, from: y.step * steps.y, to: x.count * tapTo },
      { count: x.count, from: x.step * steps.x, to: tapTo },
      { count: depth.count, from: depth.step * steps.depth, to: inputs * side },
      { count: inputs, from: steps.input, to: side },
      { ...lane, from: steps.output },
    ];
    const from = first * steps.output + depth.first * steps.depth + y.first * steps.y + x.first * steps.x;
    packing.copy(weight, loops, from, base + side);
    if (!bias) continue;
    const offsets: PackLoop[] = [
      ...stack.map((loop) => ({ ...loop, from: 0 })),
      { ...group, from: outputs },
      { ...panel, from: panelOutputs },
      { ...lane, from: 1 },
    ];
    packing.copy(bias, offsets, first, base);
  }
  return packing.done;
}

/** The blocks of a depthwise layer of one filter a channel, as its kernel's `pack` lays them out. */
export function packDepthwiseLayer(
  id: string,
  spec: DepthwiseSpec,
  stored: number,
  { steps, depth, y, x }: WeightPart,
  weight: PackSource,
  bias?: PackSource,
): Packed | undefined {
  const { side, weights } = depthwiseShape(spec, stored);
  const packing = new Packing(id, weights, 1, 1);
  const block = (spec.size[0] * spec.size[1] + 1) * side;
  for (const { first, blocks: count, lanes } of blocks(spec.channels, side)) {
    const base = (first / side) * block;
    const loops: PackLoop[] = [
      { count, from: side * steps.group, to: block },
      { count: y.count, from: y.step * steps.y, to: x.count * side },
      { count: x.count, from: x.step * steps.x, to: side },
      { count: lanes, from: steps.group, to: 1 },
    ];
    const tap = depth.first * steps.depth + y.first * steps.y + x.first * steps.x;
    packing.copy(weight, loops, first * steps.group + tap, base + side);
    const offsets = [
      { count, from: side, to: block },
      { count: lanes, from: 1, to: 1 },
    ];
    if (bias) packing.copy(bias, offsets, first, base);
  }
  return packing.done;
}

/** A layer whose weights are packed at run time: `sources` are the values that they come from. */
export function packedLayer(
  { buffer, steps }: Packed,
  sources: readonly PackSource[],
  kernel: ConvSpec | DepthwiseSpec,
  [x, ...added]: readonly BufferSpec[],
  y: BufferSpec,
  extent?: number,
): Lowered {
  const reads = [x!.id, buffer.id, ...added.map(({ id }) => id)];
  const step = { name: "convolution", kernel, reads, writes: y.id };
  const made = stages([...sources.map((source) => source.buffer), x!, ...added, buffer, y], [...steps, step], []);
  const grid = made.stages.at(-1)!.grid;
  if (extent !== undefined) Object.assign(grid, { extent, grain: Math.min(grid.grain, extent) });
  return made;
}

export const orderedWeight = (weight: Float32Array, bias?: Tensor): LayerWeights => ({
  ...{ weight, order: "OIHW" },
  bias: bias?.data as Float32Array | undefined,
});
