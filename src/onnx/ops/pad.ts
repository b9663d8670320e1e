// Pad: a border around a tensor (negative: cut off). Attributes before operator set 11, then inputs.
import { axesOf, integersOf, listFrom, numberOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, isBig, sizeOf, toBig } from "../../graph/values.ts";
import { borderIndex } from "../../plan/border.ts";
import { pick, positions } from "./pick.ts";

function padsOf(node: GraphNode, inputs: readonly (Spec | undefined)[]): [before: number, after: number][] {
  const { shape } = required(node, inputs, 0);
  const pads = listFrom(node, inputs, 1, "pads", 11) ?? refuse(node, "pads", "none");
  const axes = axesOf(node, integersOf(node, inputs[3], "axes") ?? shape.map((_, axis) => axis), shape.length);
  if (pads.length !== 2 * axes.length) refuse(node, `${2 * axes.length} pads`, pads);
  const sides = shape.map((): [number, number] => [0, 0]);
  for (const [i, axis] of axes.entries()) sides[axis] = [pads[i]!, pads[i + axes.length]!];
  return sides;
}

export const pad: Operator = {
  name: "Pad",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const mode = textOf(node, "mode", ["constant", "reflect", "edge", "wrap"]);
    const padded = padsOf(node, inputs).map(([before, after], axis) => {
      const side = before + shape[axis]! + after;
      if (side < 0) refuse(node, `at most ${shape[axis]} elements to cut off`, [before, after]);
      if (shape[axis] === 0 && side > 0 && mode !== "constant") refuse(node, `elements to ${mode}`, shape);
      return side;
    });
    const value = inputs[2] && required(node, inputs, 2, [dtype]);
    if (value && sizeOf(value.shape) !== 1) refuse(node, "one number as value", value.shape);
    return [{ dtype, shape: padded }];
  },
  run: (node, inputs, [y]) => {
    const x = inputs[0]!;
    const mode = textOf(node, "mode", ["constant", "reflect", "edge", "wrap"]);
    const lists = padsOf(node, inputs).map(([before], axis) =>
      positions(y!.shape[axis]!, (i) => borderIndex(i - before, x.shape[axis]!, mode)),
    );
    const number = node.opset < 11 ? numberOf(node, "value", 0) : 0;
    pick(y!, x, lists, inputs[2] ? elementsOf(inputs[2])[0] : isBig(x.dtype) ? toBig(number) : number);
  },
};
