// rank1 on a number of threads, in a process of its own, from its sources: see ../serve.ts. Prepared layers.
import { createEngine } from "../../src/index.ts";
import type { LayerCase } from "../layers/cases.ts";
import { preparedLayer } from "../layers/prepared.ts";
import { rank1Version } from "../rival.ts";
import { serve } from "../serve.ts";

await serve<LayerCase, Float32Array>(async (name, threads) => {
  const engine = await createEngine({ threads, wide: name === "rank1 wide", backend: "wasm" });
  return { version: rank1Version, prepare: (problem) => preparedLayer(engine, problem, true) };
});
