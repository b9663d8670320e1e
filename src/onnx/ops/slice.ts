// Slice: every step-th element from start to end along some axes; attributes before operator set 10, then inputs.
import { axesOf, listFrom, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { stridesOf } from "../../graph/values.ts";
import { copyStrided } from "./pick.ts";

interface Range {
  start: number;
  step: number;
  count: number;
}

function rangesOf(node: GraphNode, { shape }: Spec, inputs: readonly (Spec | undefined)[]): Range[] {
  const list = (index: number, name: string) => listFrom(node, inputs, index, name, 10);
  const starts = list(1, "starts") ?? refuse(node, "starts", "none");
  const ends = list(2, "ends") ?? refuse(node, "ends", "none");
  const axes = axesOf(node, list(3, "axes") ?? starts.map((_, i) => i), shape.length);
  const steps = (node.opset < 10 ? undefined : list(4, "steps")) ?? starts.map(() => 1);
  if ([ends, axes, steps].some(({ length }) => length !== starts.length)) {
    refuse(
      node,
      "as many starts as ends, axes and steps",
      [starts, ends, axes, steps].map((one) => one.length),
    );
  }
  const ranges = shape.map((count) => ({ start: 0, step: 1, count }));
  axes.forEach((axis, i) => {
    const [side, step] = [shape[axis]!, steps[i]!];
    if (step === 0) refuse(node, "steps other than 0", steps);
    // Backwards a slice may end before the first element, but not start there
    const [most, last] = step > 0 ? [side, 0] : [side - 1, -1];
    const clamp = (at: number, least: number): number => Math.min(most, Math.max(least, at < 0 ? at + side : at));
    const start = clamp(starts[i]!, 0);
    ranges[axis] = { start, step, count: Math.max(0, Math.ceil((clamp(ends[i]!, last) - start) / step)) };
  });
  return ranges;
}

export const slice: Operator = {
  name: "Slice",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0);
    return [{ dtype: x.dtype, shape: rangesOf(node, x, inputs).map(({ count }) => count) }];
  },
  run: (node, inputs, [y]) => {
    const x = inputs[0]!;
    const [ranges, strides] = [rangesOf(node, x, inputs), stridesOf(x.shape)];
    const first = ranges.reduce((sum, { start }, axis) => sum + start * strides[axis]!, 0);
    const steps = ranges.map(({ step }, axis) => step * strides[axis]!);
    copyStrided(y!, x, y!.shape, steps, first);
  },
};
