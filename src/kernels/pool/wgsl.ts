// The WGSL of the pool family: four channels of a pixel a unit.

import { f32Literal } from "../../codegen/wgsl.ts";
import type { PoolSpec } from "../../plan/types.ts";
import {
  gridUnits,
  gridWords,
  overWindow,
  place,
  quadsOf,
  storeTile,
  targetWords,
  windowWords,
} from "../layer-shader.ts";
import type { Operand, Shader } from "../shader.ts";
import { functionsFor } from "../shader-functions.ts";

export const pool: Shader<PoolSpec> = {
  dispatches(spec, step) {
    const [x] = step.reads as [Operand];
    const isMax = spec.op === "max";
    const grid = { quads: quadsOf(step.write), pixels: step.write.pixels, tile: 1 };
    const divisor = spec.countOutside ? "f32(p.kh * p.kw)" : "f32(count)";
    const taken = isMax ? "total = larger(total, x0[from0 + q]);" : "total += x0[from0 + q];";
    const body = `${place(1)}
  var total = vec4f(${isMax ? f32Literal(-Infinity) : "0.0"});
  var count = 0;
${overWindow(1, `      if (in0) { ${taken} count++; }`)}
  let value0 = ${isMax ? "total" : `total / ${divisor}`};
${storeTile(1)}`;
    return [
      {
        module: { body, functions: functionsFor(body) },
        arrays: { x0: "vec4f", y: "vec4f" },
        words: {
          ...gridWords(grid, step),
          ...{ ...windowWords(spec, x), height: spec.height, width: spec.width },
          ...targetWords(spec, step.write),
        },
        units: gridUnits(grid, step),
      },
    ];
  },
};
