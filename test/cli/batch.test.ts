// Many inputs: whatever ends the process, what is there is whole, and --resume does the rest and nothing else; shards cover all
// inputs once; broken pictures stop nothing, a full disk stops everything.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs"; // biome-ignore format: a line
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { exampleModel } from "../../src/node/package.ts";
import { temporaryFolder } from "../node/folder.ts";
import { contents, lines, preload, tinyPictures } from "./batch.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const pattern = path("in/**/*.png");
const recipe = ["-f", "gaussian:sigma=1.5"];
const filter = (out: string, ...more: string[]): string[] => ["filter", pattern, "-o", `${path(out)}/`, ...recipe, ...more]; // biome-ignore format: a line
const count = 300;
let whole: Record<string, string>;
/** Of a third of the pictures, in one folder. */
const some = (out: string, ...more: string[]): string[] => ["filter", path("in/b"), "-o", `${path(out)}/`, ...recipe, ...more]; // biome-ignore format: a line
const someWhole = (): Record<string, string> => {
  const own = Object.entries(whole).filter(([name]) => name.startsWith("b/"));
  return Object.fromEntries(own.map(([name, bytes]) => [name.slice(2), bytes]));
};

beforeAll(async () => {
  await tinyPictures(path("in"), count);
  writeFileSync(path("in/a/broken.png"), "no picture");
  writeFileSync(path("in/c/d/cut.png"), readFileSync(path("in/c/d/2.png")).subarray(0, 200));
  const { code, stderr } = await spawnRank1(filter("whole"));
  expect([code, stderr]).toEqual([3, expect.stringMatching(/rank1: 300 pictures in .* 2 failed\n/)]);
  expect(stderr).toMatch(
    /2 of 302 pictures failed: \S*failures-1-of-1\.jsonl lists them, --resume tries them again\n$/,
  );
  whole = contents(path("whole"));
  expect(Object.keys(whole)).toHaveLength(count);
});

test("broken pictures are listed, results lie as their inputs do, and the journal has a line for each", async () => {
  const failures = lines(path("whole"), "failures-1-of-1").map(({ input }) => input);
  expect(failures.sort()).toEqual([path("in/a/broken.png"), path("in/c/d/cut.png")]);
  expect(Object.keys(whole)).toContain("c/d/299.png");
  const names = lines(path("whole")).map(({ name }) => name);
  expect(names.sort()).toEqual(Object.keys(whole));
  const again = await rank1(...filter("whole"));
  expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/expected a name that is free, got a file; --resume leaves out what is done, --force replaces it\n$/)]); // biome-ignore format: a line
  // What one process makes, in any order, is the same.
  await rank1("filter", path("in/b/1.png"), "-o", path("single.png"), ...recipe);
  expect(readFileSync(path("single.png"), "base64")).toBe(whole["b/1.png"]);
});

test("after SIGKILL at any time what is there is whole, and --resume does the rest once", async () => {
  let done = 0;
  // A file that is being opened when its process ends may be left for an hour.
  const results = () => Object.entries(contents(path("killed"))).filter(([name]) => !name.includes("/."));
  for (let round = 0; round < 3; round++) {
    const started = (child: { kill(name: string): void }) => void wait(900 + 900 * Math.random()).then(() => child.kill("SIGKILL")); // biome-ignore format: a line
    await spawnRank1(filter("killed", "--resume", "--quiet"), { started: started as never });
    await wait(150); // its processes notice
    if (!existsSync(path("killed"))) continue;
    const found = results();
    for (const [name, bytes] of found) expect(whole[name] === bytes, name).toBe(true);
    expect(found.length).toBeGreaterThanOrEqual(done);
    done = found.length;
  }
  const { code, stderr } = await spawnRank1(filter("killed", "--resume"));
  expect([code, Object.fromEntries(results())]).toEqual([3, whole]);
  const before = Number(/, (\d+) were done before/.exec(stderr)?.[1] ?? 0);
  const all = readFileSync(path("killed/.rank1/journal-1-of-1.jsonl"), "utf8").split("\n").filter((line) => line.endsWith("}")); // biome-ignore format: a line
  expect(all.length).toBe(count);
  expect(before + Number(/(\d+) pictures in/.exec(stderr)![1])).toBe(count);
});

