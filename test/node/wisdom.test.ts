// What is remembered between processes comes back, and nothing that can be wrong with the file or its folder is an error.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { cacheFolder, readVerdicts, writeVerdicts } from "../../src/node/wisdom.ts";
import { temporaryFolder } from "./folder.ts";

const root = temporaryFolder();
const known = ["wide", "narrow"] as const;
const names = ["RANK1_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"] as const;
const before = names.map((name) => process.env[name]);

function cacheAt(name: string): string {
  process.env.RANK1_CACHE = join(root, name);
  return join(root, name, "wisdom.json");
}

afterEach(() => {
  for (const [i, name] of names.entries()) {
    if (before[i] === undefined) delete process.env[name];
    else process.env[name] = before[i];
  }
});

test("verdicts are added to those that are there", async () => {
  cacheAt("new/folder");
  expect(await readVerdicts(known)).toEqual({});
  await writeVerdicts({ a: "wide" });
  await writeVerdicts({ b: "narrow" });
  expect(await readVerdicts(known)).toEqual({ a: "wide", b: "narrow" });
  expect(readdirSync(cacheFolder())).toEqual(["wisdom.json"]);
});

test("verdicts of no known name are left out", async () => {
  cacheAt("unknown");
  await writeVerdicts({ a: "wide", b: "gone" });
  expect(await readVerdicts(known)).toEqual({ a: "wide" });
});

test("verdicts of another machine, runtime or package are not taken, and those of other machines stay", async () => {
  const file = cacheAt("other");
  await writeVerdicts({ a: "wide" });
  const wisdom = JSON.parse(readFileSync(file, "utf8"));
  const [[key, machine]] = Object.entries<object>(wisdom.machines) as [[string, object]];
  expect(key).toContain(process.versions.v8);
  writeFileSync(file, JSON.stringify({ ...wisdom, machines: { [`${key}x`]: machine } }));
  expect(await readVerdicts(known)).toEqual({});
  await writeVerdicts({ b: "wide" });
  expect(Object.keys(JSON.parse(readFileSync(file, "utf8")).machines)).toEqual([`${key}x`, key]);
  writeFileSync(file, JSON.stringify({ ...wisdom, package: "0.0.0" }));
  expect(await readVerdicts(known)).toEqual({});
});

test.each(["", "{", "[]", "null", '{"version":2}', "\0\0"])(
  "a file of %j is as good as none, and replaced",
  async (text) => {
    const file = cacheAt("broken");
    await writeVerdicts({ a: "wide" });
    const { package: name } = JSON.parse(readFileSync(file, "utf8"));
    for (const content of [text, JSON.stringify({ version: 1, package: name, machines: 7 })]) {
      writeFileSync(file, content);
      expect(await readVerdicts(known)).toEqual({});
      await writeVerdicts({ b: "wide" });
      expect(await readVerdicts(known)).toEqual({ b: "wide" });
    }
  },
);

test.each(["/proc/none", join(root, "a file", "below")])(
  "a folder that cannot be made (%s) is no error",
  async (folder) => {
    writeFileSync(join(root, "a file"), "");
    process.env.RANK1_CACHE = folder;
    await writeVerdicts({ a: "wide" });
    expect(await readVerdicts(known)).toEqual({});
  },
);

test.skipIf(process.platform !== "linux")("the folder is the user's cache", () => {
  process.env.RANK1_CACHE = "";
  process.env.XDG_CACHE_HOME = "/x";
  expect(cacheFolder()).toBe("/x/rank1");
  process.env.RANK1_CACHE = "/y";
  expect(cacheFolder()).toBe("/y");
});
