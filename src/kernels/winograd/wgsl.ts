// The WGSL of the winograd family: a tile of four channels a unit.
import type { WinogradSpec } from "../../plan/types.ts";
import { gridUnits, gridWords, imageStep, place, quadsOf, rowStep, targetWords, windowWords } from "../layer-shader.ts";
import type { Operand, Shader } from "../shader.ts";
import { activated, functionsFor } from "../shader-functions.ts";

const range = (count: number): number[] => [...Array(count).keys()];
/** Four in a line before the products, and two after them. */
const before = (at: (i: number) => string): string[] => [
  `${at(0)} - ${at(2)}`,
  `${at(1)} + ${at(2)}`,
  `${at(2)} - ${at(1)}`,
  `${at(1)} - ${at(3)}`,
];
const after = (at: (i: number) => string): string[] => [
  `${at(0)} + ${at(1)} + ${at(2)}`,
  `${at(1)} - ${at(2)} - ${at(3)}`,
];
const both = (line: typeof before, sides: number): string =>
  [
    ...range(4).flatMap((i) => line((j) => `a${i}${j}`).map((sum, j) => `  let b${i}${j} = ${sum};`)),
    ...range(sides).flatMap((j) => line((i) => `b${i}${j}`).map((sum, i) => `  let c${i}${j} = ${sum};`)),
  ].join("\n");

const inputBody = `${place(1)}
${range(4)
  .map(
    (i) => `  let line${i} = row * 2 + ${i} - p.padY;
${range(4)
  .map(
    (j) => `  let column${i}${j} = first * 2 + ${j} - p.padX;
  let in${i}${j} = line${i} >= 0 && line${i} < p.height && column${i}${j} >= 0 && column${i}${j} < p.width;
  let a${i}${j} = select(vec4f(0.0), x0[image * p.xImage + select(0, line${i} * p.width + column${i}${j}, in${i}${j}) * p.depth + q], in${i}${j});`,
  )
  .join("\n")}`,
  )
  .join("\n")}
${both(before, 4)}
  let to = ((image * p.yRows + row) * p.pixels + first) * 16 * p.quads + q;
${range(16)
  .map((i) => `  y[to + ${i} * p.quads] = c${i >> 2}${i & 3};`)
  .join("\n")}`;

const outputBody = ({ activation, residual }: WinogradSpec): string => `${place(1)}
  let start = ((image * p.height + row) * p.width + first) * 16 * p.quads + q;
${range(16)
  .map((i) => `  let a${i >> 2}${i & 3} = x0[start + ${i} * p.quads];`)
  .join("\n")}
${both(after, 2)}
${range(4)
  .map((n) => {
    const [i, j] = [n >> 1, n & 1];
    const place = `let line${n} = 2 * row + ${i}; let column${n} = 2 * first + ${j};`;
    const added = residual ? ` + x1[image * p.addImage + line${n} * p.addRow + column${n} * p.addPixel + q]` : "";
    return `  { ${place}
    if (line${n} < p.yRows && column${n} < p.yPixels) {
      let sum = c${i}${j}${added};
      y[((image * p.yRows + line${n}) * p.yPixels + column${n}) * p.yQuads + q] = ${activated(activation, "sum")};
    }
  }`;
  })
  .join("\n")}`;

export const winograd: Shader<WinogradSpec> = {
  dispatches(spec, step) {
    const [x, added] = step.reads as [Operand, Operand | undefined];
    const { write } = step;
    const isInput = spec.part === "input";
    const quads = isInput ? quadsOf(x) : quadsOf(write);
    const grid = { quads, pixels: isInput ? write.pixels : x.pixels, tile: 1 };
    const body = isInput ? inputBody : outputBody(spec);
    return [
      {
        module: { body, functions: functionsFor(body) },
        arrays: { x0: "vec4f", ...(spec.residual && ({ x1: "vec4f" } as const)), y: "vec4f" },
        words: {
          ...gridWords(grid, step),
          ...windowWords(spec, x),
          ...targetWords(spec, write),
          addImage: added ? imageStep(added) : 0,
          addRow: added ? rowStep(added) : 0,
          addPixel: added ? quadsOf(added) : 0,
        },
        units: gridUnits(grid, step),
      },
    ];
  },
};
