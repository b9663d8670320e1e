// rank1 run and rank1 explain of models: pictures and arrays in, answers and arrays out, and what is said of bad input.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../src/node/npy.ts";
import { dataPath, withoutData } from "../data.ts";
import { temporaryFolder } from "../node/folder.ts";
import { model, node, tensor, value } from "../onnx/build.ts";
import { rank1, rank1With, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

const f32 = (name: string, dims: number[], numbers: number[]): Uint8Array =>
  tensor(name, dims, { rawData: new Uint8Array(Float32Array.from(numbers).buffer) });

/** Means of red, green and blue, as three classes: by a 1x1 convolution that mixes nothing, and a global pool. */
writeFileSync(
  path("colours.onnx"),
  model({
    nodes: [node("Conv", ["x", "w"], ["h"]), node("GlobalAveragePool", ["h"], ["../y/1"])],
    initializers: [f32("w", [3, 3, 1, 1], [1, 0, 0, 0, 1, 0, 0, 0, 1])],
    inputs: [value("x", ["N", 3, 4, 6])],
    outputs: [value("../y/1", ["N", 3, 1, 1])],
  }),
);
writeFileSync(
  path("two.onnx"),
  model({
    nodes: [node("Add", ["a", "b"], ["sum"]), node("Sub", ["a", "b"], ["rest"])],
    inputs: [value("a", [2, 3]), value("b", [2, 3])],
    outputs: [value("sum", [2, 3]), value("rest", [2, 3])],
  }),
);
const array = (...numbers: number[]) => writeNpy({ shape: [2, 3], data: Float32Array.from(numbers) });
writeFileSync(path("a.npy"), array(1, 2, 3, 4, 5, 6));
writeFileSync(path("b.npy"), array(10, 20, 30, 40, 50, 60));
writeFileSync(path("labels.txt"), "red\ngreen\nblue\n");

beforeAll(async () => {
  const paint = (name: string, background: { r: number; g: number; b: number }): Promise<unknown> =>
    sharp({ create: { width: 9, height: 8, channels: 3, background } }).png().toFile(path(name)); // biome-ignore format: a line
  await paint("orange.png", { r: 255, g: 102, b: 0 });
  await paint("sea.png", { r: 0, g: 51, b: 204 });
});

test("pictures: the best classes, by their labels", async () => {
  const { code, stdout, stderr } = await rank1("run", path("colours.onnx"), "--image", path("orange.png"), path("sea.png"), "--labels", path("labels.txt"), "--top", "2"); // biome-ignore format: one line
  expect([code, stderr]).toEqual([0, ""]);
  const [first, second] = stdout.split(/^(?=\S)/m);
  expect(first).toMatch(/^\S*orange\.png {2}\S+ ms\n {2}\.\.\/y\/1 {2}f32 1 × 3 × 1 × 1 {2}0 to 1, mean 0\.4667\n/);
  expect(first).toMatch(/\n {4}0 +red +1 +52\.2 % +[█▏▎▍▌▋▊▉]+\n {4}1 +green +0\.4 +28\.6 % /);
  expect(second).toMatch(/sea\.png.*\n.*\n.*\n {4}2 +blue +0\.8 /);
});

test("means and deviations, remembered beside the model, and overruled", async () => {
  const settings = ["--mean", "0,0.4,0.5", "--std", "1,0.5,0.1", "--size", "6x4", "--labels", path("labels.txt")];
  const run = async (...args: string[]) => {
    const { stdout } = await rank1("run", path("colours.onnx"), "--image", path("orange.png"), "--json", ...args);
    return JSON.parse(stdout).results[0].outputs[0].top as { label?: string; value: number }[];
  };
  const top = await run(...settings, "--save");
  expect(top.map(({ label, value }) => [label, Number(value.toFixed(4))])).toEqual([["red", 1], ["green", 0], ["blue", -5]]); // biome-ignore format: a line
  expect(JSON.parse(readFileSync(path("colours.onnx.json"), "utf8"))).toEqual({
    ...{ version: 1, size: { width: 6, height: 4 }, mean: [0, 0.4, 0.5], std: [1, 0.5, 0.1] },
    labels: ["red", "green", "blue"],
  });
  expect(await run()).toEqual(top);
  expect((await run("--mean", "0.1"))[0]).toMatchObject({ label: "red", value: expect.closeTo(0.9, 5) });
  writeFileSync(path("colours.onnx.json"), '{"version": 1, "maen": 0.5}');
  const misspelt = await rank1("run", path("colours.onnx"), "--image", path("orange.png"));
  expect([misspelt.code, misspelt.stderr]).toEqual([1, expect.stringMatching(/colours\.onnx\.json key: .*did you mean "mean"/)]); // biome-ignore format: one line
  writeFileSync(path("colours.onnx.json"), '{"version": 1}');
});

test("arrays in and out", async () => {
  const inputs = ["--input", `a=${path("a.npy")}`, "--input", `b=${path("b.npy")}`];
  const { code, stdout } = await rank1("run", path("two.onnx"), ...inputs, "--output", folder);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\S+ ms\n {2}sum {2}f32 2 × 3 {2}11 to 66, mean 38\.5 {2}-> \S*sum\.npy\n {2}rest {2}f32/);
  expect(readNpy(readFileSync(path("sum.npy")))).toEqual({
    shape: [2, 3],
    data: Float32Array.of(11, 22, 33, 44, 55, 66),
  });
  expect(readNpy(readFileSync(path("rest.npy"))).data[5]).toBe(-54);
});

