// --failures: the list goes where it is named, whatever the number of inputs, and destroys nothing.
import { cpSync, existsSync, linkSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { otherContent } from "../../src/cli/failures.ts";
import { exampleModel } from "../../src/node/package.ts";
import { temporaryFolder } from "../node/folder.ts";
import { tinyPictures } from "./batch.ts";
import { rank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const list = (name: string): { input: string }[] =>
  readFileSync(path(name), "utf8").trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: a line
const older = `${JSON.stringify({ input: "x.png", message: 'x.png: expected "this"' })}\n`;

let out = 0;
beforeEach(() => void out++);
const filter = (failures: string, ...more: string[]) =>
  rank1("filter", path("in/a"), "-o", `${path(`out${out}`)}/`, "-f", "box:3", "--workers", "1", "--failures", failures, ...more); // biome-ignore format: a line

beforeAll(async () => {
  await tinyPictures(path("in"), 6);
  await tinyPictures(path("good"), 6);
  writeFileSync(path("in/a/broken.png"), "no picture");
  writeFileSync(path("in/a/empty.png"), "");
});

test("few inputs, too: what failed is listed, and the words are those without processes", async () => {
  const args = ["filter", path("in/a"), "-f", "box:3", "-o"];
  const { code, stderr } = await rank1(...args, `${path("few")}/`, "--failures", path("new/few.jsonl"));
  expect([code, stderr]).toEqual([3, expect.stringMatching(/2 of 4 pictures failed: \S*few\.jsonl lists them/)]);
  expect(list("new/few.jsonl").map(({ input }) => input)).toEqual([path("in/a/broken.png"), path("in/a/empty.png")]);
  const plain = await rank1(...args, `${path("plain")}/`);
  const empty = /^rank1: \S*empty\.png: expected .*, got an empty file$/m;
  expect(empty.exec(stderr)?.[0]).toBe(empty.exec(plain.stderr)?.[0] ?? "");
  const [before, fine] = [statSync(path("new/few.jsonl")).size, path("good/a/0.png")];
  expect(before).toBeGreaterThan(100);
  const one = await rank1("filter", fine, "-o", `${path("one")}/`, "-f", "box:3", "--failures", path("new/few.jsonl"));
  expect([one.code, existsSync(path("one/0.png")), existsSync(path("new/few.jsonl"))]).toEqual([0, true, false]);
});

test("files that are read or written are refused, by whatever name, with --force, before anything is done", async () => {
  const result = path(`out${out}`);
  writeFileSync(path("names.txt"), `${path("good/a/0.png")}\n`);
  writeFileSync(path("taps.json"), "[[1, 2, 1]]");
  cpSync(path("in/a/0.png"), path("mask.png"));
  symlinkSync(path("in/a/3.png"), path("link"));
  symlinkSync(path("in"), path("folder"));
  linkSync(path("in/a/3.png"), path("hard"));
  const inputs = ["in/a/0.png", "in/a/empty.png", "link", "hard", "folder/a/0.png", "in/../in/a/3.png"].map(path);
  const results = [result, join(result, "0.png"), join(result, "0.png/x"), join(result, ".rank1/journal-1-of-1.jsonl"), join(result, ".rank1")]; // biome-ignore format: a line
  for (const file of [...inputs, ...results]) {
    const { code, stderr } = await filter(file, "--force");
    expect([code, stderr], file).toEqual([2, expect.stringMatching(/^rank1: --failures: expected a file of its own, got \S+, which is (read|written) otherwise\n/)]); // biome-ignore format: a line
  }
  const others: [string, ...string[]][] = [
    ["names.txt", "--list", path("names.txt"), "--root", folder],
    ["taps.json", "-f", path("taps.json")],
    ["mask.png", "--mask", path("mask.png")],
  ];
  for (const [name, ...more] of others) {
    const base = name === "taps.json" ? [] : ["-f", "box:3"];
    const args = ["filter", path("good/b/1.png"), "-o", `${result}/`, ...base, ...more, "--failures", path(name), "--force"]; // biome-ignore format: a line
    expect((await rank1(...args)).stderr, name).toMatch(/--failures: expected a file of its own, got \S+, which is read/); // biome-ignore format: a line
  }
  expect(existsSync(result)).toBe(false);
  expect(readFileSync(path("in/a/3.png"))).toEqual(readFileSync(path("good/a/3.png")));
  expect(existsSync(path("names.txt")) && existsSync(path("taps.json")) && existsSync(path("mask.png"))).toBe(true);
});

test("models: so are the model, what stands beside it, labels, inputs and names that results may have", async () => {
  cpSync(exampleModel.pathname, path("model.onnx"));
  writeFileSync(path("labels.txt"), "a\nb\n");
  const result = path(`out${out}`);
  const names = ["model.onnx", "model.onnx.json", "labels.txt", "good/b/1.png"].map(path);
  for (const file of [...names, join(result, "1.png.scores.npy"), join(result, ".rank1/journal-2-of-3.jsonl")]) {
    const args = [
      "run",
      path("model.onnx"),
      path("good/b"),
      "-o",
      `${result}/`,
      "--labels",
      path("labels.txt"),
      "--save",
    ];
    const { code, stderr } = await rank1(...args, "--failures", file, "--force");
    expect([code, stderr], file).toEqual([2, expect.stringMatching(/--failures: expected a file of its own/)]);
  }
  expect([existsSync(result), existsSync(path("model.onnx.json")), existsSync(path("labels.txt"))]).toEqual([false, false, true]); // biome-ignore format: a line
  const named = ["run", path("model.onnx"), "--input", `x=${path("good/a/0.png")}`, "-o", `${result}/`];
  expect((await rank1(...named, "--failures", path("good/a/0.png"), "--force")).code).toBe(2);
});

test("a file that is no list stays: without --force, and with it until something fails", async () => {
  for (const text of [
    "mine",
    "{}\n",
    '{"input":"a","message":1}\n',
    '{"input":"a","message":"b","more":1}\n',
    `${older}mine`,
    "{}",
  ]) {
    writeFileSync(path("mine"), text);
    const { code, stderr } = await filter(path("mine"));
    expect([code, stderr], text).toEqual([2, expect.stringMatching(/--failures: expected a new file, or a list of failures, got \S+, which is another file; --force replaces it/)]); // biome-ignore format: a line
    const good = ["filter", path("good/a"), "-o", `${path("forced")}/`, "-f", "box:3", "--failures", path("mine"), "--force"]; // biome-ignore format: a line
    expect((await rank1(...good)).code).toBe(0);
    expect(readFileSync(path("mine"), "utf8")).toBe(text);
  }
  expect(existsSync(path(`out${out}`))).toBe(false);
  expect((await filter(path("mine"), "--force")).code).toBe(3);
  expect(list("mine")).toHaveLength(2);
});

test("older lists are replaced: whole, empty or cut off; links and devices stay", async () => {
  for (const text of ["", older, older + older.slice(0, 5), older + older.slice(0, 30)]) {
    writeFileSync(path("old.jsonl"), text);
    expect(await otherContent(path("old.jsonl")), text).toBe(false);
  }
  symlinkSync(path("old.jsonl"), path("to-old"));
  expect((await filter(path("to-old"))).code).toBe(3);
  expect([list("old.jsonl").length, readFileSync(path("to-old"), "utf8")]).toEqual([2, readFileSync(path("old.jsonl"), "utf8")]); // biome-ignore format: a line
  expect((await filter("/dev/null", "--force")).code).toBe(3);
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
});

test("places where no list can be are refused before any work", async () => {
  mkdirSync(path("dir"));
  const wrong: [string, RegExp][] = [
    ["-", /--failures: expected a file, such as failures\.jsonl, got -\n/],
    [path("dir"), /--failures \S+dir: expected the name of a file, got a folder/],
    [path("none/"), /--failures: expected the name of a file, got the folder/],
    [path("in/b/1.png/x"), /--failures \S+x: expected /],
  ];
  if (process.getuid?.() !== 0) wrong.push(["/x", /--failures: expected a file that can be written, got \/x without/]);
  for (const [file, message] of wrong) {
    const { code, stderr } = await filter(file);
    expect([code, stderr], file).toEqual([2, expect.stringMatching(message)]);
  }
  expect(existsSync(path(`out${out}`))).toBe(false);
});
