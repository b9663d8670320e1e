// Test shapes of the resize family.
import type { ResizeAxis, ResizeSpec } from "../../plan/types.ts";
import { count, type KernelCase, layerCase } from "../case.ts";
import { pointwiseWindow } from "../layer.ts";

/** As many pixels as `taps` around the place that a pixel comes from, cut at the ends; weights that differ. */
function axis(input: number, output: number, taps: number): ResizeAxis {
  const from: number[] = [];
  const weights: number[] = [];
  for (let o = 0; o < output; o++) {
    const start = Math.floor((o * input) / output) - ((taps - 1) >> 1);
    for (let tap = 0; tap < taps; tap++) {
      from.push(Math.min(input - 1, Math.max(0, start + tap)));
      weights.push(taps === 1 ? 1 : ((o + 2 * tap) % 5) / 4 - 0.25);
    }
  }
  return { from, weights };
}

interface Shape {
  x: readonly number[];
  to: readonly [height: number, width: number];
  taps: number | [down: number, across: number];
}

function resize(name: string, { x, to, taps }: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const y = [x[0]!, ...to, x[3]!];
  const [down, across] = typeof taps === "number" ? [taps, taps] : taps;
  const kernel: ResizeSpec = {
    ...{ family: "resize", ...pointwiseWindow, whole: true, taps: [down, across] },
    ...{ rows: axis(x[1]!, to[0], down), columns: axis(x[2]!, to[1], across) },
  };
  return layerCase(
    `${down} x ${across} taps, ${name}`,
    kernel,
    { x, y },
    { grid: { images: 1, extent: x[0]! * to[0] }, ...more },
  );
}

export const cases: readonly KernelCase[] = [
  ...[1, 2, 4].flatMap((taps) => [
    ...count(1, 9).map((channels) => resize(`${channels} channels`, { x: [1, 4, 5, channels], to: [7, 8], taps })),
    resize("two images", { x: [2, 3, 4, 6], to: [6, 8], taps }),
    resize("smaller", { x: [1, 9, 11, 8], to: [4, 3], taps }),
    resize("from one pixel", { x: [1, 1, 1, 5], to: [3, 4], taps }),
  ]),
  ...[1, 2, 3, 6, 17].flatMap((taps) => [
    resize("rows", { x: [2, 9, 3, 6], to: [5, 3], taps: [taps, 1] }),
    resize("columns", { x: [2, 3, 9, 6], to: [3, 5], taps: [1, taps] }),
  ]),
  resize("benchmark", { x: [1, 28, 28, 64], to: [56, 56], taps: 2 }, { benchmark: true }),
];
