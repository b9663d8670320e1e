// The WGSL of the reduce family: an element of the result a unit. Sums are formed in blocks, so that rounding does not pile up.
import { f32Literal } from "../../codegen/wgsl.ts";
import type { ReduceSpec } from "../../plan/types.ts";
import { imageStep, rowStep } from "../layer-shader.ts";
import { type Operand, partsOf, type Shader } from "../shader.ts";
import { functionsFor } from "../shader-functions.ts";
import { starts } from "./wasm.ts";

const folds: Readonly<Record<ReduceSpec["op"], (a: string, b: string) => string>> = {
  sum: (a, b) => `${a} + ${b}`,
  product: (a, b) => `${a} * ${b}`,
  max: (a, b) => `larger(vec4f(${a}), vec4f(${b})).x`,
  min: (a, b) => `smaller(vec4f(${a}), vec4f(${b})).x`,
};
const maps: Readonly<Record<ReduceSpec["map"], string>> = {
  ...{ none: "x", abs: "abs(x)", square: "x * x" },
  exp: "exponential(vec4f(x)).x",
};
const block = 64;

export const reduce: Shader<ReduceSpec> = {
  dispatches(spec, step) {
    const { over, channels, height, size, strides } = spec;
    const [x, centre] = step.reads as [Operand, Operand | undefined];
    const { write, turns, images } = step;
    const [manyPixels, manyChannels] = [over === "pixels" || over === "row", over === "channels" || over === "row"];
    const fold = folds[spec.op];
    const start = f32Literal(starts[spec.op]);
    const body = `${partsOf("u", ["c", "p.channels"], ["pixel", "p.pixels"], ["row", "p.turns"], ["image"])}
  let to = ((image * p.yRows + row) * p.pixels + pixel) * p.channels + c;
${manyChannels ? "  if (c > 0) { y[to] = 0.0; return; }" : ""}
  let less = ${centre ? "x1[image * p.centreImage + row * p.centreRow + pixel * p.centrePixel + c]" : "0.0"};
  let lines = ${over === "rows" ? "min(p.size, p.height - row * p.stride)" : "1"};
  let across = ${manyChannels ? "p.xChannels" : "1"};
  let count = lines * ${manyPixels ? "p.xPixels" : "1"} * across;
  var total = ${start};
  for (var begin = 0; begin < count; begin += ${block}) {
    var part = ${start};
    for (var i = begin; i < min(begin + ${block}, count); i++) {
      let channel = ${manyChannels ? "i % across" : "c"};
      let column = ${manyPixels ? "i / across % p.xPixels" : "pixel"};
      let line = ${over === "rows" ? `row * p.stride + i / (across * ${manyPixels ? "p.xPixels" : "1"})` : "row"};
      let x = x0[image * p.xImage + line * p.xRow + column * p.xPixel + channel] - less;
      part = ${fold("part", maps[spec.map])};
    }
    total = ${fold("total", "part")};
  }
  y[to] = total * bitcast<f32>(p.scale);`;
    return [
      {
        module: { body, functions: functionsFor(body) },
        arrays: { x0: "f32", ...(centre && ({ x1: "f32" } as const)), y: "f32" },
        words: {
          ...{ channels: write.channels, pixels: write.pixels, turns, yRows: write.rows },
          ...{ size: size[0], stride: strides[0], height, xChannels: channels, xPixels: x.pixels },
          ...{ xImage: 4 * imageStep(x), xRow: 4 * rowStep(x), xPixel: x.channels },
          centreImage: centre ? 4 * imageStep(centre) : 0,
          centreRow: centre ? 4 * rowStep(centre) : 0,
          centrePixel: centre?.channels ?? 0,
          scale: new Int32Array(Float32Array.of(spec.scale).buffer)[0]!,
        },
        units: write.channels * write.pixels * turns * images,
      },
    ];
  },
};
