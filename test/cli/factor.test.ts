// rank1 factor and rank1 filters: what they print.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filters } from "../../src/index.ts";
import { temporaryFolder } from "../node/folder.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();

test("sobel-x: its taps along the edges, rank 1, 9 → 6 multiplications, error 0", async () => {
  const { code, stdout, stderr } = await rank1("factor", "sobel-x");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toBe(`sobel-x  3 × 3, rank 1, one column ⊗ one row

      -1   0   1
   ┌              ┐
  1│  -1   0   1  │
  2│  -2   0   2  │
  1│  -1   0   1  │
   └              ┘

singular values
     3.464  ████████████████████████████████████████

error            0
multiplications  9 direct → 6 in a column and a row pass, per value (1.5 × fewer)
`);
});

test("laplacian-8: not rank 1; its exact two terms and its best rank-1 error", async () => {
  const { stdout } = await rank1("factor", "laplacian-8");
  expect(stdout).toMatch(/^laplacian-8 {2}3 × 3, rank 2\n/);
  expect(stdout).toMatch(/= term 1\n[^+]*\+ term 2\n/);
  expect(stdout).toMatch(/best rank 1 {6}relative error 0\.2588\nerror {12}0\n/);
  expect(stdout).toContain("9 direct → 12 in 2 column and row passes, per value (direct is no dearer)");
});

test("a literal of full rank as JSON: 5 terms, 25 → 50 multiplications", async () => {
  const matrix = [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [5, 8, 9, 7, 9], [3, 2, 3, 8, 4], [6, 2, 6, 4, 3]]; // biome-ignore format: a matrix
  const { code, stdout } = await rank1("factor", JSON.stringify(matrix), "--json");
  expect(code).toBe(0);
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({ version: 1, kh: 5, kw: 5, rank: 5, exactRank: 5, error: 0, spatiallySeparable: false });
  expect(json.multiplications).toEqual({ direct: 25, separable: 50 });
  expect(json.terms).toHaveLength(5);
  expect(json.rank1Error).toBeGreaterThan(0.1);
  for (const [y, row] of matrix.entries())
    for (const [x, value] of row.entries()) expect(json.values[y][x]).toBeCloseTo(value, 9);
});

test("a JSON file, JSON on the standard input, and a truncation", async () => {
  const file = join(folder, "mine.json");
  writeFileSync(file, '{"column": [1, 2, 1], "row": [1, 0, -1]}');
  const fromFile = await rank1("factor", file, "--json");
  expect(JSON.parse(fromFile.stdout)).toMatchObject({ rank: 1, terms: [{ column: [1, 2, 1], row: [1, 0, -1] }] });
  const fromStdin = await spawnRank1(["factor", "-"], { input: "[[1, 2], [3, 4]]" });
  expect(fromStdin.stdout).toMatch(/^filter {2}2 × 2, rank 2\n/);
  const truncated = await rank1("factor", "disk:4", "--rank", "2");
  expect(truncated.stdout).toMatch(/^disk:4 {2}9 × 9, rank 5\n/);
  expect(truncated.stdout).toMatch(/≈ term 1\n {2}column .*\n {2}row .*\n\+ term 2\n/);
  expect(truncated.stdout).toMatch(/dropped\n/);
  expect(truncated.stdout).toMatch(/error {12}0\.1006 relative, with 2 of 5 terms\n/);
  expect(truncated.stdout).toMatch(/81 direct → 36 in 2 column and row passes/);
});

test("taps over a denominator are fractions; a gain stands beside integers", async () => {
  const { code, stdout } = await rank1("factor", "[[2,3],[3,2]]");
  expect(code).toBe(0);
  expect(stdout).toMatch(/= term 1\n +2 +3\n/);
  expect(stdout).toContain("-5/2");
  const box = await rank1("factor", "box:3");
  expect(box.stdout).toMatch(/^box:3 {2}3 × 3, rank 1, one column ⊗ one row, gain 1\/9\n\n +1 {2}1 {2}1\n/);
});

test("--svg writes the picture of it", async () => {
  const file = join(folder, "sobel.svg");
  const { code } = await rank1("factor", "sobel-x", "--svg", file);
  expect(code).toBe(0);
  const svg = readFileSync(file, "utf8");
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="\d+" height="\d+"/);
  expect(svg.match(/<rect /g)).toHaveLength(9 + 3 + 3);
  expect(svg.match(/>(=|⊗)</g)).toEqual([">=<", ">⊗<"]);
  expect(svg).toContain(">−2</text>");
  const large = join(folder, "large.svg");
  await rank1("factor", "gaussian:sigma=40", "--svg", large);
  expect(readFileSync(large, "utf8").match(/<rect /g)).toHaveLength(129 * 129 + 2 * 129);
});

test("colour only where it is wanted", async () => {
  const [plain, coloured] = await Promise.all([
    spawnRank1(["factor", "sobel-x"], { env: { NO_COLOR: "" } }),
    spawnRank1(["factor", "sobel-x"], { env: { NO_COLOR: "", FORCE_COLOR: "1" } }),
  ]);
  expect(plain.stdout).not.toContain("\x1b[");
  expect(coloured.stdout).toContain("\x1b[36m-1\x1b[39m");
});

test("filters lists every name, as text and as JSON", async () => {
  const [text, json] = [await rank1("filters"), await rank1("filters", "--json")];
  for (const name of filters.names) expect(text.stdout).toMatch(new RegExp(`^${name} `, "m"));
  const list = JSON.parse(json.stdout);
  expect(list.version).toBe(1);
  // Canny's edges are no sum of taps: `filters` has no function for them.
  expect(list.filters.map((f: { name: string }) => f.name)).toEqual([...filters.names, "canny"]);
  expect(list.gradients).toContain("sobel");
  const gaussian = list.filters.find((f: { name: string }) => f.name === "gaussian");
  expect(gaussian).toMatchObject({ rank: 1, parameters: [{ name: "sigma", default: 1 }, {}, { default: null }] });
});

test("--svg - prints the picture alone; an existing file is replaced only with --force", async () => {
  const { stdout } = await rank1("factor", "sobel-x", "--svg", "-");
  expect(stdout).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  const file = join(folder, "made/for/it.svg");
  expect((await rank1("factor", "sobel-x", "--svg", file)).code).toBe(0);
  const again = await rank1("factor", "sobel-y", "--svg", file);
  expect([again.code, again.stdout]).toEqual([1, ""]);
  expect(again.stderr).toMatch(/it\.svg: expected a name that is free, got a file; --force replaces it\n$/);
  expect(readFileSync(file, "utf8")).toBe(stdout);
  expect((await rank1("factor", "sobel-y", "--svg", file, "--force")).code).toBe(0);
  expect(readFileSync(file, "utf8")).not.toBe(stdout);
});
