// Test shapes of the pool family. Every window sees at least one pixel, as everywhere: there is no mean of none.
import type { PoolSpec } from "../../plan/types.ts";
import { count, hardWindows, type KernelCase, layerCase, sidesAfter, type Window } from "../case.ts";

type Kind = Pick<PoolSpec, "op" | "countOutside">;

interface Shape {
  sides?: [height: number, width: number];
  channels: number;
  images?: number;
  window: Window;
}

function pool(name: string, kind: Kind, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { sides: [height, width] = [7, 9], channels, images = 1, window } = shape;
  const { after: _, ...where } = window;
  const kernel: PoolSpec = { family: "pool", ...where, ...kind, height, width };
  const to = sidesAfter({ images, height, width }, window);
  const [x, y] = [
    [images, height, width, channels],
    [images, to.height, to.width, channels],
  ];
  return layerCase(`${kind.op}${kind.countOutside ? " of all" : ""}, ${name}`, kernel, { x, y }, more);
}

const kinds: readonly Kind[] = [
  { op: "max", countOutside: false },
  { op: "average", countOutside: false },
  { op: "average", countOutside: true },
];
const two: Window = { size: [2, 2], strides: [2, 2], dilations: [1, 1], pads: [0, 0] };
const seen = hardWindows.filter(
  ([name]) => name !== "outputs that see only zeros" && name !== "2 x 4, pads of four kinds",
);

export const cases: readonly KernelCase[] = [
  ...kinds.flatMap((kind) => [
    ...seen.map(([name, window, sides]) => pool(name, kind, { sides, channels: 6, window })),
    pool("2 x 4, pads of four kinds", kind, {
      ...{ channels: 6, window: { ...two, strides: [1, 1], size: [2, 4], pads: [0, 1], after: [1, 3] } },
    }),
    ...count(1, 9).map((channels) => pool(`${channels} channels`, kind, { channels, images: 2, window: two })),
    ...count(1, 5).map((width) => pool(`width ${width}`, kind, { sides: [4, 2 * width], channels: 4, window: two })),
    pool("of all pixels", kind, { sides: [5, 6], channels: 8, images: 2, window: { ...two, size: [5, 6] } }),
  ]),
  pool(
    "benchmark",
    kinds[0]!,
    { sides: [56, 56], channels: 64, window: { ...two, size: [3, 3] } },
    { benchmark: true },
  ),
];
