// Test shapes of the sample family.
import type { SampleSpec, Sampling } from "../../plan/types.ts";
import { count, type KernelCase, layerCase } from "../case.ts";
import { arena, pointwiseWindow, sidesOf } from "../layer.ts";

type Shape = Partial<Sampling> & { x: readonly number[]; to: readonly [height: number, width: number] };

function sample(name: string, { x, to, ...of }: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const sampling: Sampling = { mode: "linear", padding: "zeros", corners: false, ...of };
  const kernel: SampleSpec = { family: "sample", ...pointwiseWindow, whole: true, ...sampling };
  const grid = arena("grid", sidesOf([x[0]!, ...to, 2]));
  return layerCase(
    `${sampling.mode}, ${sampling.padding}${sampling.corners ? ", corners" : ""}: ${name}`,
    kernel,
    { x, y: [x[0]!, ...to, x[3]!], others: [grid] },
    { grid: { images: 1, extent: x[0]! * to[0] }, tensors: { grid: { channels: 2 } }, ...more },
  );
}

const modes = ["nearest", "linear", "cubic"] as const;
const all: readonly Sampling[] = modes.flatMap((mode) =>
  (["zeros", "border", "reflection"] as const).flatMap((padding) =>
    [false, true].map((corners) => ({ mode, padding, corners })),
  ),
);

export const cases: readonly KernelCase[] = [
  ...modes.flatMap((mode) => count(1, 9).map((c) => sample(`${c} channels`, { x: [1, 4, 5, c], to: [7, 8], mode }))),
  ...all.flatMap((of) => [
    sample("two images", { x: [2, 3, 5, 6], to: [5, 7], ...of }),
    // Places that are whole numbers lie far outside.
    sample("outside", { x: [2, 4, 3, 8], to: [4, 9], ...of }, { integers: 4 }),
    sample("one pixel", { x: [1, 1, 1, 5], to: [3, 4], ...of }, { integers: 3 }),
    sample("one column", { x: [1, 5, 1, 3], to: [4, 3], ...of }),
  ]),
  sample("benchmark", { x: [1, 56, 56, 64], to: [56, 56] }, { benchmark: true }),
];
