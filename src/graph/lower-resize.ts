// Lowers operators that resample axes by weighted sums: two neighbouring axes at once where few elements count, else one
// after the other; each in a space where they are rows and pixels.
import { pointwiseWindow } from "../kernels/layer.ts";
import type { Position, ResizeAxis, ResizeSpec } from "../plan/types.ts";
import { type Lowered, type LoweringContext, orderOf } from "./lowering.ts";
import { type Piece, Pieces, type Space, spaceIn } from "./pieces.ts";
import type { GraphNode, Samples } from "./types.ts";
import { sizeOf } from "./values.ts";

/** Elements of which one is the sum, along one axis: kernels are made for so many. */
const taps = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
/** Along each of two axes that are resampled at once. */
const mostAtOnce = 2;

/** As many pixels as are wanted: one counts in halves. With a weight of 0 an infinite one would give NaN. */
function inHalves(list: Samples[number], count: number): Samples[number] {
  if (list.length >= count) return list;
  const [[at, weight], ...others] = list as [Samples[number][number], ...Samples[number]];
  return inHalves([[at, weight / 2], ...others, [at, weight / 2]], count);
}

const tapsOf = (samples: Samples | undefined): number | undefined =>
  samples === undefined ? 1 : taps.find((most) => samples.every(({ length }) => length > 0 && length <= most));

function axisFor(samples: Samples | undefined, side: number): ResizeAxis {
  const lists = samples ?? Array.from({ length: side }, (_, at) => [[at, 1] as const]);
  const filled = lists.map((list) => inHalves(list, tapsOf(samples)!));
  return {
    from: filled.flatMap((list) => list.map(([at]) => at)),
    weights: filled.flatMap((list) => list.map(([, weight]) => weight)),
  };
}

/** A value with the axes that are resampled as rows and pixels: as it lies if it does so, else what suits its kernel. */
function spaceFor(own: Space, [first, second]: readonly number[]): Space {
  const { shape, groups } = own;
  const is = (side: number, axis: number | undefined): boolean =>
    axis === undefined || groups[side]!.every((one) => one === axis || shape[one] === 1);
  const fits = second === undefined ? [1, 2].some((side) => groups[side]!.includes(first!) && is(side, first)) : groups[1]!.includes(first!) && is(1, first) && groups[2]!.includes(second) && is(2, second); // biome-ignore format: a line
  if (fits) return own;
  const axes = [...shape.keys()];
  const [before, after] = [axes.filter((axis) => axis < first!), axes.filter((axis) => axis > (second ?? first!))];
  const columns = second === undefined ? [] : [second];
  const size = (group: readonly number[]): number => sizeOf(group.map((axis) => shape[axis]!));
  const made = size(after) === 1 ? [after, [first!], columns, before] : [before, [first!], columns, after];
  return { shape, groups: made, sides: made.map(size) as Position };
}

/** Which axes are resampled together, and in which order: those that leave the fewest elements first. */
function passesOf(samples: readonly (Samples | undefined)[], shape: readonly number[]): number[][] {
  const axes = samples.flatMap((one, axis) => (one ? [axis] : []));
  const growth = (axis: number): number => samples[axis]!.length / shape[axis]!;
  const isSmall = (axis: number): boolean => tapsOf(samples[axis])! <= mostAtOnce;
  const passes: number[][] = [];
  for (const axis of axes) {
    const last = passes.at(-1);
    if (last?.length === 1 && last[0] === axis - 1 && isSmall(axis) && isSmall(last[0])) last.push(axis);
    else passes.push([axis]);
  }
  const total = (pass: readonly number[]): number => pass.reduce((product, axis) => product * growth(axis), 1);
  return passes.sort((a, b) => total(a) - total(b));
}

export function resampled(
  node: GraphNode,
  samples: readonly (Samples | undefined)[],
  context: LoweringContext,
): Lowered | undefined {
  const name = node.inputs[0]!;
  const { shape } = context.specs.get(name)!;
  const order = orderOf(name, context);
  let space = spaceIn(shape, order);
  if (!space || samples.some((one) => tapsOf(one) === undefined)) return undefined;
  const pieces = new Pieces(node, context);
  let piece: Piece | undefined = pieces.input(name, order, space);
  for (const pass of passesOf(samples, shape)) {
    const suited = spaceFor(space, pass);
    piece = piece && (suited === space ? piece : pieces.respace(piece, space, suited));
    if (!piece) return undefined;
    const along = (side: 1 | 2): Samples | undefined => {
      const axis = pass.find((one) => suited.groups[side]!.includes(one));
      return axis === undefined ? undefined : samples[axis];
    };
    const kernel: ResizeSpec = {
      ...{ family: "resize", ...pointwiseWindow, whole: true, taps: [tapsOf(along(1))!, tapsOf(along(2))!] },
      ...{ rows: axisFor(along(1), suited.sides[1]), columns: axisFor(along(2), suited.sides[2]) },
    };
    const sides = suited.sides.map((side, i) => (i === 1 || i === 2 ? (along(i)?.length ?? side) : side)) as Position;
    piece = pieces.step(node.op, kernel, [piece.buffer], sides);
    space = {
      ...suited,
      sides,
      shape: suited.shape.map((side, axis) => (pass.includes(axis) ? samples[axis]!.length : side)),
    };
  }
  return piece && pieces.output(0, piece, space, space.shape, [order, "plain"]) ? pieces.finish() : undefined;
}
