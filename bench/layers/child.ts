// A rival's process in the contest of layers: see ../serve.ts.
import { serve } from "../serve.ts";
import type { LayerCase } from "./cases.ts";
import { makeData } from "./data.ts";
import { entrants } from "./rivals/list.ts";

await serve<LayerCase, Float32Array>(async (name, threads) => {
  const { version, prepare } = await entrants.find((entrant) => entrant.name === name)!.start(threads);
  return { version, prepare: (problem) => prepare(problem, makeData(problem)) };
});
