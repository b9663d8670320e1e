// From nothing to the first result, in a process of its own: `node fresh.ts <rival> <threads> <case as JSON> [<verdicts>]` prints
// milliseconds as JSON, the bytes by which the process has grown after further runs, 20 of them or as many as take a second, and what
// it learnt of wide kernels.
import { readFileSync } from "node:fs";
import { feedsOf, type ModelCase, pathOf } from "./cases.ts";
import { entrants } from "./rivals/list.ts";
import { jobOf } from "./rivals/rival.ts";

export interface Fresh {
  /** Milliseconds until the library is there; then until the model's first result is, and those of all its processors' work. */
  library: number;
  first: number;
  processor: number;
  /** Bytes of the peak over the state before the model was loaded. */
  growth: number;
  verdicts: Record<string, string>;
}

const [name, threads, problem, known = "{}"] = process.argv.slice(2);
const { start } = entrants.find((entrant) => entrant.name === name)!;
const chosen: ModelCase = JSON.parse(problem!);
const [file, feeds] = [readFileSync(pathOf(chosen)), feedsOf(chosen)];
const verdicts = JSON.parse(known);

const begun = performance.now();
const rival = await start(Number(threads), verdicts);
const loaded = performance.now();
const [before, processor] = [process.memoryUsage.rss(), process.cpuUsage()];
const job = jobOf(await rival.open(file), feeds);
await job.run();
const done = performance.now();
const { user, system } = process.cpuUsage(processor);
for (let i = 0; i < 20 && performance.now() < done + 1000; i++) await job.run();
const fresh: Fresh = {
  ...{ library: loaded - begun, first: done - loaded, processor: (user + system) / 1000 },
  ...{ growth: process.resourceUsage().maxRSS * 1024 - before, verdicts: rival.verdicts?.() ?? {} },
};
// What it started may keep it alive for ever.
process.stdout.write(JSON.stringify(fresh), () => process.exit());
