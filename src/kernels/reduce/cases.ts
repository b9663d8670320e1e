// Test shapes of the reduce family.
import type { ReduceSpec } from "../../plan/types.ts";
import { count, type KernelCase, layerCase } from "../case.ts";
import { arena, pointwiseWindow, sidesOf } from "../layer.ts";

interface Shape {
  x: readonly [images: number, height: number, width: number, channels: number];
  over: ReduceSpec["over"];
  op?: ReduceSpec["op"];
  map?: ReduceSpec["map"];
  /** Rows of a window; all where absent. */
  group?: number;
  /** Sides of what is subtracted: "result" for those of the result, or as they are. */
  centre?: "result" | readonly number[];
}

function reduce(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { x, over, op = "sum", map = "none", group = x[1] } = shape;
  const [images, height, width, channels] = x;
  const y = [
    images,
    over === "rows" ? Math.ceil(height / group) : height,
    over === "pixels" || over === "row" ? 1 : width,
    over === "channels" || over === "row" ? 1 : channels,
  ];
  const centre = shape.centre === "result" ? y : shape.centre;
  const rows = over === "rows" ? group : 1;
  const kernel: ReduceSpec = {
    ...{ family: "reduce", ...pointwiseWindow, size: [rows, 1], strides: [rows, 1] },
    ...{ op, over, map, channels, height, scale: op === "sum" ? 0.25 : 1 },
  };
  const others = centre ? [arena("centre", sidesOf(centre))] : [];
  return layerCase(
    `${op}, ${map}, ${over}${centre ? `, less ${centre}` : ""}, ${name}`,
    kernel,
    { x, y, others },
    { ...more, ...(centre && { tensors: { centre: { channels: centre[3]! } } }) },
  );
}

const overs = ["pixels", "channels", "row", "rows"] as const;
const maps = ["none", "abs", "square", "exp"] as const;

export const cases: readonly KernelCase[] = [
  ...overs.flatMap((over) => [
    ...(["sum", "product", "max", "min"] as const).flatMap((op) =>
      maps.map((map) => reduce("small", { x: [2, 3, 4, 6], over, op, map })),
    ),
    ...count(1, 19).map((channels) => reduce(`${channels} channels`, { x: [1, 2, 3, channels], over })),
    ...count(1, 5).map((width) => reduce(`width ${width}`, { x: [2, 3, width, 8], over, op: "max" })),
    ...maps.map((map) => reduce("of means", { x: [2, 3, 5, 16], over, map, centre: "result" })),
    ...maps.map((map) => reduce("of means of few channels", { x: [2, 3, 5, 3], over, map, centre: "result" })),
    reduce("long", { x: [1, 2, 150, 40], over }),
    reduce("wide", { x: [1, 2, 2, 1300], over, map: "square", centre: "result" }),
  ]),
  ...overs.map((over) => {
    const [width, channels] = [
      over === "pixels" || over === "row" ? 1 : 5,
      over === "channels" || over === "row" ? 1 : 9,
    ];
    return reduce("one row for all", { x: [2, 4, 5, 9], over, map: "square", centre: [2, 1, width, channels] });
  }),
  ...[1, 2, 3, 4].map((group) => reduce(`groups of ${group}`, { x: [2, 7, 3, 6], over: "rows", group })),
  ...[2, 3].map((group) =>
    reduce(`groups of ${group}`, { x: [2, 7, 3, 6], over: "rows", group, map: "exp", centre: [2, 1, 3, 6] }),
  ),
  reduce(
    "benchmark",
    { x: [1, 56, 56, 64], over: "pixels", map: "square", centre: [1, 1, 1, 64] },
    { benchmark: true },
  ),
];
