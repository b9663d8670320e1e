// The WGSL of the resize family: four channels of a pixel a unit. Places and weights stand in the table: of each row, then of each column.
import type { ResizeAxis, ResizeSpec } from "../../plan/types.ts";
import { imageStep, place, quadsOf } from "../layer-shader.ts";
import type { Operand, Shader } from "../shader.ts";

/** Of each result: all places, then all weights. */
function entries({ from, weights }: ResizeAxis, taps: number): Int32Array {
  const words = new Int32Array(2 * from.length);
  const floats = new Float32Array(words.buffer);
  for (let i = 0; i < from.length; i++) {
    const at = 2 * (i - (i % taps)) + (i % taps);
    words[at] = from[i]!;
    floats[at + taps] = weights[i]!;
  }
  return words;
}

export const resize: Shader<ResizeSpec> = {
  dispatches({ taps: [down, across], rows, columns }, { reads, write }) {
    const [x] = reads as [Operand];
    const [ys, xs] = [entries(rows, down), entries(columns, across)];
    const table = new Int32Array(ys.length + xs.length);
    table.set(ys);
    table.set(xs, ys.length);
    const quads = quadsOf(write);
    const body = `${place(1)}
  let down = row * ${2 * down};
  let right = p.columns + first * ${2 * across};
  var total = vec4f(0.0);
  for (var i = 0; i < ${down}; i++) {
    let line = image * p.xImage + t[down + i] * p.width * p.quads;
    var along = vec4f(0.0);
    for (var j = 0; j < ${across}; j++) {
      let pixel = x0[line + t[right + j] * p.quads + q];
      along += ${across === 1 ? "pixel" : `bitcast<f32>(t[right + ${across} + j]) * pixel`};
    }
    total += ${down === 1 ? "along" : `bitcast<f32>(t[down + ${down} + i]) * along`};
  }
  y[((image * p.turns + row) * p.pixels + first) * p.quads + q] = total;`;
    return [
      {
        module: { body },
        arrays: { x0: "vec4f", t: "i32", y: "vec4f" },
        words: {
          ...{ quads, tiles: write.pixels, turns: write.rows, pixels: write.pixels },
          ...{ columns: ys.length, width: x.pixels, xImage: imageStep(x) },
        },
        units: quads * write.pixels * write.rows * write.images,
        table,
      },
    ];
  },
};
