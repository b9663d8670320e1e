// A queue of pictures under faults: workers are killed at random, and the server is restarted; what came of it.
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { contents, preload } from "../../../test/cli/batch.ts";
import { type RunOptions, type Started, start } from "./run.ts";
import type { TestServer } from "./servers.ts";

export interface Faults {
  server: TestServer;
  /** For the list of what was read. */
  folder: string;
  /** The folder of pictures: others that are read are results, which a job finds there when it is done again. */
  inputs: string;
  /** Each with two jobs at once. */
  workers: number;
  /** Of each worker. */
  kills: number;
  /** The server is restarted in the middle. */
  restart: boolean;
  /** Milliseconds that reading a picture takes. */
  slow: number;
  lock: number;
  options?: RunOptions;
}

export interface Report {
  /** How often a worker was killed. */
  kills: number;
  restarts: number;
  /** Jobs that one worker has at once. */
  concurrency: number;
  /** How often a picture was read. */
  reads: number;
  /** Exit codes of the workers that were not killed. */
  codes: (number | null)[];
  stderr: string;
  seconds: number;
}

/** Lets workers do what is in the queue. */
export async function workUnderFaults(faults: Faults): Promise<Report> {
  const { server, folder, inputs, workers, kills, slow, lock, options } = faults;
  const read = join(folder, "read.txt");
  writeFileSync(read, "");
  const env = {
    ...options?.env,
    RANK1_QUEUE_SERVER: server.address,
    RANK1_TEST_READ: read,
    RANK1_TEST_SLOW: `${slow}`,
  };
  const begun = performance.now();
  const working = (): Started =>
    start(["work", "--processes", "1", "--until-empty", "--lock", `${lock}`], { ...options, env, preload: preload("slow.ts") }); // biome-ignore format: a line
  const reads = (): number =>
    readFileSync(read, "utf8")
      .split("\n")
      .filter((line) => line.startsWith(inputs)).length;
  /** Waits until so many pictures have been read. */
  const after = async (count: number): Promise<undefined> => {
    for (const end = Date.now() + 30_000; reads() < count && Date.now() < end; ) await wait(20);
  };
  let [killed, restarts] = [0, 0];
  const one = async (): Promise<Awaited<Started["result"]>> => {
    for (let left = kills; left > 0; left--) {
      const { child, result } = working();
      const ended = await Promise.race([result, after(reads() + 5 + 40 * Math.random())]);
      if (ended?.code === 0) return ended; // all is done
      if (!ended) killed++;
      child.kill("SIGKILL");
      await result;
    }
    // Where the server is away it ends with code 1: whoever supervises it starts it again.
    for (;;) {
      const ended = await working().result;
      if (ended.code !== 1 || !/expected a server that answers/.test(ended.stderr)) return ended;
    }
  };
  const all = Promise.all(Array.from({ length: workers }, one));
  if (faults.restart) {
    await after(60 + 40 * Math.random());
    await server.stop();
    await wait(500);
    await server.start();
    restarts++;
  }
  const results = await all;
  const stderr = results.map((result) => result.stderr).join("");
  const seconds = (performance.now() - begun) / 1000;
  return {
    kills: killed,
    restarts,
    concurrency: 2,
    reads: reads(),
    codes: results.map(({ code }) => code),
    stderr,
    seconds,
  };
}

/** What is wrong with a folder of results: with its files, and with what its journal says of them. */
export function problemsOf(folder: string, whole: Record<string, string>): string[] {
  const problems: string[] = [];
  const found = contents(folder);
  for (const name of Object.keys(whole)) if (!(name in found)) problems.push(`${name} is missing`);
  for (const [name, bytes] of Object.entries(found))
    if (!/\/\.[^/]*\.tmp$/.test(name) && whole[name] !== bytes) problems.push(`${name} is another`);
  const named = new Set<string>();
  for (const file of globSync("journal-*.jsonl", { cwd: join(folder, ".rank1") })) {
    for (const line of readFileSync(join(folder, ".rank1", file), "utf8").split("\n")) {
      if (!line.endsWith("}}")) continue; // cut off by a kill
      const { name, outputs } = JSON.parse(line) as { name: string; outputs: Record<string, number> };
      named.add(name);
      for (const [output, bytes] of Object.entries(outputs)) {
        const path = join(folder, output);
        if (!existsSync(path) || statSync(path).size !== bytes)
          problems.push(`the journal says what is not: ${output}`);
      }
    }
  }
  for (const name of Object.keys(whole)) if (!named.has(name)) problems.push(`the journal does not know ${name}`);
  return problems;
}
