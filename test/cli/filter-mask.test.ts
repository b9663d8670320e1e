// rank1 filter on pictures of which some pixels are unknown: --mask, --nan, --fill.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writePicture } from "../../src/node/encode.ts";
import { filterFile } from "../../src/node/filter-file.ts";
import { readNpy, writeNpy } from "../../src/node/npy.ts";
import { type Picture, readPicture } from "../../src/node/pictures.ts";
import { temporaryFolder } from "../node/folder.ts";
import { random } from "../oracle.ts";
import { rank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

/** The plain sum over a window of 3 × 3 with a border that repeats the edge. */
function sums(width: number, height: number, at: (pixel: number) => number): number[] {
  const clamp = (v: number, n: number): number => Math.min(n - 1, Math.max(0, v));
  return Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return Array.from({ length: 9 }, (_, k) =>
      at(clamp(y + Math.floor(k / 3) - 1, height) * width + clamp(x + (k % 3) - 1, width)),
    ).reduce((total, v) => total + v, 0);
  });
}

test("a mask fills in what is unknown, and nothing bleeds from there", async () => {
  const next = random(5);
  const data = Uint8Array.from({ length: 31 * 17 * 3 }, () => next() * 256);
  const picture: Picture = { width: 31, height: 17, channels: 3, data, alpha: false };
  await writePicture(path("in.png"), picture);
  const known = new Uint8Array(31 * 17).map((_, i) => (i % 5 === 0 || i % 31 > 20 ? 0 : 255));
  const mask = { width: 31, height: 17, channels: 1, alpha: false };
  await writePicture(path("mask.png"), { ...mask, data: known });
  const filtered = async (...flags: string[]): Promise<Picture> => {
    const common = ["-f", "box:3", "--border", "edge", "--mask", path("mask.png"), "--force", "--quiet"];
    const done = await rank1("filter", path("in.png"), "-o", path("out.png"), ...common, ...flags);
    expect(done).toEqual({ code: 0, stdout: "", stderr: "" });
    return readPicture(path("out.png"));
  };
  const result = await filtered("--fill", "7");
  const weights = sums(31, 17, (i) => known[i]! / 255);
  const colours = [0, 1, 2].map((c) => sums(31, 17, (i) => (known[i] ? data[3 * i + c]! : 0)));
  const expected = Array.from(data, (_, i) => {
    const weight = weights[Math.floor(i / 3)]!;
    return weight === 0 ? 7 : Math.floor(colours[i % 3]![Math.floor(i / 3)]! / weight + 0.5);
  });
  expect([...result.data]).toEqual(expected);
  const linear = await filtered("--linear");
  expect([...linear.data.slice(-3)]).toEqual([0, 0, 0]);
  const refused = (flags: string[]) => rank1("filter", path("in.png"), "-o", path("out2.png"), ...flags);
  const sobel = await refused(["-f", "sobel", "--mask", path("mask.png")]);
  expect([sobel.code, sobel.stderr]).toEqual([2, expect.stringContaining("taps of one sign")]);
  const alone = await refused(["-f", "box:3", "--fill", "3"]);
  expect([alone.code, alone.stderr]).toEqual([2, expect.stringContaining("fill: expected a mask")]);
  const several = await refused(["-f", "box:3", "-f", "box:5", "--mask", path("mask.png")]);
  expect([several.code, several.stderr]).toEqual([2, expect.stringContaining("--mask: expected one filter")]);
  await writePicture(path("mask.png"), { ...mask, height: 1, data: known.slice(0, 31) });
  const small = await refused(["-f", "box:3", "--mask", path("mask.png")]);
  expect([small.code, small.stderr]).toEqual([1, expect.stringContaining("mask: expected sides [17, 31, 1]")]);
});

test("a mask may be an array, or a file's name for filterFile: the same weights", async () => {
  const picture = { width: 6, height: 5, channels: 1, data: new Uint8Array(30).map((_, i) => i * 8), alpha: false };
  await writePicture(path("ramp.png"), picture);
  const known = new Uint8Array(30).map((_, i) => (i % 3 === 0 ? 0 : 1));
  await writePicture(path("known.png"), { ...picture, data: known.map((v) => v * 255) });
  writeFileSync(path("bool.npy"), writeNpy({ shape: [5, 6], data: known, dtype: "bool" }));
  writeFileSync(path("f64.npy"), writeNpy({ shape: [5, 6], data: Float64Array.from(known) }));
  writeFileSync(path("i64.npy"), writeNpy({ shape: [5, 6], data: BigInt64Array.from(known, BigInt) }));
  writeFileSync(path("i32.npy"), writeNpy({ shape: [5, 6], data: Int32Array.from(known) }));
  const results: number[][] = [];
  for (const name of ["known.png", "bool.npy", "f64.npy", "i64.npy", "i32.npy"]) {
    const flags = ["-f", "box:3", "--mask", path(name), "--force", "--quiet"];
    const done = await rank1("filter", path("ramp.png"), "-o", path("masked.png"), ...flags);
    expect(done).toEqual({ code: 0, stdout: "", stderr: "" });
    results.push([...(await readPicture(path("masked.png"))).data]);
    await filterFile(path("ramp.png"), path("masked.png"), "box:3", { mask: path(name), force: true });
    results.push([...(await readPicture(path("masked.png"))).data]);
  }
  await filterFile(path("ramp.png"), path("masked.png"), "box:3", { mask: known, force: true });
  const expected = [...(await readPicture(path("masked.png"))).data];
  for (const result of results) expect(result).toEqual(expected);
  writeFileSync(path("two.npy"), writeNpy({ shape: [5, 6, 2], data: new Uint8Array(60) }));
  const wrong = (mask: string) => filterFile(path("ramp.png"), path("none.png"), "box:3", { mask });
  await expect(wrong(path("two.npy"))).rejects.toThrow(
    /^mask: expected .* array of \[height, width\].*, got 2 channels/,
  );
  await expect(wrong(path("no.npy"))).rejects.toThrow(/no\.npy: expected a readable file/);
  const own = { mask: path("known.png"), force: true };
  await expect(filterFile(path("ramp.png"), path("known.png"), "box:3", own)).rejects.toThrow(/not one of the inputs/);
});

test("of numbers, NaN are filled in by their neighbours, or by --fill", async () => {
  const values = Float32Array.of(1, Number.NaN, 3, Number.NaN, Number.NaN, Number.NaN);
  writeFileSync(path("gaps.npy"), writeNpy({ shape: [1, 6], data: values }));
  const run = async (...flags: string[]) => {
    const common = ["--border", "edge", "--nan", "ignore", "--force", "--quiet"];
    const done = await rank1(
      "filter",
      path("gaps.npy"),
      "-o",
      path("filled.npy"),
      "-f",
      "box:size=1x3",
      ...common,
      ...flags,
    );
    expect(done).toEqual({ code: 0, stdout: "", stderr: "" });
    return [...(readNpy(readFileSync(path("filled.npy")), "filled.npy").data as Float32Array)];
  };
  expect(await run()).toEqual([1, 2, 3, 3, Number.NaN, Number.NaN]);
  expect(await run("--fill", "-1")).toEqual([1, 2, 3, 3, -1, -1]);
});
