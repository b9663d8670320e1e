// DepthToSpace and SpaceToDepth: blocks of pixels become channels and back, by a transposition in six axes.
import { countOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { permute } from "./pick.ts";

type Sides = [batch: number, channels: number, height: number, width: number, block: number];

function sidesOf(node: GraphNode, { shape }: Spec): Sides {
  const block = countOf(node, "blocksize");
  if (shape.length !== 4) refuse(node, "a tensor of rank 4", shape);
  return [...(shape as [number, number, number, number]), block];
}

export const depthToSpace: Operator = {
  name: "DepthToSpace",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0);
    const [n, c, h, w, b] = sidesOf(node, x);
    if (c % (b * b) !== 0) refuse(node, `a multiple of ${b * b} channels`, c);
    return [{ dtype: x.dtype, shape: [n, c / (b * b), h * b, w * b] }];
  },
  run: (node, [x], [y]) => {
    const [n, c, h, w, b] = sidesOf(node, x!);
    if (textOf(node, "mode", ["DCR", "CRD"]) === "DCR")
      permute(y!, x!, [n, b, b, c / (b * b), h, w], [0, 3, 4, 1, 5, 2]);
    else permute(y!, x!, [n, c / (b * b), b, b, h, w], [0, 1, 4, 2, 5, 3]);
  },
};

export const spaceToDepth: Operator = {
  name: "SpaceToDepth",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0);
    const [n, c, h, w, b] = sidesOf(node, x);
    if (h % b !== 0 || w % b !== 0) refuse(node, `sides that are multiples of ${b}`, [h, w]);
    return [{ dtype: x.dtype, shape: [n, c * b * b, h / b, w / b] }];
  },
  run: (node, [x], [y]) => {
    const [n, c, h, w, b] = sidesOf(node, x!);
    permute(y!, x!, [n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4]);
  },
};
