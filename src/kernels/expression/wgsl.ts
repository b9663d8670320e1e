// The WGSL of the expression family: all nodes of four channels of a pixel a unit.
import { f32Literal } from "../../codegen/wgsl.ts";
import type { ExpressionNode, ExpressionSpec } from "../../plan/types.ts";
import { imageStep, place, rowStep } from "../layer-shader.ts";
import type { Operand, Shader, WholeStep } from "../shader.ts";
import { functionsFor } from "../shader-functions.ts";

const bit = (condition: string): string => `select(vec4f(0.0), vec4f(1.0), ${condition})`;

type Formula = (a: string, b: string, c: string) => string;
const formulas: Partial<Record<ExpressionNode[0], Formula>> = {
  neg: (a) => `-${a}`,
  abs: (a) => `abs(${a})`,
  sqrt: (a) => `sqrt(${a})`,
  floor: (a) => `floor(${a})`,
  ceil: (a) => `ceil(${a})`,
  trunc: (a) => `trunc(${a})`,
  round: (a) => `round(${a})`,
  exp: (a) => `exponential(${a})`,
  log: (a) => `logarithm(${a})`,
  tanh: (a) => `tangent(${a})`,
  sigmoid: (a) => `logistic(${a})`,
  erf: (a) => `errorFunction(${a})`,
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  min: (a, b) => `smaller(${a}, ${b})`,
  max: (a, b) => `larger(${a}, ${b})`,
  less: (a, b) => bit(`${a} < ${b}`),
  lessEqual: (a, b) => bit(`${a} <= ${b}`),
  equal: (a, b) => bit(`${a} == ${b}`),
  where: (a, b, c) => `select(${b}, ${c}, ${a} == vec4f(0.0))`,
};

/** One element of an array of vectors. */
const element = (array: string, index: string): string => `${array}[(${index}) / 4][(${index}) % 4]`;

function operandOf({ operands }: ExpressionSpec, { reads }: WholeStep, index: number): string {
  const { pixels, channels } = operands[index]!;
  const at = `image * p.image${index} + row * p.row${index}${pixels ? ` + first * p.pixel${index}` : ""}`;
  const name = `x${index}`;
  if (channels) return reads[index]!.channels % 4 === 0 || !pixels ? `${name}[(${at}) / 4 + q]` : "";
  return `vec4f(${element(name, at)})`;
}

export const expression: Shader<ExpressionSpec> = {
  missing({ nodes, operands }, { reads }) {
    const unknown = nodes.find(([name]) => name !== "operand" && name !== "constant" && !formulas[name]);
    if (unknown) return `WGSL's ${unknown[0]} is not exact enough`;
    const odd = operands.some(({ pixels, channels }, i) => pixels && channels && reads[i]!.channels % 4 !== 0);
    return odd ? "an operand's pixels are no whole vectors" : undefined;
  },
  dispatches(spec, step) {
    const { reads, write, images, turns } = step;
    const rows = Math.min(write.rows, turns * (spec.rowsOut ?? 1));
    const quads = write.channels / 4;
    const lines = spec.nodes.map(([name, a, b, c], i) => {
      const value =
        name === "operand"
          ? operandOf(spec, step, a)
          : name === "constant"
            ? `vec4f(${f32Literal(spec.constants[a]!)})`
            : formulas[name]!(`v${a}`, `v${b}`, `v${c}`);
      return `  let v${i} = ${value};`;
    });
    const last = `v${spec.nodes.length - 1}`;
    const hasHoles = spec.channels < write.channels;
    const kept = hasHoles ? `select(vec4f(0.0), ${last}, vec4i(4 * q) + vec4i(0, 1, 2, 3) < vec4i(p.channels))` : last;
    const body = `${place(1)}
${lines.join("\n")}
  y[((image * p.yRows + row) * p.pixels + first) * p.quads + q] = ${kept};`;
    const used = new Set(spec.nodes.flatMap(([name, a]) => (name === "operand" ? [a] : [])));
    const strides = reads.flatMap((read: Operand, i) => [
      [`image${i}`, 4 * imageStep(read)],
      [`row${i}`, read.spec.scope === "constant" ? 0 : 4 * rowStep(read)],
      [`pixel${i}`, read.channels],
    ]);
    return [
      {
        module: { body, functions: functionsFor(body) },
        arrays: {
          ...Object.fromEntries([...used].map((i) => [`x${i}`, "vec4f" as const])),
          y: "vec4f",
        },
        words: {
          ...{
            quads,
            tiles: write.pixels,
            turns: rows,
            pixels: write.pixels,
            yRows: write.rows,
            channels: spec.channels,
          },
          ...Object.fromEntries(strides),
        },
        units: quads * write.pixels * rows * images,
      },
    ];
  },
};
