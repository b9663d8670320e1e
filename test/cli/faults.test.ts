// What goes wrong around many inputs and is no fault of theirs: links that lead nowhere, processes that are killed from outside,
// lists of failures of several parts.
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { failuresOf } from "../../src/cli/failures.ts";
import { createEngine, filters } from "../../src/index.ts";
import { filterFile } from "../../src/node/index.ts";
import { temporaryFolder } from "../node/folder.ts";
import { contents, tinyPictures } from "./batch.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  await tinyPictures(path("in"), 60);
});

test("links that lead nowhere are inputs that fail, those to folders are no inputs; others go on", async () => {
  mkdirSync(path("links"));
  symlinkSync(path("in/a/0.png"), path("links/good.png"));
  symlinkSync("nowhere", path("links/lost.png"));
  symlinkSync("circle.png", path("links/circle.png"));
  symlinkSync(path("in"), path("links/folder.png"));
  for (const [i, input] of [path("links"), path("links/*.png"), path("links/**")].entries())
    for (const more of [[], ["--workers", "1"]]) {
      const out = path(`links-${i}-${more.length}`);
      const { code, stderr } = await rank1("filter", input, "-o", `${out}/`, "-f", "box:3", ...more);
      const lines = stderr.split("\n").filter((line) => line.includes(": expected"));
      expect([code, Object.keys(contents(out))], stderr).toEqual([3, ["good.png"]]);
      expect(lines).toEqual([
        expect.stringMatching(/circle\.png: expected a readable file, got a circle of links$/),
        expect.stringMatching(/lost\.png: expected a readable file, got a name that does not exist$/),
      ]);
    }
  const { code, stderr } = await rank1("filter", path("links/lost.png"), "-o", path("lost.png"), "-f", "box:3");
  expect([code, stderr]).toEqual([1, expect.stringMatching(/lost\.png: expected a readable file/)]);
});

test("processes that are killed again and again, from outside, cost no picture", async () => {
  const args = (out: string) => ["filter", path("in"), "-o", `${path(out)}/`, "-f", "gaussian:2", "--workers", "2"];
  expect((await rank1(...args("calm"))).code).toBe(0);
  let killed = 0;
  const started = async ({ pid }: { pid?: number }) => {
    for (const end = Date.now() + 2400; Date.now() < end && killed < 8; await wait(30)) {
      const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
      for (const child of text.split(" ").filter(Boolean).slice(0, 1)) {
        process.kill(Number(child), "SIGKILL");
        killed++;
        await wait(250);
      }
    }
  };
  const { code, stderr } = await spawnRank1(args("stormy"), {
    started: (child) => void started(child).catch(() => {}),
  });
  expect([code, stderr]).toEqual([0, expect.stringMatching(/rank1: 60 pictures in/)]);
  expect(contents(path("stormy"))).toEqual(contents(path("calm")));
  if (existsSync("/proc/self/task")) expect(killed).toBeGreaterThan(1);
}, 60_000);

test("each part has a list of failures of its own: {shard} is its number, one name for several is refused", async () => {
  writeFileSync(path("in/a/broken.png"), "no picture");
  const args = ["filter", path("in"), "-o", `${path("parts")}/`, "-f", "box:3", "--workers", "1", "--failures"];
  const one = await rank1(...args, path("list.jsonl"), "--shard", "1/2");
  expect([one.code, one.stderr]).toEqual([
    2,
    expect.stringMatching(
      /^rank1: --failures: expected a name of its own for each of 2 parts, such as failures-\{shard\}\.jsonl, got \S*list\.jsonl\n/,
    ),
  ]);
  for (const part of ["1/2", "2/2"]) await rank1(...args, path("list-{shard}.jsonl"), "--shard", part);
  const found = [1, 2].filter((k) => existsSync(path(`list-${k}.jsonl`)));
  expect(found).toHaveLength(1);
  expect(readFileSync(path(`list-${found[0]}.jsonl`), "utf8")).toContain("broken.png");
  await expect(failuresOf({ failures: "a-{shard}" })).rejects.toThrow(/expected --shard, whose number stands for/);
  expect(await failuresOf({ failures: "/dev/null", shard: { index: 1, count: 3 } })).toBe("/dev/null");
  expect(await failuresOf({ failures: "a", shard: { index: 1, count: 1 } })).toBe("a");
});

test("options that have another name in the call beside it are told by their name here", async () => {
  const engine = await createEngine();
  const image = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) };
  const hint = async (options: object): Promise<string> =>
    engine.filter(image, filters.box(3), options as never).then(String, ({ message }: Error) => message);
  expect(await hint({ type: "f32" })).toMatch(/options key: expected .*, got "type"; here its name is "output"$/);
  expect(await hint({ borderType: "edge" })).toMatch(/here its name is "border"$/);
  expect(await hint({ ofset: 1 })).toMatch(/did you mean "offset"\?$/);
  const file = filterFile(path("in/a/0.png"), path("x.png"), "box:3", { output: "f32" } as never);
  await expect(file).rejects.toThrow(/here its name is "type"$/);
  engine.dispose();
});
