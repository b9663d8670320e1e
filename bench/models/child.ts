// A rival's process in the contest of models: see ../serve.ts.
import { readFileSync } from "node:fs";
import { serve } from "../serve.ts";
import { feedsOf, type ModelCase, pathOf } from "./cases.ts";
import { entrants } from "./rivals/list.ts";
import { jobOf, type ModelResult } from "./rivals/rival.ts";

await serve<ModelCase, ModelResult>(async (name, threads) => {
  const { version, open } = await entrants.find((entrant) => entrant.name === name)!.start(threads);
  return {
    version,
    prepare: async (problem) => jobOf(await open(readFileSync(pathOf(problem))), feedsOf(problem)),
  };
});
