// rank1 layer: what it prints, and what it refuses.
import { expect, test } from "vitest";
import { rank1 } from "./run.ts";

const layer = ["layer", "12x12x3", "--kernel", "5x5", "--out", "256"];

test("the classic comparison, drawn as boxes", async () => {
  const { code, stdout, stderr } = await rank1(...layer);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toBe(`layer  5 × 5 filters, 256 outputs

as it stands
┌─────────────┐  conv 5 × 5   ┌─────────────┐
│ 12 × 12 × 3 │ ────────────→ │ 8 × 8 × 256 │
└─────────────┘  × 1,228,800  └─────────────┘
conv  8 · 8 · 256 outputs × 5 · 5 · 3 each = 1,228,800; 19,200 parameters

depthwise, pointwise
┌─────────────┐  depthwise 5 × 5  ┌───────────┐  pointwise 1 × 1  ┌─────────────┐
│ 12 × 12 × 3 │ ────────────────→ │ 8 × 8 × 3 │ ────────────────→ │ 8 × 8 × 256 │
└─────────────┘      × 4,800      └───────────┘     × 49,152      └─────────────┘
depthwise  8 · 8 · 3 outputs × 5 · 5 each = 4,800; 75 parameters
pointwise  8 · 8 · 256 outputs × 3 each = 49,152; 768 parameters

                      multiplications  of direct  parameters  kB moved  kB if fused
as it stands                1,228,800      100 %      19,200       144          144
depthwise, pointwise           53,952     4.39 %         843      72.2         70.6

1,228,800 against 4,800 + 49,152 = 53,952 multiplications: 22.8 × fewer in two stages.
1 multiplication = 1 multiply-accumulate = 2 FLOP; biases are not counted; bytes are those of f32.
`);
});

test("a depth multiplier of 2 puts 8 × 8 × 6 in the middle", async () => {
  const { stdout } = await rank1(...layer, "--multiplier", "2");
  expect(stdout).toMatch(/^layer {2}5 × 5 filters, 256 outputs, depth multiplier 2\n/);
  expect(stdout).toMatch(/│ 12 × 12 × 3 │ ─+→ │ 8 × 8 × 6 │ ─+→ │ 8 × 8 × 256 │/);
  expect(stdout).toContain("against 9,600 + 98,304 = 107,904 multiplications: 11.4 × fewer");
});

test("strides, dilations and pads; sides that differ are y, then x", async () => {
  const args = ["layer", "20x30x4", "--kernel", "3x5", "--out", "8"];
  const { stdout } = await rank1(...args, "--strides", "2", "--dilations", "1x2", "--pads", "same");
  expect(stdout).toMatch(/^layer {2}3 × 5 filters, 8 outputs, strides 2 × 2, dilations 1 × 2, pads same\n/);
  expect(stdout).toContain("│ 10 × 15 × 8 │");
  const padded = await rank1(...args, "--pads", "1,2,3,4");
  expect(padded.stdout).toContain("│ 22 × 32 × 8 │");
  expect(padded.stdout).toMatch(/pads 1,2,3,4\n/);
});

test("where two stages cost more it says so; a rank adds the other splits", async () => {
  const { stdout } = await rank1("layer", "8x8x16", "--kernel", "1", "--out", "4", "--rank", "3");
  expect(stdout).toMatch(/multiplications: 1\.25 × more in two stages\.\n/);
  expect(stdout).toMatch(/^column, row, rank 3 +\d/m);
  expect(stdout).toMatch(/^bottleneck, pointwise, rank 3 +3,840 +93\.8 %/m);
  expect(stdout).toMatch(/^pointwise, depthwise, pointwise, rank 3 +4,032 /m);
});

test("--json", async () => {
  const { code, stdout } = await rank1(...layer, "--rank", "9", "--json");
  expect(code).toBe(0);
  const { version, layer: given, forms } = JSON.parse(stdout);
  expect([version, given]).toEqual([
    1,
    { input: [12, 12, 3], size: [5, 5], outputs: 256, depthMultiplier: 1, rank: 9 },
  ]);
  expect(forms.map(({ form }: { form: string }) => form)).toEqual(["conv", "separable", "spatial", "bottleneck", "cp"]);
  expect(forms[0]).toMatchObject({ output: [8, 8, 256], multiplications: 1_228_800, parameters: 19_200 });
  expect(forms[1].stages).toMatchObject([
    { name: "depthwise", input: [12, 12, 3], size: [5, 5], groups: 3, output: [8, 8, 3], multiplications: 4_800 },
    { name: "pointwise", input: [8, 8, 3], size: [1, 1], output: [8, 8, 256], multiplications: 49_152 },
  ]);
});

test("--explain: the plans of both", async () => {
  const { stdout } = await rank1(...layer, "--explain", "--no-wide");
  expect(stdout).toMatch(/^conv 5 x 5 on 1 x 12 x 12 x 3 f32 -> 1 x 8 x 8 x 256 f32/);
  expect(stdout).toMatch(/\n\nseparable 5 x 5 on [\s\S]*> depthwise-pointwise .* chosen\n/);
  const json = JSON.parse((await rank1(...layer, "--explain", "--multiplier", "2", "--json")).stdout);
  expect(json).toMatchObject({ version: 1, layer: { input: [12, 12, 3], depthMultiplier: 2 } });
  expect(json.plans.map((plan: { problem: { kind: string } }) => plan.problem.kind)).toHaveLength(2);
});

test.each<[args: string[], message: string]>([
  [["layer"], "missing required argument 'HxWxC'"],
  [layer.slice(0, 4), "--out: expected the layer's output channels, got none"],
  [["layer", "12x12x3", "--out", "2"], "--kernel: expected the size of the layer's filters, such as 3x3, got none"],
  [[...layer, "--border", "edge"], "unknown option '--border'"],
  [
    ["layer", "4x4x3", "--kernel", "5", "--out", "2"],
    "x: expected x and its pads to have a height of at least 5, which the window spans, got 4",
  ],
  [
    ["layer", "12x12", "--kernel", "5", "--out", "2"],
    "command-argument value '12x12' is invalid for argument 'HxWxC'. Expected HEIGHTxWIDTHxCHANNELS.",
  ],
  [
    [...layer, "--pads", "1,1"],
    "option '--pads <pads>' argument '1,1' is invalid. Expected valid, same or four numbers: top,left,bottom,right.",
  ],
  [
    [...layer, "--strides", "1x2x3"],
    "option '--strides <YxX>' argument '1x2x3' is invalid. Expected one number or YxX.",
  ],
])("wrong usage: %j", async (args, message) => {
  expect(await rank1(...args)).toEqual({ code: 2, stdout: "", stderr: `rank1: ${message}\n` });
});
