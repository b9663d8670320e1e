// What places of a result see of an input that is only copied: reshaped, turned, cut, padded, joined, interleaved. Which element goes
// where is known as views; rows and columns are followed through their loops.
import { cutAt, type Loop, stepAlong } from "../places.ts";
import type { View } from "../types.ts";
import { stridesOf } from "../values.ts";
import { type Field, noTiles, type Reader, type Seen, type Sight } from "./seen.ts";

/** A loop of a view along one axis of the input and one of the result; none where it stays. */
interface Walk {
  count: number;
  from: Step | undefined;
  to: Step | undefined;
}

interface Step {
  axis: number;
  by: number;
}

/** A view in axes: where it begins, and its loops. */
interface Path {
  view: View;
  from: readonly number[];
  to: readonly number[];
  walks: readonly Walk[];
}

/** What one view says of the rows, or of the columns. */
interface Line {
  /** The axis of the result. */
  axis: number;
  reader: Reader;
  /** Each place sees the same place. */
  isSame: boolean;
}

const joins = "elements whose rows and columns are joined or taken apart";
/** So many elements of a picture become one place, at most. */
const mostParts = 4096;

export function sightsOfCopies(seen: Seen): (Sight | undefined)[] {
  const { node, operators, inputs, fields, outputs } = seen;
  const copies = operators.get(node.op)?.copies?.(node, inputs);
  if (!copies) return withoutViews(seen);
  return outputs.map((_, output) => {
    const shown = copies.views.filter((view) => view.output === output && fields[view.input]);
    if (shown.length === 0) return undefined;
    const paths = shown.map((view) => pathOf(seen, view) ?? noTiles(seen, joins));
    const lines = paths.map((path) => fields[path.view.input]!.map((axis, d) => lineOf(seen, path, axis, d)));
    const [first] = lines as [Line[]];
    const field = first.map(({ axis }) => axis) as unknown as Field;
    if (field[0] === field[1] || lines.some((own) => own.some(({ axis }, d) => axis !== field[d])))
      noTiles(seen, joins);
    const reads = paths.map(({ view: { input } }, i) => {
      const [rows, columns] = lines[i]!.map(({ reader, isSame }) => (isSame ? undefined : reader));
      return { input, along: [rows, columns] as const };
    });
    const signature = paths.map((path) => signatureOf(path, fields[path.view.input]!, field)).join("; ");
    return { field, reads, signature };
  });
}

/** Elements that are picked one by one along another axis than the picture's. */
function withoutViews(seen: Seen): Sight[] {
  const { node, inputs, fields } = seen;
  const [field, other] = fields;
  const rank = inputs[0]!.shape.length;
  const axis = typeof node.attributes.axis === "number" ? (node.attributes.axis + rank) % rank : 0;
  if (node.op !== "Gather" || !field || other || field.includes(axis)) noTiles(seen, "places that are computed");
  const more = inputs[1]!.shape.length - 1;
  const moved = field.map((one) => (one > axis ? one + more : one)) as unknown as Field;
  return [{ field: moved, reads: [{ input: 0, along: [undefined, undefined] }] }];
}

const placeOf = (offset: number, shape: readonly number[]): number[] =>
  stridesOf(shape).map((stride, axis) => Math.floor(offset / stride) % shape[axis]!);

/** Undefined where a loop leaves an axis in its midst. */
function pathOf({ inputs, outputs }: Seen, view: View): Path | undefined {
  const [from, to] = [inputs[view.input]!.shape, outputs[view.output]!.shape];
  const [strides, toStrides] = [stridesOf(from), stridesOf(to)];
  const walks: Walk[] = [];
  for (const [i, count] of view.counts.entries()) {
    if (count === 1) continue;
    const loop: Loop = { count, from: view.from.strides[i]!, to: view.to.strides[i]! };
    const cut = cutAt(loop, "to", to, toStrides)?.map((part) => cutAt(part, "from", from, strides));
    if (!cut || cut.some((parts) => !parts)) return undefined;
    for (const part of (cut as Loop[][]).flat()) {
      const step = (by: number, along: readonly number[], shape: readonly number[]): Step | undefined => {
        const found = by === 0 ? undefined : stepAlong(by, along, shape);
        return found && { axis: found.index, by: found.by };
      };
      const walk = { count: part.count, from: step(part.from, strides, from), to: step(part.to, toStrides, to) };
      if (!walk.to || (part.from !== 0 && !walk.from)) return undefined;
      walks.push(walk);
    }
  }
  return { view, from: placeOf(view.from.offset, from), to: placeOf(view.to.offset, to), walks };
}

/** How the places along one axis of the result see those along an axis of the input. */
function lineOf(seen: Seen, { view, from, to, walks }: Path, axis: number, d: number): Line {
  const own = walks.filter((walk) => walk.from?.axis === axis);
  // The axis that is walked in the largest steps has the places; along others lie parts of each.
  const [widest] = own.toSorted((a, b) => Math.abs(b.from!.by) - Math.abs(a.from!.by));
  if (!widest) noTiles(seen, "a single row or column");
  const target = widest.to!.axis;
  const across = seen.fields[view.input]![1 - d];
  const steps = walks.filter((walk) => walk.to!.axis === target).toSorted((a, b) => b.to!.by - a.to!.by);
  const inner = own.filter((walk) => walk.to!.axis !== target);
  const isNested = steps.every(
    (step, i) => step.to!.by > steps.slice(i + 1).reduce((sum, { count, to }) => sum + (count - 1) * to!.by, 0),
  );
  const parts = inner.reduce((product, { count }) => product * count, 1);
  if (!isNested || parts > mostParts || steps.some((walk) => walk.from?.axis === across)) noTiles(seen, joins);
  const phases = inner.reduce<number[]>(
    (sums, { count, from }) => sums.flatMap((sum) => Array.from({ length: count }, (_, i) => sum + i * from!.by)),
    [0],
  );
  const reader: Reader = (place) => {
    let [rest, at, part] = [place - to[target]!, from[axis]!, 0];
    for (const { count, from: source, to: step } of steps) {
      const i = Math.floor(rest / step!.by);
      if (i < 0 || i >= count) return [];
      rest -= i * step!.by;
      if (source?.axis === axis) at += i * source.by;
      else part = part * count + i;
    }
    return rest === 0 ? phases.map((phase, i) => [at + phase, part * parts + i] as const) : [];
  };
  const [step, ...others] = steps;
  const isWhole = step!.count === seen.outputs[view.output]!.shape[target] && to[target] === 0 && from[axis] === 0;
  const isSame = isWhole && others.length === 0 && inner.length === 0 && step!.from!.by === 1 && step!.to!.by === 1;
  return { axis: target, reader, isSame };
}

/** All that a path does along other axes, and how it steps along these. */
function signatureOf({ view, from, to, walks }: Path, field: Field, target: Field): string {
  const step = (one: Step | undefined): string => (one ? `${one.axis}:${one.by}` : "");
  const loops = walks.map((walk) => {
    const isOuter = walk.from !== undefined && field.includes(walk.from.axis) && target.includes(walk.to!.axis);
    return `${isOuter ? "" : walk.count} ${step(walk.from)} > ${step(walk.to)}`;
  });
  const beside = (place: readonly number[], axes: Field): string =>
    place.map((at, axis) => (axes.includes(axis) ? "" : at)).join();
  return [view.input, beside(from, field), beside(to, target), ...loops.sort()].join(" | ");
}
