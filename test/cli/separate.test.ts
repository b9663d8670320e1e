// rank1 separate on the bundled network: files, table, page, and wrong usage.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { expect, test } from "vitest";
import { drawShapes } from "../../demo/drawing/shapes/draw.ts";
import { separatePage } from "../../src/cli/separate-page.ts";
import { exampleModel } from "../../src/node/package.ts";
import { loadModel, type Report } from "../../src/onnx/index.ts";
import { rank1, spawnRank1 } from "./run.ts";

const model = fileURLToPath(exampleModel);
const folder = mkdtempSync(join(tmpdir(), "rank1-separate-"));

test("writes a model, its settings and a page, and says what it did", async () => {
  const [output, report] = [join(folder, "out.onnx"), join(folder, "report.html")];
  const { stdout, code } = await rank1("separate", model, "-o", output, "--rank", "2", "--report", report, "--no-wide");
  expect(code).toBe(0);
  expect(stdout).toMatch(/depthwise × 2, pointwise/);
  expect(stdout).toMatch(/multiplications +19\.83 M → /);
  const loaded = await loadModel(new Uint8Array(readFileSync(output)));
  expect(loaded.graph.nodes.filter(({ op }) => op === "Conv")).toHaveLength(12);
  expect(JSON.parse(readFileSync(`${output}.json`, "utf8")).labels).toContain("star");
  const html = readFileSync(report, "utf8");
  expect(html).toMatch(/<th scope="row">\/conv6\/Conv<\/th>/);
  expect(html).not.toMatch(/undefined|NaN/);
});

test("what is stopped stays beside the output for --resume, which takes it away at the end", async () => {
  const output = join(folder, "stopped.onnx");
  const run = (...flags: string[]) => rank1("separate", model, "-o", output, "--rank", "1", "--quiet", ...flags);
  const anew = await run("--resume");
  expect([anew.code, anew.stderr]).toEqual([0, expect.stringMatching(/there is no .*stopped\.onnx\.part/)]);
  const file = readFileSync(output);
  writeFileSync(`${output}.part`, "something else");
  expect((await run("--resume", "--force")).code).toBe(0);
  expect(readFileSync(output)).toEqual(file);
  expect(existsSync(`${output}.part`)).toBe(false);
});

test("what another run has kept, files that are read and others' files stay as they are", async () => {
  const output = join(folder, "kept.onnx");
  const pictures = mkdtempSync(join(tmpdir(), "rank1-read-"));
  const shape = drawShapes(1, 4)[0]!.picture;
  const own = join(pictures, "0.png");
  await sharp(shape.data, { raw: { width: shape.width, height: shape.height, channels: 3 } }).toFile(own);
  const bytes = readFileSync(own);
  const part = `${output}.part`;
  const run = (...flags: string[]) => rank1("separate", model, "-o", output, "--quiet", ...flags);
  const kept = JSON.stringify({ version: 1, of: "another model", entries: [] });
  for (const [text, flags, message] of [
    [kept, ["--rank", "1"], /kept\.onnx\.part: expected a name that is free, got a file; --resume goes on from it/],
    ["my own words", ["--rank", "1", "--resume"], /expected what a run that was stopped has kept, got another file/],
    [kept, ["--reduce", "1.01", "--layers", "/conv1/*", "--calibrate", pictures, "--resume"], /--resume: .*another's/],
    [kept, ["--rank", "1", "--force", "--report", part], /--report: expected another name/],
  ] as const) {
    writeFileSync(part, text);
    const { code, stderr } = await run(...flags);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(message);
    expect(readFileSync(part, "utf8")).toBe(text);
    expect(existsSync(output)).toBe(false);
  }
  const page = await run("--rank", "1", "--force", "--calibrate", pictures, "--report", own);
  expect([page.code !== 0, page.stderr]).toEqual([true, expect.stringMatching(/outside of the folder of --calibrate/)]);
  expect(readFileSync(own)).toEqual(bytes);
  const divided = await run("--rank", "1", "--force", "--std", "0");
  expect([divided.code !== 0, divided.stderr]).toEqual([true, expect.stringMatching(/--std: expected numbers other/)]);
  const seen = await rank1("separate", model, "-o", output, "--reduce", "1.01", "--layers", "/conv1/*", "--calibrate", pictures, "--force"); // biome-ignore format: one line
  expect([seen.code, seen.stdout]).toEqual([0, expect.stringMatching(/of other inputs far more may be lost/)]);
});

test("an existing model is replaced only with --force, with the settings beside it", async () => {
  const output = join(folder, "new/folder/out.onnx");
  const run = (...flags: string[]) => rank1("separate", model, "-o", output, "--rank", "1", "--quiet", ...flags);
  expect(await run()).toEqual({ code: 0, stdout: "", stderr: "" });
  const again = await run();
  expect([again.code, again.stderr]).toEqual([
    1,
    expect.stringMatching(/out\.onnx: expected a name that is free, got a file/),
  ]);
  rmSync(output);
  expect((await run()).stderr).toMatch(
    /out\.onnx\.json: expected a name that is free, got a file; --force replaces it/,
  );
  expect((await run("--force")).code).toBe(0);
  const itself = await rank1("separate", model, "-o", model, "--rank", "1", "--force");
  expect([itself.code, itself.stderr]).toEqual([
    1,
    expect.stringMatching(/expected an output that is not one of the inputs/),
  ]);
});

test("a model on the standard input goes to the standard output, and what is said to the standard error", async () => {
  const args = ["separate", "-", "-o", "-", "--rank", "1", "--no-wide"];
  const { code, bytes, stderr } = await spawnRank1(args, { input: readFileSync(model) });
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/^model → -, by its weights alone.*\n[\s\S]*\nmultiplications {2}/),
  ]);
  expect((await loadModel(new Uint8Array(bytes))).graph.nodes.filter(({ op }) => op === "Conv")).toHaveLength(12);
});

