// rank1 inspect: the table, the page, JSON, and what is said of bad input.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dataPath, withoutData } from "../data.ts";
import { temporaryFolder } from "../node/folder.ts";
import { model, node, tensor, value } from "../onnx/build.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

const weights = Float32Array.from({ length: 4 * 3 * 9 }, (_, i) => (1 + (i % 3)) * (1 + Math.floor(i / 27)));
const conv = (
  rows: number | string,
  more: Parameters<typeof tensor>[2] = { rawData: new Uint8Array(weights.buffer) },
) =>
  model({
    nodes: [node("Conv", ["x", "w"], ["h"], { name: "first <b>" }), node("Relu", ["h"], ["y"])],
    initializers: [tensor("w", [4, 3, 3, 3], more)],
    inputs: [value("x", [1, 3, rows, 102])],
    outputs: [value("y", [1, 4, rows, 100])],
    more: { producerName: "hand", opsetImport: [{ version: 13n }] },
  });
writeFileSync(path("small.onnx"), conv(102));
writeFileSync(path("open.onnx"), conv("rows"));

test("a table, with what a multiplication is", async () => {
  const { code, stdout, stderr } = await rank1("inspect", path("small.onnx"));
  expect([code, stderr]).toEqual([0, ""]);
  const [table, forecast] = stdout.split(/\n(?=.* here)/);
  expect(forecast).toMatch(/^(÷\d.* would give about \d.* × here|(÷\d.*|separating) would save no time here)\n$/);
  expect(table).toBe(`small.onnx  operator set 13, made by hand
  input   x  f32 1 × 3 × 102 × 102
  output  y  f32 1 × 4 × 100 × 100

2 layers, 108 parameters, 1.080 M multiplications
1 multiplication = 1 multiply-accumulate = 2 FLOP

layer      kind        result             parameters  multiplications  share                         loss at 0.5
first <b>  conv 3 × 3  1 × 4 × 100 × 100         108          1.080 M  100.0 % ████████████████████    0.0 % spatial
and 1 layer without multiplications, listed by --all

loss at 0.5: relative error of the weights when the layer becomes two with 50 % of its
multiplications or less, along the best split: depthwise, spatial or bottleneck.
`);
  const all = await rank1("inspect", path("small.onnx"), "--all", "--share", "0.9");
  expect(all.stdout).toMatch(/\nRelu of h {2,}Relu {2,}1 × 4 × 100 × 100 {2,}0 {2,}0\n\nloss at 0\.9: /);
});

test("names cannot steer the terminal", async () => {
  const [w, inputs] = [
    tensor("w", [4, 3, 3, 3], { rawData: new Uint8Array(432).fill(255) }),
    [value("x", [1, 3, 9, 9])],
  ];
  const nodes = [node("Conv", ["x", "w"], ["y"], { name: "\x1b[31mred\r\x9b" })];
  writeFileSync(path("steering.onnx"), model({ nodes, initializers: [w], inputs, outputs: [value("y", [])] }));
  const { stdout } = await rank1("inspect", path("steering.onnx"));
  expect(stdout).toMatch(/\n\ufffd\[31mred\ufffd\ufffd +conv 3 × 3 .*█\n/); // its weights are NaN: no loss
});

test("JSON with a version, from the standard input as well", async () => {
  const { stdout } = await rank1("inspect", path("small.onnx"), "--json");
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({ version: 1, model: "small.onnx", opset: 13, share: 0.5 });
  expect(json.totals).toEqual({ parameters: 108, multiplications: 1_080_000 });
  expect(json.layers).toHaveLength(2);
  expect(json.layers[0]).toMatchObject({ kind: "conv", window: [3, 3], inputs: [[1, 3, 102, 102]] });
  expect(json.layers[0].splits[0]).toMatchObject({ split: "spatial", rank: 2 });
  const piped = await spawnRank1(["inspect", "-", "--json"], { input: readFileSync(path("small.onnx")) });
  expect(JSON.parse(piped.stdout)).toEqual({ ...json, model: "model" });
});

test("a page that needs nothing else", async () => {
  const { code, stdout } = await rank1("inspect", path("small.onnx"), "--html", path("page.html"));
  expect([code, stdout]).toEqual([0, ""]);
  const page = readFileSync(path("page.html"), "utf8");
  expect(page).toMatch(/^<!doctype html>/);
  expect(page).toContain("One multiplication is one multiply-accumulate: 2 FLOP.");
  expect(page).toContain("<b>conv 3 × 3</b>");
  expect(page).toContain("first &#60;b&#62;");
  expect(page).toMatch(/class="bar on" style="width:100%"/);
  expect(page).not.toMatch(/src=|href=|@import|<script/);
  expect((await rank1("inspect", path("small.onnx"), "--html", "-")).stdout).toBe(page);
  const again = await rank1("inspect", path("small.onnx"), "--html", path("page.html"));
  expect([again.code, again.stderr]).toEqual([
    1,
    expect.stringMatching(/page\.html: expected a name that is free, got a file/),
  ]);
  expect((await rank1("inspect", path("small.onnx"), "--html", path("page.html"), "--force")).code).toBe(0);
});

test("sides that the model leaves open are given", async () => {
  const { stdout } = await rank1("inspect", path("open.onnx"), "--shape", "x=1x3x22x102");
  expect(stdout).toContain("input   x  f32 1 × 3 × 22 × 102");
  const open = await rank1("inspect", path("open.onnx"));
  expect([open.code, open.stderr]).toEqual([0, ""]);
  expect(open.stdout).toContain("input   x  f32 1 × 3 × rows × 102\n");
  expect(open.stdout).toMatch(/\n2 layers, 108 parameters\n/);
  expect(open.stdout).toMatch(
    /\nfirst <b> +conv 3 × 3 +108 +\? .* spatial\nand 1 layer without parameters, listed by --all\n/,
  );
  expect(open.stdout).toMatch(/\n\nfor figures: --shape x=1x3x\?x102\n$/);
  const separate = await rank1("separate", path("open.onnx"), "--reduce", "2", "-o", path("out.onnx"));
  expect(separate.code, separate.stderr).toBe(0);
  expect(separate.stdout).toMatch(
    /\nfigures are for x of 1x3x256x102, which the model leaves open: --shape says others\n$/,
  );
  const other = await rank1("inspect", path("open.onnx"), "--shape", "z=1");
  expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/shapes key: expected one of x, got "z"/)]);
  const wrong = await rank1("inspect", path("open.onnx"), "--shape", "x=1x3xrows");
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("Expected NAME=SIDES such as input=")]);
});