describe("--resume", () => {
  const few = 30;

  test("does again what has changed: an input, a result, the options; a line that was cut off counts for nothing", async () => {
    mkdirSync(path("few"));
    for (let i = 0; i < few; i++) cpSync(path(`in/b/${3 * i + 1}.png`), path(`few/${3 * i + 1}.png`));
    const run = (...more: string[]) => rank1("filter", path("few"), "-o", `${path("again")}/`, "-f", "box:3", "--resume", "--workers", "1", ...more); // biome-ignore format: a line
    const first = await run();
    expect([first.code, first.stderr]).toEqual([0, expect.stringMatching(/^rank1: 30 pictures in .*\)\n$/)]);
    expect((await run()).stderr).toMatch(/^rank1: 0 pictures in .*, 30 were done before\n$/);
    cpSync(path("in/a/0.png"), path("few/1.png"));
    utimesSync(path("few/4.png"), 1, 1); // is read, and found to be the same
    rmSync(path("again/7.png"));
    const journal = path("again/.rank1/journal-1-of-1.jsonl");
    const last = lines(path("again")).at(-1)!.name;
    writeFileSync(journal, readFileSync(journal).subarray(0, -40));
    const { stderr } = await run();
    const missing = ["1.png", "7.png"].includes(last) ? 2 : 3;
    expect(stderr).toMatch(new RegExp(`^rank1: ${missing} pictures in .*, ${few - missing} were done before\n`));
    const other = await run("--border", "edge");
    expect(other.stderr).toMatch(/^rank1: 30 pictures .*\nrank1: 30 of these were done again: their inputs, results/);
  });

  test("leaves alone what is not its own, and takes temporary files along that nobody writes any more", async () => {
    mkdirSync(path("alien/b"), { recursive: true });
    writeFileSync(path("alien/b/1.png"), "mine");
    const [old, fresh] = [path("alien/b/.1.png.0123abcd-0123abcd.tmp"), path("alien/b/.4.png.0123abcd-0123abcd.tmp")];
    for (const file of [old, fresh]) writeFileSync(file, "part");
    utimesSync(old, 1, 1);
    const run = (...more: string[]) => rank1("filter", path("in/b"), "-o", `${path("alien/b")}/`, ...recipe, "--resume", "--workers", "1", ...more); // biome-ignore format: a line
    const { code, stderr } = await run();
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^rank1: \S*b\/1\.png: expected a name that is free, got another file; --force replaces it\n/)]); // biome-ignore format: a line
    expect(readFileSync(path("alien/b/1.png"), "utf8")).toBe("mine");
    expect([existsSync(old), existsSync(fresh)]).toEqual([false, true]);
    expect((await run("--force")).code).toBe(0);
    expect(readFileSync(path("alien/b/1.png"), "base64")).toBe(whole["b/1.png"]);
  });
});

test("shards cover all inputs once, whatever else there is, and each may be resumed cut otherwise", async () => {
  const parts = await Promise.all(
    [1, 2, 3].map((k) => spawnRank1(filter("parts", "--shard", `${k}/3`, "--workers", "1"))),
  );
  expect(parts.map(({ code }) => code).sort()).toEqual(expect.arrayContaining([3]));
  expect(contents(path("parts"))).toEqual(whole);
  const names = [1, 2, 3].flatMap((k) => lines(path("parts"), `journal-${k}-of-3`).map(({ name }) => name));
  expect(names.sort()).toEqual(Object.keys(whole));
  const { stderr } = await rank1(...filter("parts", "--resume"));
  expect(stderr).toMatch(/rank1: 0 pictures in .* 2 failed, 300 were done before\n/);
  const env = { JOB_COMPLETION_INDEX: "1" };
  const again = await spawnRank1(filter("parts", "--resume", "--shard", "auto/3", "--json", "--quiet"), { env });
  expect(again.code).toBe(parts[1]!.code);
  expect(JSON.parse(again.stdout)).toMatchObject({ version: 1, pictures: [] });
});

