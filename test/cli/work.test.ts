// rank1/batch: a command's work as plain data, planned here and done by processes that know nothing but what has been saved.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type BatchJob, BatchStopped, BatchUsageError, openBatch, planBatch } from "../../src/batch/index.ts";
import { encodePicture } from "../../src/node/encode.ts";
import { exampleModel } from "../../src/node/package.ts";
import { temporaryFolder } from "../node/folder.ts";
import { contents, preload, tinyPictures } from "./batch.ts";
import { rank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const recipe = ["-f", "gaussian:sigma=1.5"];
const filter = (out: string, ...more: string[]): string[] => ["filter", path("in"), "-o", `${path(out)}/`, ...recipe, ...more]; // biome-ignore format: a line
let whole: Record<string, string>;

beforeAll(async () => {
  await tinyPictures(path("in"), 12);
  await rank1(...filter("whole", "--quiet"));
  whole = contents(path("whole"));
});

/** As a queue hands jobs on. */
const sent = (job: BatchJob): BatchJob => JSON.parse(JSON.stringify(job));

async function work(args: string[]): Promise<(string | undefined)[]> {
  const { save, jobs } = await planBatch(args);
  const workers = await openBatch(await save(), { processes: 1 });
  try {
    return await Promise.all(jobs.map((job) => workers.run(sent(job))));
  } finally {
    await workers.close();
  }
}

test.each<[string[], RegExp]>([
  [[], /^command: expected filter or run, got none$/],
  [["factor", "sobel-x"], /^command: expected filter or run, got factor$/],
  [["filter", "in", "-o", "a.png", ...recipe], /^-o: expected a folder of results, .* got a\.png$/],
  [["filter", "in", ...recipe], /^-o: expected a folder of results, .* got none$/],
  [["filter", "in", "-o", "out/", "-f", "bx:3"], /did you mean "box"\?$/],
  [["filter", "in", "-o", "out/", "--such"], /^unknown option '--such'/],
  [["filter", "in", "-o", "out/", ...recipe, "--workers", "2"], /^--workers: expected an option of the work, got/],
  [["run", exampleModel.pathname, "--input", "x=a.npy", "-o", "out/"], /^inputs: expected files or addresses, got/],
])("%j is wrong usage", async (args, message) => {
  const error = await planBatch(args.map((word) => (word === "in" ? path("in") : word))).catch((thrown) => thrown);
  expect([error.constructor, error.message]).toEqual([BatchUsageError, expect.stringMatching(message)]);
});

test("plans, saves and does the work of the command, with its journal; --resume leaves out what is done", async () => {
  const plan = await planBatch(filter("out"));
  expect([plan.command, plan.folder, plan.jobs.length, plan.done]).toEqual(["filter", path("out"), 12, 0]);
  expect(await work(filter("out"))).toEqual(Array(12).fill(undefined));
  expect(contents(path("out"))).toEqual(whole);
  await expect(planBatch(filter("out"))).rejects.toThrow(/expected a name that is free, got a file; --force replaces/);
  const resumed = await planBatch(filter("out", "--resume"));
  expect([resumed.jobs, resumed.done]).toEqual([[], 12]);
  expect((await rank1(...filter("out", "--resume", "--workers", "1"))).stderr).toMatch(/^rank1: 0 pictures .* 12 were done before/); // biome-ignore format: a line
  rmSync(path("out/a/0.png"));
  expect(await work(filter("out", "--resume"))).toEqual([undefined]);
  expect(contents(path("out"))).toEqual(whole);
});

test("a job's hash is of the recipe, the input as it is, and the place of its results", async () => {
  const idsOf = async (args: string[]): Promise<string[]> => (await planBatch(args)).jobs.map(({ id }) => id);
  const ids = await idsOf(filter("ids"));
  expect(new Set(ids).size).toBe(12);
  expect(await idsOf(filter("ids", "--patience", "7"))).toEqual(ids);
  for (const other of [filter("elsewhere"), filter("ids", "--border", "edge"), filter("ids", "--grey")])
    expect((await idsOf(other)).filter((id) => ids.includes(id))).toEqual([]);
  writeFileSync(path("in/a/0.png"), readFileSync(path("in/a/0.png")));
  expect((await idsOf(filter("ids"))).filter((id) => !ids.includes(id)).length).toBeLessThanOrEqual(1);
});

test("masks and models come along", async () => {
  const data = Uint8Array.from({ length: 24 * 16 }, (_, i) => i % 251);
  writeFileSync(path("mask.png"), await encodePicture({ width: 24, height: 16, channels: 1, data, alpha: false }, "png")); // biome-ignore format: a line
  const masked = (out: string): string[] => filter(out, "--mask", path("mask.png"));
  expect(await work(masked("masked"))).toEqual(Array(12).fill(undefined));
  await rank1(...masked("plain"), "--quiet");
  expect(contents(path("masked"))).toEqual(contents(path("plain")));
  const run = (out: string): string[] => ["run", exampleModel.pathname, path("in/a"), "-o", `${path(out)}/`];
  expect(await work(run("scores"))).toEqual(Array(4).fill(undefined));
  await rank1(...run("plain-scores"), "--quiet");
  expect(contents(path("scores"))).toEqual(contents(path("plain-scores")));
});

test("a broken input fails with its reason, another's file is left alone", async () => {
  writeFileSync(path("broken.png"), "no picture");
  const args = ["filter", path("broken.png"), path("in/a/3.png"), "-o", `${path("mixed")}/`, ...recipe];
  const { save, jobs } = await planBatch(args);
  const workers = await openBatch(await save(), { processes: 1 });
  writeFileSync(path("mixed/broken.png"), "mine");
  const reasons = await Promise.all(jobs.map((job) => workers.run(sent(job))));
  await workers.close();
  expect(reasons).toEqual([expect.stringMatching(/broken\.png: expected an intact PNG/), undefined]);
  expect(readFileSync(path("mixed/broken.png"), "utf8")).toBe("mine");
});

test("jobs that no plan has made fail, and write nothing elsewhere", async () => {
  const { save, jobs } = await planBatch(["filter", path("in/a/3.png"), "-o", `${path("strays")}/`, ...recipe]);
  const workers = await openBatch(await save(), { processes: 1 });
  const job = sent(jobs[0]!);
  const strays = [
    ...[undefined, null, 5, {}, { ...job, input: 7 }, { ...job, name: "" }, { ...job, name: "../3.png" }],
    ...[
      { ...job, output: undefined },
      { ...job, output: path("elsewhere.png") },
      { ...job, output: path("strays") },
    ],
    ...[
      { ...job, output: path("strays/../elsewhere.png") },
      { ...job, output: "s3://a/b.png" },
    ],
    { ...job, output: path("strays-elsewhere.png") },
  ];
  for (const stray of strays)
    expect(await workers.run(stray as never)).toMatch(
      /(id|input|name|output): expected (text,|one below|a file in) .*, got /,
    );
  expect(await workers.run(job)).toBeUndefined();
  await workers.close();
  expect([Object.keys(contents(path("strays"))), existsSync(path("elsewhere.png"))]).toEqual([["3.png"], false]);
});

test("what concerns all jobs stops the work: a plan that is gone or another version's, a full disk, an abort", async () => {
  await expect(openBatch(path("gone.json"))).rejects.toThrow(BatchStopped);
  for (const text of ["null", "{", '{"version":1}', '{"version":1,"kind":"filter","folder":5}']) {
    writeFileSync(path("other.json"), text);
    await expect(openBatch(path("other.json"))).rejects.toThrow(/other\.json: expected what a plan has saved, got /);
  }
  const { save, jobs } = await planBatch(filter("stopped"));
  const saved = await save();
  writeFileSync(path("old.json"), readFileSync(saved, "utf8").replace(/"rank1":"[^"]*"/, '"rank1":"0.0.1"'));
  await expect(openBatch(path("old.json"))).rejects.toThrow(/expected the plan of rank1 .*, got one of 0\.0\.1; results may differ/); // biome-ignore format: a line
  const before = process.env.NODE_OPTIONS;
  Object.assign(process.env, { NODE_OPTIONS: preload("full-disk.ts"), RANK1_TEST_ROOM: "0" });
  const full = await openBatch(saved, { processes: 1 });
  await expect(full.run(jobs[0]!)).rejects.toThrow(/expected a file that can be written, got a full disk/);
  await full.close();
  if (before === undefined) delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = before;
  const interruption = new AbortController();
  const halted = await openBatch(saved, { processes: 1, signal: interruption.signal });
  const run = halted.run(jobs[0]!);
  interruption.abort();
  await expect(run).rejects.toBe(interruption.signal.reason);
  await halted.close();
  expect(contents(path("stopped"))).toEqual({});
});

test("the journal tells apart what processes write at once", async () => {
  await Promise.all([1, 2].map((part) => work(filter("both", "--shard", `${part}/2`))));
  expect(contents(path("both"))).toEqual(whole);
  expect((await planBatch(filter("both", "--resume"))).done).toBe(12);
});