test("weights beside the model are read from the folder that is named, and from no other", async () => {
  const externalData = [{ key: "location", value: "w.bin" }];
  writeFileSync(path("outside.onnx"), conv(102, { dataLocation: 1n, externalData, rawData: undefined }));
  writeFileSync(path("w.bin"), new Uint8Array(weights.buffer));
  const { stdout } = await rank1("inspect", path("outside.onnx"), "--external-data", folder);
  expect(stdout).toContain("2 layers, 108 parameters");
  const without = await rank1("inspect", path("outside.onnx"));
  expect(without.code).toBe(1);
  expect(without.stderr).toMatch(/tensor "w": expected the bytes of its external file "w\.bin" .*--external-data/);
});

test("an operator that nobody computes is named, and the rest shown", async () => {
  writeFileSync(path("new.onnx"), model({ nodes: [node("Frobnicate", ["x"], ["y"])], inputs: [value("x", [1])] }));
  const { code, stdout } = await rank1("inspect", path("new.onnx"));
  expect([code, stdout]).toEqual([0, expect.stringContaining("not computed by rank1: Frobnicate; the rest is shown")]);
});

test("bad files and wrong usage", async () => {
  writeFileSync(path("broken.onnx"), conv(102).subarray(0, 100));
  const cases: [args: string[], code: number, message: RegExp][] = [
    [[path("none.onnx")], 1, /none\.onnx: expected a readable file, got a name that does not exist$/],
    [[path("broken.onnx")], 1, /^rank1: .*broken\.onnx: .*\(truncated\); get it again/],
    [[], 2, /missing required argument 'model'/],
    [[path("small.onnx"), "--html", "-", "--json"], 2, /--html: expected a file beside --json, got -$/],
    [[path("small.onnx"), "--share", "0"], 2, /above 0 and of at most 1/],
    [[path("small.onnx"), "--html", folder], 1, /expected the name of a file, got a folder/],
    [[path("small.onnx"), "--html", path("small.onnx")], 1, /expected an output that is not one of the inputs/],
  ];
  for (const [args, code, message] of cases) {
    const result = await rank1("inspect", ...args);
    expect([result.code, result.stdout]).toEqual([code, ""]);
    expect(result.stderr.trim()).toMatch(message);
  }
});

const missing = withoutData("models/resnet20-cifar10.onnx");
test.skipIf(missing)(`ResNet-20${missing}`, async () => {
  const { stdout } = await rank1("inspect", dataPath("models/resnet20-cifar10.onnx"));
  expect(stdout).toContain("57 layers, 269.0 k parameters, 40.55 M multiplications");
  expect(stdout).toMatch(/\n…?\S*layer3\.2\/conv2\/Conv +conv 3 × 3 +1 × 64 × 8 × 8 +36\.93 k +2\.359 M +5\.8 % █+ +23\.8 % spatial\n/);
}); // biome-ignore format: one line