test("names of results do not lead out of the folder", async () => {
  const args = ["--image", path("orange.png"), "--output", folder, "--quiet"];
  expect(await rank1("run", path("colours.onnx"), ...args)).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(readdirSync(folder)).toContain("orange.png.__y_1.npy");
});

test("JSON, of a model on the standard input", async () => {
  const args = ["run", "-", "--image", path("sea.png"), "--json", "--threads", "1", "--no-wide"];
  const { stdout } = await spawnRank1(args, { input: readFileSync(path("colours.onnx")) });
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({ version: 1, model: "model", engine: { threads: 1, wide: { enabled: false } } });
  expect(json.results).toMatchObject([{ input: path("sea.png"), outputs: [{ name: "../y/1", dtype: "f32", shape: [1, 3, 1, 1] }] }]); // biome-ignore format: one line
});

test("another shape than the model declares", async () => {
  const args = ["--image", path("sea.png"), "--json", "--shape", "x=1x3x2x2"];
  const { stdout } = await rank1("run", path("colours.onnx"), ...args);
  expect(JSON.parse(stdout).results[0].outputs[0].most).toBeCloseTo(0.8, 5);
});

test("a profile: every piece of the work, with its share", async () => {
  const { stdout } = await rank1("run", path("colours.onnx"), "--image", path("sea.png"), "--profile");
  const lines = stdout.slice(stdout.indexOf("a run on one thread, the median of 25")).split("\n");
  expect(lines[1]).toMatch(/^what +of +result +on +ms +share$/);
  expect(lines.slice(2, 6).map((line) => line.split(/ {2,}/)[0])).toEqual(["copy in", "Conv", "GlobalAveragePool", "copy out"]); // biome-ignore format: one line
  const shares = lines.slice(2, 6).map((line) => Number(line.match(/([\d.]+) %/)![1]));
  expect(shares.reduce((a, b) => a + b)).toBeCloseTo(100, 0);
});

test("explain: parts, stages and kernels", async () => {
  const { code, stdout } = await rank1("explain", path("colours.onnx"), "--shape", "x=1x3x40x60");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^colours\.onnx {2}2 stages by 2 kernels, 0 nodes on the host; [\d.]+ kB of memory\n\npart 1, on the machine\n/); // biome-ignore format: one line
  expect(stdout).toMatch(/\nConv +Conv of x,w +1 × 3 × 40 × 60 +conv 1 x 1, 3 -> 3 channels\n/);
  expect(stdout).toMatch(/\nGlobalAveragePool .*pool average of 40 x 60\n/);
  const json = JSON.parse((await rank1("explain", path("two.onnx"), "--json")).stdout);
  expect(json).toMatchObject({ version: 1, model: "two.onnx", kernels: [], parts: [{ place: "host", works: [{ op: "Add" }, { op: "Sub" }] }] }); // biome-ignore format: one line
});

