// Thousands of pictures through the queue, while each worker is killed several times and the server is restarted; the same by shards:
//   node packages/rank1-queue/bench/faults.ts --pictures 2000 --workers 4 --kills 5
// Exit code 1 where something is missing, another, or was done more often than kills explain.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { contents, tinyPictures } from "../../../test/cli/batch.ts";
import { problemsOf, workUnderFaults } from "../test/faults.ts";
import { queue } from "../test/run.ts";
import { kinds } from "../test/servers.ts";
import { load, option, rank1, temporaryFolder } from "./common.ts";

const [pictures, workers, kills] = [option("pictures", 2000), option("workers", 4), option("kills", 5)];
const folder = temporaryFolder();
const inputs = join(folder, "in");
const recipe = ["-f", "gaussian:sigma=1.5"];
const filter = (out: string, ...more: string[]): string[] => ["filter", inputs, "-o", `${join(folder, out)}/`, ...recipe, ...more]; // biome-ignore format: a line
await tinyPictures(inputs, pictures);
await rank1(...filter("whole", "--quiet"));
const whole = contents(join(folder, "whole"));

function judge(name: string, problems: string[], said: string): void {
  console.log(`${name}: ${said}; ${problems.length} problems (${load()})`);
  for (const problem of problems.slice(0, 10)) console.log(`  ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

for (const { name, missing, open } of kinds) {
  if (missing) console.log(`${name}: left out, ${missing}`);
  if (missing) continue;
  const server = await open(join(folder, name));
  const options = { env: { RANK1_QUEUE_SERVER: server.address } };
  const { stderr } = await queue(["submit", ...filter(`by-${name}`)], options);
  process.stdout.write(stderr);
  const report = await workUnderFaults({ server, folder, inputs, workers, kills, restart: true, slow: 20, lock: 10 });
  const again = report.reads - pictures;
  const most = (report.kills + report.restarts * workers) * report.concurrency;
  const problems = problemsOf(join(folder, `by-${name}`), whole);
  if (again > most) problems.push(`${again} were done again, more than ${most}`);
  const codes = report.codes.filter((code) => code !== 0);
  if (codes.length > 0) problems.push(`workers ended with ${codes.join(", ")}: ${report.stderr}`);
  const said = `${pictures} pictures, ${workers} workers, ${report.kills} kills, ${report.restarts} restart, ${again} of at most ${most} done again`;
  judge(name, problems, `${said}, ${report.seconds.toFixed(0)} s`);
  await server.stop("SIGKILL");
}

/** One part, killed now and then, and resumed. */
async function part(index: number): Promise<number> {
  const main = join(import.meta.dirname, "../../../src/cli/main.ts");
  const args = filter("by-shards", "--shard", `${index}/${workers}`, "--resume", "--workers", "1", "--quiet");
  for (let left = kills; ; left--) {
    const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    const ended = once(child, "exit");
    const first = left > 0 ? await Promise.race([ended, wait(1000 + 2000 * Math.random())]) : await ended;
    if (first) return kills - left;
    child.kill("SIGKILL");
    await ended;
    await wait(200); // its processes notice
  }
}
const killed = await Promise.all(Array.from({ length: workers }, (_, i) => part(i + 1)));
judge(
  "shards",
  problemsOf(join(folder, "by-shards"), whole),
  `${workers} parts, ${killed.reduce((a, b) => a + b)} kills`,
);
