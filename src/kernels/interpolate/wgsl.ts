// The WGSL of the interpolate family: an element of the result a unit.
import type { InterpolateSpec } from "../../plan/types.ts";
import { elementsOf, type Operand, partsOf, rowOf, type Shader, wordType } from "../shader.ts";
import { floatEnding, missingTypes, stored } from "../taps/wgsl.ts";

export const interpolate: Shader<InterpolateSpec> = {
  missing: (_spec, { reads, write }) => missingTypes([...reads, write], "f32"),
  dispatches({ axis, factor, finish }, { reads, write }) {
    const [x] = reads as [Operand];
    const ending = floatEnding(finish, write.spec.dtype);
    const places =
      axis === "row"
        ? `  let pixel = i / p.channels;
  let start = row * p.pitch + pixel / p.factor * p.channels + i % p.channels;
  let share = f32(pixel % p.factor) / f32(p.factor);
  let next = start + p.channels;`
        : `  let start = row / p.factor * p.pitch + i;
  let share = f32(row % p.factor) / f32(p.factor);
  let next = start + p.pitch;`;
    const body = `${partsOf("u", ["i", "p.elements"], ["row"])}
${places}
  let a = f32(x0[start]);
  let sum = a + (f32(x0[next]) - a) * share;
${ending.lines}
  y[u] = ${stored(write, "value")};`;
    return [
      {
        module: { body },
        arrays: { x0: wordType(x.spec.dtype)!, y: wordType(write.spec.dtype)! },
        words: { elements: rowOf(write), pitch: rowOf(x), channels: x.channels, factor, ...ending.words },
        units: elementsOf(write),
      },
    ];
  },
};
