// The WGSL of the softmax family: a pixel a unit.
import type { SoftmaxSpec } from "../../plan/types.ts";
import { imageStep, place, quadsOf, rowStep } from "../layer-shader.ts";
import type { Operand, Shader } from "../shader.ts";
import { functionsFor } from "../shader-functions.ts";

export const softmax: Shader<SoftmaxSpec> = {
  dispatches({ channels, log }, step) {
    const [x] = step.reads as [Operand];
    const { write, turns, images } = step;
    const inLast = ((channels - 1) % 4) + 1;
    const body = `${place(1)}
  let start = image * p.xImage + row * p.xRow + first * p.xQuads;
  let to = ((image * p.yRows + row) * p.pixels + first) * p.yQuads;
  let last = (p.channels - 1) / 4;
  let present = vec4<bool>(${[0, 1, 2, 3].map((i) => i < inLast).join(", ")});
  var most = x0[start].x;
  for (var c = 0; c <= last; c++) {
    let v = select(vec4f(most), x0[start + c], present | vec4<bool>(c < last));
    most = max(most, max(max(v.x, v.y), max(v.z, v.w)));
  }
  var sums = vec4f(0.0);
  for (var c = 0; c <= last; c++) {
    let e = exponential(x0[start + c] - most);
    sums += select(vec4f(0.0), e, present | vec4<bool>(c < last));
  }
  let total = dot(sums, vec4f(1.0));
${log ? "  let less = logarithm(vec4f(total)).x;" : ""}
  for (var c = 0; c < p.yQuads; c++) {
    let d = x0[start + min(c, last)] - most;
    let value = ${log ? "d - less" : "exponential(d) / total"};
    y[to + c] = select(vec4f(0.0), value, (present | vec4<bool>(c < last)) & vec4<bool>(c <= last));
  }`;
    return [
      {
        module: { body, functions: functionsFor(body) },
        arrays: { x0: "vec4f", y: "vec4f" },
        words: {
          ...{ quads: 1, tiles: write.pixels, turns, pixels: write.pixels, channels },
          ...{ xImage: imageStep(x), xRow: rowStep(x), xQuads: quadsOf(x), yRows: write.rows, yQuads: quadsOf(write) },
        },
        units: write.pixels * turns * images,
      },
    ];
  },
};
