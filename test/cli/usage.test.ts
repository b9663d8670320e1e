// Bad input: one clear line on the standard error, the right exit code, and nothing written.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../node/folder.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const contents = ["in.png", "other", "text.png"];

beforeAll(async () => {
  await sharp({ create: { width: 20, height: 10, channels: 3, background: "teal" } })
    .png()
    .toFile(join(folder, "in.png"));
  writeFileSync(join(folder, "text.png"), "not a picture\n");
  mkdirSync(join(folder, "other"));
  process.chdir(folder);
});
const before = process.cwd();
afterAll(() => process.chdir(before));

const filter = (...rest: string[]): string[] => ["filter", "in.png", "out.png", "--filter", ...rest];

const wrong: [args: string[], message: RegExp][] = [
  [filter("[[1,2],[3]]"), /^filter row 1: expected 2 numbers, got 1$/],
  [filter("[[1,NaN]]"), /^filter: expected JSON such as \[\[1, 2, 1\]\] .*, got \[\[1,NaN\]\] \(.*\)$/],
  [filter("[[1,1e999]]"), /^filter row 0\[1\]: expected a finite number, got Infinity$/],
  [filter("[]"), /^filter: expected at least one row/],
  [filter("{}"), /^filter: expected a name, rows of numbers/],
  [filter("gausian"), /^filter: expected a known name, got "gausian"; did you mean "gaussian"\?$/],
  [filter("gaussian:sigma=0"), /^gaussian sigma: expected a finite number above 0, got 0$/],
  [filter("gaussian:sgima=1"), /^parameter of gaussian: .*did you mean "sigma"\?$/],
  [filter("box:1000001"), /^side of box: expected at most 2049 pixels, got 1000001; raise it with --max-filter-side$/],
  [filter("sobel-x", "--border", "reflekt"), /^border: expected one of .*; did you mean "reflect"\?$/],
  [filter("sobel-x", "--border", "replicate"), /^border: .*; here its name is "edge"$/],
  [filter("sobel-x", "--anchor", "3,0"), /^anchor x: expected an integer from 0 to 2, got 3$/],
  [
    filter("sobel-x", "--anchor", "1"),
    /^option '--anchor <x,y>' argument '1' is invalid\. Expected x,y such as 1,1\.$/,
  ],
  [filter("sobel-x", "--gain", "much"), /^option '--gain <number>' argument 'much' is invalid\. Expected a number\.$/],
  [filter("box:3", "--border", "constant", "--border-value", "300"), /^borderValue: expected an integer from 0 to 255/],
  [filter("box:3", "--tolerance", "2"), /^tolerance: expected a finite number from 0 to 1, got 2$/],
  [filter("box:3", "--strategy", "fast"), /^strategy: expected one of .*, got "fast"$/],
  [filter("box:3", "--show", "abs"), /^--show: expected a filter with a signed result/],
  [filter("box:3", "--linear", "--output", "f32"), /^--output: expected u8 or u16 with --linear, got f32$/],
  [filter("box:3", "--quality", "0"), /^option '--quality <1-100>' argument '0' is invalid/],
  [filter("box:3", "--threads", "65"), /^threads: expected an integer from 1 to 64, got 65$/],
  [filter("box:3", "--sigma", "3"), /^unknown option '--sigma'/],
  [["filter", "in.png", "--filter", "box:3"], /^files: expected an input and an output, .*, got only in\.png$/],
  [
    ["filter", "in.png", "out.gif", "--filter", "box:3"],
    /^out\.gif: expected a name that ends in \.png, .*, got \.gif$/,
  ],
  [["filter", "in.png", "-", "--filter", "box:3"], /^--format: expected one for an output to -, got none$/],
  [
    ["filter", "in.png", "other/in.png", "--out-dir", "other", "--filter", "box:3"],
    /^files: .*, got other\/in\.png twice$/,
  ],
  [["filter", "in.png", "out.png"], /^required option '--filter <filter>' not specified$/],
  [["factor", "sobel-x", "--rank", "0"], /^option '--rank <terms>' argument '0' is invalid\. Expected an integer/],
  [["explain", "box:3", "--size", "wide"], /^option '--size <WxHxC>' argument 'wide' is invalid/],
  [["fitler"], /^unknown command 'fitler' \(Did you mean filter\?\)$/],
];

const failing: [args: string[], message: RegExp][] = [
  [
    ["filter", "no.png", "out.png", "--filter", "box:3"],
    /^no\.png: expected a readable file, got a name that does not exist$/,
  ],
  [["filter", "other", "out.png", "--filter", "box:3"], /^other: expected a readable file, got a folder$/],
  [
    ["filter", "text.png", "out.png", "--filter", "box:3"],
    /^text\.png: expected an intact PNG, .* picture, got data of another kind$/,
  ],
  [
    ["filter", "in.png", "no/out.png", "--filter", "box:3"],
    /^no\/out\.png: expected an existing folder, got no, which does not exist$/,
  ],
  [
    ["filter", "in.png", "--out-dir", "no", "--filter", "box:3"],
    /^--out-dir: expected an existing folder, got no, which/,
  ],
  [
    ["filter", "in.png", "./other/../in.png", "--filter", "box:3"],
    /: expected an output that is not one of the inputs, got the same file as in\.png$/,
  ],
  [
    filter("box:3", "--max-pixels", "199"),
    /^in\.png: expected at most 199 pixels, got 200; raise it with --max-pixels$/,
  ],
  [filter("no.json"), /^no\.json: expected a readable file/],
  [["factor", "sobel-x", "--svg", "no/x.svg"], /^no\/x\.svg: expected an existing folder/],
];

for (const [code, cases] of [
  [2, wrong],
  [1, failing],
] as const) {
  test(`exit code ${code}`, async () => {
    for (const [args, message] of cases) {
      const result = await rank1(...args);
      const shown = args.join(" ");
      expect(result.stderr, shown).toMatch(/^rank1: [^\n]+\n$/);
      expect(result.stderr.slice(7, -1), shown).toMatch(message);
      expect([result.code, result.stdout], shown).toEqual([code, ""]);
    }
    expect(readdirSync(folder).sort()).toEqual(contents);
    expect(readdirSync(join(folder, "other"))).toEqual([]);
  });
}

test("as a process: the same codes and lines", async () => {
  const [good, failed, misused] = await Promise.all([
    spawnRank1(["filters"]),
    spawnRank1(["filter", "no.png", "out.png", "--filter", "box:3"], { cwd: folder }),
    spawnRank1(["factor", "nothing"], { env: { RANK1_DEBUG: "1" } }),
  ]);
  expect([good.code, good.stderr]).toEqual([0, ""]);
  expect([failed.code, failed.stdout]).toEqual([1, ""]);
  expect(failed.stderr).toBe("rank1: no.png: expected a readable file, got a name that does not exist\n");
  expect(misused.code).toBe(2);
  expect(misused.stderr).toMatch(/^rank1: filter: expected .*\n\w*Error: .*\n {4}at /); // with its stack, on request
});

test("help and version go to the standard output with exit code 0; no command is wrong usage", async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
  expect(await rank1("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  for (const command of ["factor", "filters", "filter", "explain", "bench"]) {
    const { code, stdout, stderr } = await rank1(command, "--help");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^Usage: rank1 ${command} [^]*\nExamples:\n {2}rank1 ${command}`));
  }
  const { code, stdout, stderr } = await rank1();
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^Usage: rank1/);
});
