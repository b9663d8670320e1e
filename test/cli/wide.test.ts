// 256-bit vectors on the command line: on where the machine has them, off with --no-wide, and learnt once.
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import { temporaryFolder } from "../node/folder.ts";
import { rank1 } from "./run.ts";

const folder = temporaryFolder();
const [input, output, cache] = ["in.png", "out.png", "cache"].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];
const file = join(cache, "wisdom.json");
const before = process.env.RANK1_CACHE;

beforeAll(async () => {
  process.env.RANK1_CACHE = cache;
  await sharp({
    create: {
      width: 40,
      height: 30,
      channels: 3,
      background: "teal",
      noise: { type: "gaussian", mean: 99, sigma: 40 },
    },
  })
    .png()
    .toFile(input);
});
afterAll(() => {
  process.env.RANK1_CACHE = before;
});

async function filter(...flags: string[]) {
  const { code, stdout, stderr } = await rank1(
    "filter",
    input,
    "-o",
    output,
    "-f",
    "gaussian:2",
    "--json",
    "--force",
    ...flags,
  );
  expect(code, stderr).toBe(0);
  return { wide: JSON.parse(stdout).engine.wide, bytes: readFileSync(output) };
}

test("by default the engine is wide where it can be, else it says why not; --no-wide gives the same picture", async () => {
  const { supported, reason } = wideSupport();
  const wide = await filter();
  expect(wide.wide).toMatchObject({ enabled: supported, reason });
  const narrow = await filter("--no-wide");
  // The verdicts on kernels are no part of a report.
  expect(narrow.wide).toEqual({ enabled: false, reason: "not asked for" });
  expect(narrow.bytes.equals(wide.bytes)).toBe(true);
  expect((await filter("--backend", "reference")).wide.enabled).toBe(false);
});

test.skipIf(!wideSupport().supported)("verdicts are written once and taken from then on", async () => {
  rmSync(cache, { recursive: true, force: true });
  await filter("--no-wide");
  expect(existsSync(file)).toBe(false);
  const first = await filter();
  const written = statSync(file).ino;
  expect((await filter()).wide).toEqual(first.wide);
  expect(statSync(file).ino).toBe(written);
  await filter("--type", "u16");
  expect(statSync(file).ino).not.toBe(written);
});
