// The WGSL of the running-sum family: an element a unit, each sum on its own.
import type { RunningSumSpec } from "../../plan/types.ts";
import { elementsOf, type Operand, partsOf, rowOf, type Shader, wordType } from "../shader.ts";
import { missingTypes, stored } from "../taps/wgsl.ts";

export const runningSum: Shader<RunningSumSpec> = {
  missing: (_spec, { reads, write }) => missingTypes([...reads, write], "i32"),
  dispatches({ axis, length }, { reads, write }) {
    const [x] = reads as [Operand];
    const body = `${partsOf("u", ["i", "p.elements"], ["row"])}
  var sum = 0;
  for (var k = 0; k < p.length; k++) { sum += i32(x0[row * p.pitch + i + k * p.step]); }
  y[u] = ${stored(write, "sum")};`;
    return [
      {
        module: { body },
        arrays: { x0: wordType(x.spec.dtype)!, y: wordType(write.spec.dtype)! },
        words: { elements: rowOf(write), pitch: rowOf(x), length, step: axis === "column" ? rowOf(x) : x.channels },
        units: elementsOf(write),
      },
    ];
  },
};
