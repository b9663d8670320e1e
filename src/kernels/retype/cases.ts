// Test shapes of the retype family: to integers of 16 bits and back.
import { count, type KernelCase, layerCase } from "../case.ts";
import { arena, pointwiseWindow, sidesOf, stripOf } from "../layer.ts";

function retype(name: string, shape: readonly [number, number, number, number], more: Partial<KernelCase> = {}) {
  const kernel = { family: "retype", ...pointwiseWindow } as const;
  const whole = layerCase(name, kernel, { x: shape, y: shape }, { integers: 32767, ...more });
  const sides = sidesOf(shape);
  return {
    ...whole,
    steps: [
      { name: "to integers", kernel, reads: ["x"], writes: "integers" },
      { name: "back", kernel, reads: ["integers"], writes: "y" },
    ],
    buffers: [arena("x", sides), { ...stripOf("integers", sides), dtype: "i16" as const }, arena("y", sides)],
  };
}

export const cases: readonly KernelCase[] = [
  ...count(1, 17).map((channels) => retype(`${channels} channels`, [2, 3, 5, channels])),
  ...count(1, 5).map((width) => retype(`width ${width}`, [1, 3, width, 4])),
  retype("benchmark", [1, 56, 56, 64], { benchmark: true }),
];
