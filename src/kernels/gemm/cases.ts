// Test shapes of the product family. Numbers of any kind serve as packed factors.
import type { BufferSpec, GemmSpec } from "../../plan/types.ts";
import { count, type KernelCase } from "../case.ts";
import { pointwiseWindow } from "../layer.ts";
import { depth, tileRows } from "./wasm.ts";

type Shape = Pick<GemmSpec, "inner" | "aPanels" | "bPanels" | "columns" | "triangle">;

function product(name: string, shape: Shape, more: Partial<KernelCase> = {}): KernelCase {
  const { inner, aPanels, bPanels, columns, triangle } = shape;
  const kernel: GemmSpec = { family: "gemm", ...pointwiseWindow, strides: [0, 0], ...shape };
  const value = (id: string, width: number): BufferSpec => ({
    ...{ id, scope: "arena", dtype: "f64", width, channels: 1, stride: 1, above: 0, below: 0, height: 1, images: 1 },
  });
  const stride = bPanels * columns;
  return {
    name,
    grid: { images: 1, extent: aPanels },
    steps: [{ name: "product", kernel, reads: ["x", "b"], writes: "y" }],
    buffers: [
      value("x", inner * aPanels * tileRows),
      value("b", inner * bPanels * columns),
      value("y", aPanels * tileRows * bPanels * columns),
    ],
    ...(triangle && { counts: (i: number) => i % stride <= Math.floor(i / stride) }),
    ...more,
  };
}

export const cases: readonly KernelCase[] = [4, 8]
  .flatMap((columns) =>
    [false, true].flatMap((triangle) => {
      const name = (shape: string): string => `${shape}, panels of ${columns}${triangle ? ", lower triangle" : ""}`;
      const make = (shape: string, sides: Omit<Shape, "columns" | "triangle">, more?: Partial<KernelCase>) =>
        product(name(shape), { ...sides, columns, triangle }, more);
      return [
        ...count(1, 9).map((inner) => make(`${inner} products`, { inner, aPanels: 3, bPanels: 2 })),
        ...[depth - 1, depth, depth + 1, 2 * depth + 3].map((inner) =>
          make(`${inner} products`, { inner, aPanels: 2, bPanels: 3 }),
        ),
        ...count(1, 5).map((panels) => make(`${panels} panels`, { inner: 10, aPanels: panels, bPanels: 6 - panels })),
      ];
    }),
  )
  .concat(
    product("benchmark", { inner: 256, aPanels: 64, bPanels: 32, columns: 8, triangle: false }, { benchmark: true }),
  );
