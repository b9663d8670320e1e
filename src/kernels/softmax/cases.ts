// Test shapes of the softmax family.
import type { SoftmaxSpec } from "../../plan/types.ts";
import { count, type KernelCase, layerCase } from "../case.ts";
import { pointwiseWindow } from "../layer.ts";

function softmax(log: boolean, x: readonly number[], more: Partial<KernelCase> = {}): KernelCase {
  const kernel: SoftmaxSpec = { family: "softmax", ...pointwiseWindow, channels: x[3]!, log };
  return layerCase(`${log ? "logarithm" : "softmax"} of ${x}`, kernel, { x, y: x }, more);
}

export const cases: readonly KernelCase[] = [
  ...[false, true].flatMap((log) => [
    ...count(1, 17).map((channels) => softmax(log, [1, 3, 4, channels])),
    softmax(log, [2, 3, 1, 100]),
    softmax(log, [1, 1, 37, 2]),
  ]),
  { ...softmax(false, [1, 56, 56, 64]), name: "benchmark", benchmark: true },
];