test("names what is no picture among the pictures, and goes on without it", async () => {
  const pictures = mkdtempSync(join(tmpdir(), "rank1-pictures-"));
  for (const [i, { picture }] of drawShapes(6, 9).entries()) {
    const { width, height, data } = picture;
    await sharp(data, { raw: { width, height, channels: 3 } }).toFile(join(pictures, `${i}.png`));
  }
  writeFileSync(join(pictures, "broken.png"), "no picture");
  const output = join(folder, "fitted.onnx");
  const flags = ["--reduce", "1.01", "--layers", "/conv1/*", "--calibrate", pictures, "--json"];
  const { stdout, stderr, code } = await rank1("separate", model, "-o", output, ...flags);
  expect(code).toBe(0);
  expect(stderr).toMatch(/left out: .*broken\.png: /);
  expect(JSON.parse(stdout)).toMatchObject({ version: 1, samples: 6, reached: { met: true } });
});

test.each([
  [
    "two goals",
    ["--rank", "2", "--reduce", "2"],
    /--reduce: expected one of --speedup, --reduce, --tolerance, --rank, got --reduce and --rank/,
  ],
  ["JSON beside a page", ["--rank", "2", "--json", "--report", "-"], /--report: expected a file beside --json, got -/],
  ["an empty folder", ["--reduce", "2", "--calibrate", mkdtempSync(join(tmpdir(), "rank1-empty-"))], /empty folder/],
  ["a folder that does not exist", ["--reduce", "2", "--calibrate", "nowhere"], /does not exist/],
  ["going on without a file", ["--rank", "2", "--resume", "-o", "-"], /--resume: expected a file as -o, got -/],
  ["crops of nothing", ["--reduce", "2", "--crops", "2"], /--crops/],
  ["too much", ["--reduce", "1000", "--layers", "/conv1/*"], /best that is in reach/],
])("%s is wrong usage, and nothing is written", async (title, flags, message) => {
  const output = join(folder, `${title}.onnx`);
  const { stderr, code } = await rank1("separate", model, "-o", output, ...flags);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toMatch(message);
  expect(existsSync(output)).toBe(false);
});

test.each([
  ["rank", "100000", /Nothing changed: no layer takes fewer multiplications as depthwise × 100000, pointwise/],
  ["tolerance", "0", /Nothing changed: none is of low rank exactly/],
])("says that --%s %s changes nothing", async (goal, value, message) => {
  const output = join(folder, `unchanged-${goal}.onnx`);
  const { stdout, code } = await rank1("separate", model, "-o", output, `--${goal}`, value);
  expect(code).toBe(0);
  expect(stdout).toMatch(message);
});

test("a page escapes names, draws the curve and does without what is not known", () => {
  const change = { before: 10, after: 5 };
  const report: Report = {
    layers: [
      { name: "<b>", weight: [1, 2, 3, 3], decomposition: "cp", rank: 4, multiplications: change, parameters: change },
    ],
    totals: { multiplications: change, parameters: change },
    goal: { kind: "reduce", value: 2 },
    reached: { reduction: 2, loss: 0.02, met: true },
    curve: [1, 2, 3].map((reduction) => ({ reduction, loss: 0.01 * reduction ** 2 })),
    ...{ samples: 12, apart: true, seconds: 1, difference: 0, missing: [], assumed: {}, outputs: [] },
  };
  const html = separatePage("a & b", report);
  expect(html).toContain("&#60;b&#62;");
  expect(html).toContain("<polyline");
  expect(html).not.toMatch(/undefined|NaN|<b>/);
  expect(separatePage("a", { ...report, curve: [] })).not.toContain("<polyline");
});