test("a full disk stops the work with code 1; with room again --resume ends it", async () => {
  const env = { NODE_OPTIONS: preload("full-disk.ts"), RANK1_TEST_ROOM: "15" };
  const { code, stderr } = await spawnRank1(some("full"), { env });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/a file that can be written, got a full disk; \d+ are left, and --resume goes on with them\n$/)]); // biome-ignore format: a line
  const found = contents(path("full"));
  expect(Object.keys(found).length).toBeLessThan(50);
  for (const [name, bytes] of Object.entries(found)) expect(someWhole()[name] === bytes, name).toBe(true);
  expect((await rank1(...some("full", "--resume", "--quiet", "--workers", "1"))).code).toBe(0);
  expect(contents(path("full"))).toEqual(someWhole());
});

test("Ctrl-C ends it with code 130; nothing half is left, and what is done counts", async () => {
  const journal = path("stopped/.rank1/journal-1-of-1.jsonl");
  const started = (child: { kill(name: string): void }) => {
    const look = setInterval(() => {
      if (!existsSync(journal) || statSync(journal).size === 0) return;
      clearInterval(look);
      child.kill("SIGINT");
    }, 5);
  };
  const { code, stderr } = await spawnRank1(filter("stopped"), { started: started as never });
  expect([code, stderr]).toEqual([
    130,
    expect.stringMatching(/rank1: --resume goes on with what is left\nrank1: interrupted\n$/),
  ]);
  await wait(100);
  const found = Object.entries(contents(path("stopped")));
  for (const [name, bytes] of found) expect(whole[name] === bytes, name).toBe(true);
  expect(lines(path("stopped")).length).toBeLessThan(count);
});

test("a picture that brings its process down costs itself alone", async () => {
  cpSync(path("in/b"), path("poisoned"), { recursive: true });
  cpSync(path("in/b/1.png"), path("poisoned/poison.png"));
  const args = ["filter", path("poisoned"), "-o", `${path("survivors")}/`, ...recipe];
  const { code, stderr } = await spawnRank1(args, { env: { NODE_OPTIONS: preload("poison.ts") } });
  expect([code, stderr]).toEqual([3, expect.stringMatching(/poison\.png: expected a file that can be worked on, got the end of the process that did \(SIGKILL\)/)]); // biome-ignore format: a line
  const expected = Object.entries(whole).filter(([name]) => name.startsWith("b/"));
  expect(contents(path("survivors"))).toEqual(
    Object.fromEntries(expected.map(([name, bytes]) => [name.slice(2), bytes])),
  );
});

test("models: results lie as their inputs do, and what is known of each is printed in order", async () => {
  mkdirSync(path("models/d"), { recursive: true });
  for (let i = 0; i < 40; i++) cpSync(path(`in/c/d/${3 * i + 2}.png`), path(`models/d/${3 * i + 2}.png`));
  const model = exampleModel.pathname;
  const args = ["run", model, path("models"), "--workers", "2", "--quiet", "-o", `${path("scores")}/`];
  const { code, stderr } = await spawnRank1(args);
  expect([code, stderr]).toEqual([0, ""]);
  const names = Object.keys(contents(path("scores")));
  expect(names).toHaveLength(40);
  expect(names[0]).toMatch(/^d\/101\.png\.\w+\.npy$/);
  expect((await rank1(...args, "--resume")).code).toBe(0);
  const json = await spawnRank1(["run", model, path("models"), "--workers", "2", "--json", "--shard", "1/2"]);
  const { results } = JSON.parse(json.stdout) as { results: { input: string }[] };
  expect(results.map(({ input }) => input)).toEqual(results.map(({ input }) => input).sort());
  expect(results.length).toBeGreaterThan(3);
  expect(statSync(path("scores")).isDirectory()).toBe(true);
});
