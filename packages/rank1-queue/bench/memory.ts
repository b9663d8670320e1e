// How anonymous memory of a worker and its processes grows over thousands of jobs:
//   node packages/rank1-queue/bench/memory.ts --jobs 10000
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { tinyPictures } from "../../../test/cli/batch.ts";
import { queue, start } from "../test/run.ts";
import { kinds } from "../test/servers.ts";
import { load, option, temporaryFolder } from "./common.ts";

const jobs = option("jobs", 10_000);
const folder = temporaryFolder();
await tinyPictures(join(folder, "in"), jobs);

/** A process and those that it has started. */
const family = (pid: number): number[] =>
  globSync(`/proc/${pid}/task/*/children`).flatMap((file) => readFileSync(file, "utf8").split(" ").filter(Boolean).flatMap((child) => family(Number(child)))).concat(pid); // biome-ignore format: a line

/** Anonymous memory in MB. */
function anonymous(pids: number[]): number {
  const sizes = pids.map((pid) => {
    try {
      return Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
    } catch {
      return 0; // has ended
    }
  });
  return sizes.reduce((sum, size) => sum + size, 0) / 1024;
}

const [redis] = kinds;
const server = await redis!.open(join(folder, "server"));
const env = { RANK1_QUEUE_SERVER: server.address };
await queue(["submit", "filter", join(folder, "in"), "-o", `${join(folder, "out")}/`, "-f", "gaussian:sigma=1.5"], { env }); // biome-ignore format: a line
const { child, result } = start(["work", "--until-empty"], { env, preload: process.env.RANK1_BENCH_NODE });
let over = false;
void result.then(() => {
  over = true;
});
const samples: [done: number, memory: number][] = [];
for (let next = 0; !over; await wait(200)) {
  const done = globSync(join(folder, "out/.rank1/journal-*.jsonl")).map((file) => readFileSync(file, "utf8").split("\n").length - 1).reduce((a, b) => a + b, 0); // biome-ignore format: a line
  if (done < next || over) continue;
  const memory = anonymous(family(child.pid!));
  if (memory === 0) continue;
  samples.push([done, memory]);
  const each = family(child.pid!).map((pid) => anonymous([pid]).toFixed(0));
  console.log(`${done} jobs: ${memory.toFixed(0)} MB (${each.join(", ")}; ${load()})`);
  next = done + 500;
}
await server.stop("SIGKILL");
// The least of a thousand jobs: what a collection of garbage leaves.
const least = (from: number, to: number): number => Math.min(...samples.filter(([done]) => done >= from && done <= to).map(([, memory]) => memory)); // biome-ignore format: a line
const growth = (least(jobs - 1500, jobs) - least(1000, 2500)) / ((jobs - 2500) / 1000);
console.log(`growth after the first thousand: ${growth.toFixed(2)} MB a thousand jobs`);
process.exitCode = growth <= 1 ? 0 : 1;
