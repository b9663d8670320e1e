// Inputs that come in while the first stage runs: later stages that read them must wait for all of their rows.
import { describe, expect, test } from "vitest";
import { inputSpecs } from "../../src/graph/infer.ts";
import { GraphProgram } from "../../src/graph/program.ts";
import type { Value } from "../../src/graph/types.ts";
import { createEngine } from "../../src/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { floats, graphOf, node } from "./graphs.ts";

describe.each([
  // The first phase of results sees no row of the input.
  [
    "a transposed convolution of one tap",
    [node("ConvTranspose", ["x", "w"], ["y"], { strides: [2, 2], pads: [1, 0, 0, 0], output_padding: [1, 1] })],
  ],
  // The first stage reads every third row, and not the last ones.
  [
    "two convolutions of one input",
    [node("Conv", ["x", "w"], ["a"], { strides: [3, 3] }), node("Conv", ["x", "w"], ["y"])],
  ],
])("%s", (_, nodes) => {
  test("reads what this run was given, on two and three threads", async () => {
    const outputs = nodes.flatMap((one) => one.outputs);
    const graph = graphOf({ x: [1, 16, 64, 64] }, nodes, outputs, { w: { ...floats([16, 16, 1, 1]), data: new Float32Array(256).fill(1) } }); // biome-ignore format: a line
    for (const threads of [2, 3]) {
      const engine = await createEngine({ threads, backend: "wasm" });
      const program = await GraphProgram.create(graph, operators, inputSpecs(graph), engine);
      for (let i = 1; i <= 40; i++) {
        const x: Value = { dtype: "f32", shape: [1, 16, 64, 64], data: new Float32Array(16 * 64 * 64).fill(i) };
        const found = await program.run(new Map([["x", x]]));
        // Each sum has all channels of one pixel, or none.
        for (const name of outputs) {
          const data = found[name]!.data as Float32Array;
          expect(data.every((value) => value === 16 * i || value === 0)).toBe(true);
          // The pad cuts a row of pixels off.
          const some = nodes[0]!.op === "ConvTranspose" ? 16 * 63 * 64 : data.length;
          expect(data.filter((value) => value !== 0).length).toBe(some);
        }
      }
      engine.dispose();
    }
  });
});
