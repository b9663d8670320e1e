// jax-js on its WebAssembly backend: NCHW, one compiled function a case. Its threads are a browser's workers, so in Node it
// has one.
import { type Array as JaxArray, defaultDevice, init, jit, lax, nn, numpy as np } from "@jax-js/jax";
import { timed, versionOf } from "../../rival.ts";
import { linksOf } from "../cases.ts";
import { onnxWeight, transposed } from "../data.ts";
import type { LayerRival } from "./rival.ts";

export async function jax(): Promise<LayerRival> {
  await init("wasm");
  defaultDevice("wasm");
  return {
    version: versionOf("@jax-js/jax"),
    async prepare(problem, { x, links }) {
      const { height, width, channels, residual } = problem;
      const { outHeight, outWidth, outputs } = linksOf(problem).at(-1)!;
      // Arrays count references: `.ref` keeps what is used again.
      const layer = jit((x: JaxArray, ...weights: JaxArray[]): JaxArray => {
        let y = residual ? x.ref : x;
        for (const [i, { stride, pads, kind, inputs, activation }] of links.entries()) {
          const [top, left, bottom, right] = pads;
          const options = { featureGroupCount: kind === "depthwise" ? inputs : 1 };
          const edges: [number, number][] = [
            [top, bottom],
            [left, right],
          ];
          const sum = lax
            .convGeneralDilated(y, weights[2 * i]!, [stride, stride], edges, options)
            .add(weights[2 * i + 1]!);
          y = activation === "none" ? sum : nn[activation](sum);
        }
        return residual ? y.add(x) : y;
      });
      const weights = links.flatMap((link) => [
        np
          .array(onnxWeight(link))
          .reshape([link.outputs, link.kind === "depthwise" ? 1 : link.inputs, link.size, link.size]),
        np.array(link.bias).reshape([1, link.outputs, 1, 1]),
      ]);
      const input = transposed(x, height * width, channels);
      let last = new Float32Array();
      const run = async (): Promise<void> => {
        const y = layer(np.array(input).reshape([1, channels, height, width]), ...weights.map(({ ref }) => ref));
        last = (await y.data()) as Float32Array<ArrayBuffer>;
      };
      return {
        run: () => timed(run),
        result: () => transposed(last, outputs, outHeight * outWidth),
        dispose() {
          for (const weight of weights) weight.dispose();
          layer.dispose();
        },
      };
    },
  };
}
