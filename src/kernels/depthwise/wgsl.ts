// The WGSL of the depthwise family: four channels of a few pixels a unit.
import type { DepthwiseSpec } from "../../plan/types.ts";
import {
  each,
  gridUnits,
  gridWords,
  overWindow,
  pixelsAt,
  place,
  quadsOf,
  storeTile,
  targetWords,
  tileOf,
  windowWords,
} from "../layer-shader.ts";
import type { Operand, Shader } from "../shader.ts";
import { activated, functionsFor } from "../shader-functions.ts";
import { depthwiseShape } from "./layout.ts";

export const depthwise: Shader<DepthwiseSpec> = {
  dispatches(spec, step) {
    const [x] = step.reads as [Operand];
    const pixels = pixelsAt(spec, step.write);
    const tile = tileOf(pixels);
    const grid = { quads: quadsOf(x) * spec.depthMultiplier, pixels, tile };
    const side = depthwiseShape(spec, x.channels).side / 4;
    const body = `${place(tile)}
  let w = q / p.side * (p.kh * p.kw + 1) * p.side + q % p.side;
  let start0 = q % p.depth;
${each(tile, (i) => `  var sum${i} = x1[w];`)}
${overWindow(
  tile,
  `      let tap = x1[w + (1 + ky * p.kw + kx) * p.side];
${each(tile, (i) => `      sum${i} += tap * select(vec4f(0.0), x0[from${i} + start0], in${i});`)}`,
)}
${each(tile, (i) => `  let value${i} = ${activated(spec.activation, `sum${i}`)};`)}
${storeTile(tile)}`;
    return [
      {
        module: { body, functions: functionsFor(body) },
        arrays: { x0: "vec4f", x1: "vec4f", y: "vec4f" },
        words: { ...gridWords(grid, step), ...windowWords(spec, x), ...targetWords(spec, step.write), side },
        units: gridUnits(grid, step),
      },
    ];
  },
};