const colours = path("colours.onnx");
test.each<[args: string[], code: number, message: RegExp]>([
  [["run", colours], 2, /--image: expected pictures, or arrays with --input, got neither$/],
  [["run", colours, "--image", "a.png", "--input", "x=a.npy"], 2, /--image: expected either pictures or arrays, got both/],
  [["run", colours, "--input", "x=a.npy", "--mean", "1"], 2, /--mean: expected pictures, of which it is an option/],
  [["run", colours, "--image", "a.png", "--mean", "1,b"], 2, /Expected a number/],
  [["run", colours, "--image", path("sea.png"), "--mean", "1,2"], 2, /mean: expected one number or 3, got \[1, 2\]/],
  [["run", colours, "--image", path("sea.png"), "--std", "0"], 2, /std: expected numbers other than 0, got 0/],
  [["run", colours, "--image", path("sea.png"), "--size", "8"], 2, /Expected WIDTHxHEIGHT/],
  [["run", colours, "--image", path("sea.png"), "--size", "8x8"], 1, /colours\.onnx: input "x": expected a tensor of f32 \[N, 3, 4, 6\], got \[1, 3, 8, 8\]/],
  [["run", colours, "--image", path("none.png")], 1, /none\.png: expected a readable file/],
  [["run", colours, "--image", colours], 1, /colours\.onnx: expected an intact PNG/],
  [["run", colours, "--image", "a.png", "--output", path("none")], 1, /--output: expected an existing folder/],
  [["run", colours, "--input", path("a.npy")], 2, /Expected NAME=FILE/],
  [["run", colours, "--input", `z=${path("a.npy")}`], 2, /--input: expected one named x, got none/],
  [["run", path("two.onnx"), "--input", `a=${path("a.npy")}`], 2, /--input: expected one named b, got none/],
  [["run", path("two.onnx"), "--image", path("sea.png")], 2, /--image: expected a model with one input/],
  [["run", path("two.onnx"), "--input", `a=${path("a.npy")}`, "--input", `b=${colours}`], 1, /expected an intact \.npy file/],
  [["run", path("none.onnx"), "--image", "a.png"], 1, /none\.onnx: expected a readable file/],
  [["run", path("a.npy"), "--image", "a.png"], 1, /a\.npy: /],
  [["run", colours, "--image", path("sea.png"), path("sea.png"), "--output", folder], 2, /--output: .*sea\.png\.__y_1\.npy twice/],
  [["run", "-", "--image", "a.png", "--save"], 2, /--save: expected a model in a file, got -/],
  [["run", colours, "--image", path("sea.png"), "--threads", "0"], 2, /at least 1/],
  [["explain", colours, "--gain", "2"], 2, /--gain: expected a filter or layer, of which it is an option, got \S*colours\.onnx/],
  [["explain", "box:3", "--shape", "x=1"], 2, /--shape: expected an ONNX file with it, got box:3/],
  [["explain", colours, "--shape", "z=1x3x4x6"], 1, /shapes key/],
  [["explain", path("none.onnx")], 1, /none\.onnx: expected a readable file/],
])("%j", async (args, code, message) => {
  const result = await rank1(...args);
  expect([result.code, result.stdout]).toEqual([code, ""]);
  expect(result.stderr.trim()).toMatch(message);
}); // biome-ignore format: lines

test("an interruption ends a run", async () => {
  const controller = new AbortController();
  controller.abort();
  const result = await rank1With(controller.signal, "run", colours, "--image", path("sea.png"));
  expect([result.code, result.stderr]).toEqual([130, "rank1: interrupted\n"]);
});

const missing = withoutData();
test.skipIf(missing)(`ResNet-20 knows a horse${missing}`, async () => {
  const horses = dataPath("cifar10/test/horse");
  const args = [
    "--image",
    join(horses, readdirSync(horses)[0]!),
    "--mean",
    "0.485,0.456,0.406",
    "--std",
    "0.229,0.224,0.225",
  ];
  const { stdout } = await rank1("run", dataPath("models/resnet20-cifar10.onnx"), ...args);
  expect(stdout).toMatch(/\n {4}7 .* %/);
});
