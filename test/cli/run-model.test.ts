// rank1 run: pictures and arrays in, answers and arrays out, and what is said of bad input.
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
  const { code, stdout, stderr } = await rank1("run", path("colours.onnx"), path("orange.png"), path("sea.png"), "--labels", path("labels.txt"), "--top", "2"); // biome-ignore format: one line
  expect([code, stderr]).toEqual([0, ""]);
  const [first, second] = stdout.split(/^(?=\S)/m);
  expect(first).toMatch(
    /^\S*orange\.png {2}\S+ ms \(\S+ ms of them to compile, once\)\n {2}input 9 × 8 → 6 × 4, proportions not kept \(--letterbox keeps them\), RGB 0\.\.1\n {2}\.\.\/y\/1 {2}f32 1 × 3 × 1 × 1 {2}0 to 1, mean 0\.4667 {2}as classes \(guess; else --as values\)\n/,
  );
  expect(first).toMatch(/\n {4}0 +red +1 +52\.2 % +[█▏▎▍▌▋▊▉]+\n {4}1 +green +0\.4 +28\.6 % /);
  expect(second).toMatch(/sea\.png {2}\S+ ms\n.*\n.*\n.*\n {4}2 +blue +0\.8 /);
});

test("means and deviations, remembered beside the model, and overruled", async () => {
  const settings = ["--mean", "0,0.4,0.5", "--std", "1,0.5,0.1", "--size", "6x4", "--labels", path("labels.txt")];
  const run = async (...args: string[]) => {
    const { stdout } = await rank1("run", path("colours.onnx"), path("orange.png"), "--json", ...args);
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
  const misspelt = await rank1("run", path("colours.onnx"), path("orange.png"));
  expect([misspelt.code, misspelt.stderr]).toEqual([1, expect.stringMatching(/colours\.onnx\.json key: .*did you mean "mean"/)]); // biome-ignore format: one line
  writeFileSync(path("colours.onnx.json"), '{"version": 1}');
});

test("arrays in and out", async () => {
  const inputs = ["--input", `a=${path("a.npy")}`, "--input", `b=${path("b.npy")}`];
  const { code, stdout } = await rank1("run", path("two.onnx"), ...inputs, "-o", folder);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^\S+ ms \(.*\)\n {2}sum {2}f32 2 × 3 {2}11 to 66, mean 38\.5 {2}as values {2}-> \S*sum\.npy\n {4}11, 22, 33, 44, 55, 66\n {2}rest {2}f32/,
  );
  expect(readNpy(readFileSync(path("sum.npy")))).toEqual({
    shape: [2, 3],
    data: Float32Array.of(11, 22, 33, 44, 55, 66),
  });
  expect(readNpy(readFileSync(path("rest.npy"))).data[5]).toBe(-54);
});

test("names of results do not lead out of the folder", async () => {
  const args = [path("orange.png"), "-o", folder, "--quiet"];
  expect(await rank1("run", path("colours.onnx"), ...args)).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(readdirSync(folder)).toContain("orange.png.__y_1.npy");
});

test("JSON, of a model on the standard input", async () => {
  const args = ["run", "-", path("sea.png"), "--json", "--threads", "1", "--no-wide"];
  const { stdout } = await spawnRank1(args, { input: readFileSync(path("colours.onnx")) });
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({ version: 1, model: "model", engine: { threads: 1, wide: { enabled: false } } });
  expect(json.results).toMatchObject([{ input: path("sea.png"), outputs: [{ name: "../y/1", dtype: "f32", shape: [1, 3, 1, 1] }] }]); // biome-ignore format: one line
});

test("another shape than the model declares", async () => {
  const args = [path("sea.png"), "--json", "--shape", "x=1x3x2x2"];
  const { stdout } = await rank1("run", path("colours.onnx"), ...args);
  expect(JSON.parse(stdout).results[0].outputs[0].most).toBeCloseTo(0.8, 5);
});

test("several inputs by name, pictures among them; some of the outputs; a short report", async () => {
  const nodes = [node("Mul", ["photo", "gain"], ["big"]), node("Neg", ["photo"], ["dark"])];
  const [sides, outputs] = [
    [1, 4, 6, 3],
    [value("big", [1, 4, 6, 3]), value("dark", [1, 4, 6, 3])],
  ] as const;
  writeFileSync(
    path("gain.onnx"),
    model({ nodes, inputs: [value("photo", sides), value("gain", [1])], outputs: [...outputs] }),
  );
  writeFileSync(path("gain.npy"), writeNpy({ shape: [1], data: Float32Array.of(2) }));
  const inputs = ["--input", `photo=${path("orange.png")}`, "--input", `gain=${path("gain.npy")}`];
  const run = (...args: string[]) => rank1("run", path("gain.onnx"), ...inputs, "--json", ...args);
  const json = JSON.parse((await run("--outputs", "big", "--bgr", "--range", "0..255")).stdout);
  expect(json.results[0].outputs).toMatchObject([{ name: "big", least: 0, most: 510 }]);
  expect(json.engine.wide.verdicts).toBe(undefined);
  expect(JSON.parse((await run()).stdout).results[0].outputs.map(({ name }: { name: string }) => name)).toEqual(["big", "dark"]); // biome-ignore format: a line
});

test("what a row of numbers is, is told by its name and values", async () => {
  const guesses = async (name: string, rest: string[], ...numbers: number[]) => {
    const shape = [1, numbers.length];
    const all = [name, ...rest];
    const nodes = all.map((one) => node("Identity", ["x"], [one]));
    writeFileSync(path("row.onnx"), model({ nodes, inputs: [value("x", shape)], outputs: all.map((one) => value(one, shape)) })); // biome-ignore format: a line
    writeFileSync(path("row.npy"), writeNpy({ shape, data: Float32Array.from(numbers) }));
    const { stdout } = await rank1("run", path("row.onnx"), path("row.npy"), "--json");
    return JSON.parse(stdout).results[0].outputs[0].as;
  };
  expect(await guesses("y", [], 3, -2, 8)).toBe("classes");
  expect(await guesses("y", ["z"], 3, -2, 8)).toBe("values");
  expect(await guesses("y", ["z"], 0.25, 0.5, 0.25)).toBe("classes");
  expect(await guesses("class_scores", ["z"], 3, -2, 8)).toBe("classes");
  expect(await guesses("landmarks", [], 3, -2, 8)).toBe("values");
  expect(await guesses("y", [], 0.6, 0.8)).toBe("values");
  expect(await guesses("y", [], 0.1, 0.2, 0.9, 0.4)).toBe("values");
});

test("an operator that is missing is said before any picture is read", async () => {
  const nodes = [node("Relu", ["x"], ["h"]), node("Unheard", ["h"], ["y"])];
  const [inputs, outputs] = [[value("x", [1, 3, 8, 8])], [value("h", [1, 3, 8, 8]), value("y", [1])]];
  writeFileSync(path("strange.onnx"), model({ nodes, inputs, outputs }));
  const whole = await rank1("run", path("strange.onnx"), path("none.png"));
  expect([whole.code, whole.stderr]).toEqual([1, expect.stringMatching(/strange\.onnx: node "Unheard of h": expected an operator that rank1 computes, got Unheard/)]);
  const part = await rank1("run", path("strange.onnx"), path("orange.png"), "--outputs", "h");
  expect([part.code, part.stdout]).toEqual([0, expect.stringContaining("as picture of 0 to 1")]);
  const seen = await rank1("inspect", path("strange.onnx"));
  expect(seen.stdout).toContain("not computed by rank1: Unheard; the rest is shown");
}); // biome-ignore format: lines

test("timings: every piece of the work, with its share", async () => {
  const { stdout } = await rank1("run", path("colours.onnx"), path("sea.png"), "--timings");
  const lines = stdout.slice(stdout.indexOf("a run on one thread, the median of 25")).split("\n");
  expect(lines[1]).toMatch(/^what +of +result +on +ms +share$/);
  const pieces = lines.slice(2, lines.findIndex((line) => line.startsWith("copy out")) + 1);
  const names = new Set(pieces.map((line) => line.split(/ {2,}/)[0]));
  expect([...names]).toEqual(["copy in", "Conv", "GlobalAveragePool", "copy out"]);
  const shares = pieces.map((line) => Number(line.match(/([\d.]+) %/)![1]));
  expect(shares.reduce((a, b) => a + b)).toBeCloseTo(100, 0);
});

test("--explain: partitions, stages and kernels", async () => {
  const { code, stdout } = await rank1("run", path("colours.onnx"), "--explain", "--shape", "x=1x3x40x60");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^colours\.onnx {2}4 stages by 3 kernels, 0 nodes on the host; [\d.]+ kB of memory\n\npartition 1, on the backend\n/); // biome-ignore format: one line
  expect(stdout).toMatch(/\nConv +Conv of x,w +1 × 3 × 40 × 60 +conv 1 x 1, 3 -> 3 channels\n/);
  expect(stdout).toMatch(/\nGlobalAveragePool .*reduce sum of the pixels\n/);
  const json = JSON.parse((await rank1("run", path("two.onnx"), "--explain", "--json")).stdout);
  expect(json).toMatchObject({ version: 1, model: "two.onnx", kernels: [], partitions: [{ place: "host", tasks: [{ op: "Add" }, { op: "Sub" }] }] }); // biome-ignore format: one line
});

test("arrays and pictures are inputs alike, also on the standard input; a single result may have a file", async () => {
  const shape = [1, 3, 4, 6];
  const x = Float32Array.from({ length: 72 }, (_, i) => Math.floor(i / 24) + 1);
  writeFileSync(path("x.npy"), writeNpy({ shape, data: x }));
  const file = path("deep/down/y.npy");
  const { code, stdout } = await rank1("run", path("colours.onnx"), path("x.npy"), "-o", file);
  expect([code, stdout]).toEqual([0, expect.stringContaining(`-> ${file}\n`)]);
  const expected = { shape: [1, 3, 1, 1], data: Float32Array.of(1, 2, 3) };
  expect(readNpy(readFileSync(file))).toEqual(expected);
  const input = readFileSync(path("x.npy"));
  const piped = await spawnRank1(["run", path("colours.onnx"), "-", "-o", "-", "--quiet"], { input });
  expect([piped.code, piped.stderr]).toEqual([0, ""]);
  expect(readNpy(new Uint8Array(piped.bytes))).toEqual(expected);
  const picture = await spawnRank1(["run", path("colours.onnx"), "-", "--json"], {
    input: readFileSync(path("sea.png")),
  });
  expect(JSON.parse(picture.stdout).results[0]).toMatchObject({ input: "-", outputs: [{ as: "classes" }] });
});

test("what a result is, is guessed and said: a picture goes out as one", async () => {
  const nodes = [node("Relu", ["x"], ["y"])];
  const [inputs, outputs] = [[value("x", [1, 3, "h", "w"])], [value("y", [1, 3, "h", "w"])]];
  writeFileSync(path("same.onnx"), model({ nodes, inputs, outputs }));
  const run = (...args: string[]) => rank1("run", path("same.onnx"), path("orange.png"), ...args);
  expect((await run()).stdout).toMatch(
    /\n {2}y {2}f32 1 × 3 × 8 × 9 .* {2}as picture of 0 to 1 \(guess; else --as values\) \(-o FOLDER\/ writes it\)\n$/,
  );
  const { stdout } = await run("-o", path("pictures/"), "--json");
  expect(JSON.parse(stdout).results[0].outputs[0]).toMatchObject({
    as: "picture",
    file: path("pictures/orange.png.y.png"),
  });
  const pixels = await sharp(path("pictures/orange.png.y.png")).raw().toBuffer({ resolveWithObject: true });
  expect([pixels.info.width, pixels.info.height, ...pixels.data.subarray(-3)]).toEqual([9, 8, 255, 102, 0]);
  expect((await run("-o", path("pictures"), "--as", "values")).stdout).toContain("orange.png.y.npy");
  expect(readNpy(readFileSync(path("pictures/orange.png.y.npy"))).shape).toEqual([1, 3, 8, 9]);
  expect((await run("-o", path("pictures"))).code).toBe(1);
  expect((await run("-o", path("pictures"), "--force")).code).toBe(0);
  expect((await run("-o", path("y.webp"))).code).toBe(0);
  expect((await sharp(path("y.webp")).metadata()).format).toBe("webp");
});

test("of several inputs one that fails does not stop the others, and the exit code is 3", async () => {
  const inputs = [path("sea.png"), path("none.png"), path("orange.png")];
  const { code, stdout, stderr } = await rank1("run", path("colours.onnx"), ...inputs, "--json", "--timings");
  expect([code, stderr]).toEqual([3, expect.stringMatching(/none\.png: expected a readable file.*\nrank1: 1 of 3 inputs failed\n$/)]);
  const { version, results, failures, timings } = JSON.parse(stdout);
  expect([version, results.length, failures.length, timings.runs > 0]).toEqual([1, 2, 1, true]);
  expect((await rank1("run", path("colours.onnx"), path("none.png"), path("gone.png"))).code).toBe(1);
}); // biome-ignore format: lines

const colours = path("colours.onnx");
test.each<[args: string[], code: number, message: RegExp]>([
  [["run", colours], 2, /inputs: expected pictures or \.npy files after the model, got none$/],
  [["run", colours, "a.png", "--input", "x=a.npy"], 2, /--input: expected either files after the model or inputs by name, got both/],
  [["run", colours, "--input", "x=a.npy", "--mean", "1"], 2, /--mean: expected pictures, of which it is an option/],
  [["run", colours, "a.png", "--mean", "1,b"], 2, /Expected a number/],
  [["run", colours, path("sea.png"), "--mean", "1,2"], 2, /mean: expected one number or 3, got \[1, 2\]/],
  [["run", colours, path("sea.png"), "--std", "0"], 2, /std: expected numbers other than 0, got 0/],
  [["run", colours, path("sea.png"), "--size", "8"], 2, /Expected WIDTHxHEIGHT/],
  [["run", colours, path("sea.png"), "--size", "8x8"], 1, /colours\.onnx: input "x": expected a tensor of f32 \[N, 3, 4, 6\], got \[1, 3, 8, 8\]; --size WxH is the size of pictures/],
  [["run", colours, path("none.png")], 1, /none\.png: expected a readable file/],
  [["run", colours, colours], 1, /colours\.onnx: expected an intact PNG/],
  [["run", colours, path("sea.png"), "-o", path("none")], 2, /-o: expected a folder such as \S*none\/, or a file that ends in \.npy or \.png/],
  [["run", colours, path("sea.png"), "-o", path("sea.png")], 1, /expected an output that is not one of the inputs/],
  [["run", colours, path("sea.png"), "-o", path("a.npy")], 1, /a\.npy: expected a name that is free, got a file; --force replaces it/],
  [["run", colours, path("sea.png"), "-o", path("new.npy"), "--as", "picture"], 2, /--as: expected values, as \S*new\.npy is one, got picture/],
  [["run", path("two.onnx"), ...["a", "b"].flatMap((x) => ["--input", `${x}=${path(x)}.npy`]), "--as", "classes"], 2, /--as classes: expected a row of numbers, got sum f32 \[2, 3\]/],
  [["run", colours, path("sea.png"), "--mean", "127"], 2, /--mean: expected numbers in the range from 0 to 1, got 127; .*--range 0\.\.255/],
  [["run", colours, path("sea.png"), "--std", "128"], 2, /--std: expected numbers that fit the range from 0 to 1, got 128/],
  [["run", colours, path("sea.png"), "--range", "5"], 2, /Expected LOW\.\.HIGH/],
  [["run", colours, path("sea.png"), "--range", "0,255"], 2, /Expected LOW\.\.HIGH such as 0\.\.255/],
  [["run", colours, path("sea.png"), "--letterbox", "--background", "0.5"], 2, /Expected a level from 0 \(black\) to 255 \(white\)\. 128 is 0\.5 of white/],
  [["run", colours, path("sea.png"), "--letterbox", "--background", "256"], 2, /Expected a level from 0/],
  [["run", colours, path("sea.png"), "--background", "5"], 2, /--background: expected a frame, by --letterbox or --fit contain, got --fit fill/],
  [["run", colours, path("sea.png"), "--align", "0,0"], 2, /--align: expected --letterbox/],
  [["run", colours, path("sea.png"), "--letterbox", "--align", "0,2"], 2, /Expected X,Y from 0 to 1/],
  [["run", colours, path("sea.png"), "-o", path("new.jpg"), "--as", "mask"], 2, /-o: expected a folder, or a file that ends in \.png or \.npy for a mask/],
  [["run", path("two.onnx"), "--input", `summ=${path("a.npy")}`], 2, /--input: expected one of a, b, got "summ"$/],
  [["run", path("two.onnx"), "--input", `A=${path("a.npy")}`], 2, /did you mean "a"\?/],
  [["run", colours, path("sea.png"), "--letterbox", "--fit", "cover"], 2, /--letterbox: is --fit contain, got --fit cover/],
  [["run", colours, path("sea.png"), "--save"], 2, /--save: expected something to remember, such as --mean or --labels, got none/],
  [["run", path("two.onnx"), path("sea.png"), "--outputs", "sums"], 2, /--outputs: expected one of sum, rest, got "sums"; did you mean "sum"/],
  [["run", colours, path("sea.png"), path("orange.png"), "-o", "-"], 2, /-o: expected a folder for 2 results, got -/],
  [["run", path("two.onnx"), ...["a", "b"].flatMap((x) => ["--input", `${x}=${path(x)}.npy`]), "-o", "new.npy"], 2, /-o: expected a folder for 2 results, such as new\.npy\/, got new\.npy/],
  [["run", colours, "--input", path("a.npy")], 2, /Expected NAME=FILE/],
  [["run", colours, "--input", `z=${path("a.npy")}`], 2, /--input: expected one of x, got "z"/],
  [["run", path("two.onnx"), "--input", `a=${path("a.npy")}`], 2, /--input: expected one named b, got none/],
  [["run", path("two.onnx"), path("a.npy")], 2, /a\.npy: expected inputs by name, --input NAME=FILE, for a model with a and b/],
  [["run", path("two.onnx"), path("sea.png")], 2, /sea\.png: expected a model with one input/],
  [["run", path("two.onnx"), "--input", `a=${path("a.npy")}`, "--input", `b=${colours}`], 2, /input "b": expected an input for one picture: .*got f32 \[2, 3\]; arrays go in by \.npy files/],
  [["run", path("none.onnx"), "a.png"], 1, /none\.onnx: expected a readable file/],
  [["run", path("a.npy"), "a.png"], 1, /a\.npy: /],
  [["run", colours, path("sea.png"), path("sea.png"), "-o", folder], 2, /-o: .*sea\.png\.__y_1\.npy twice/],
  [["run", "-", "a.png", "--save"], 2, /--save: expected a model in a file, got -/],
  [["run", "-", "-"], 2, /an input: expected a file, got -, which is what the model reads/],
  [["run", colours, path("sea.png"), "--threads", "0"], 2, /at least 1/],
  [["run", colours, path("sea.png"), "-o", "-", "--json"], 2, /--json: expected results in files, got -o -/],
  [["run", colours, "--explain", "--timings"], 2, /--timings: expected a run, got --explain/],
  [["run", colours, "--explain", "--gain", "2"], 2, /unknown option '--gain'/],
  [["run", colours, "--explain", "--shape", "z=1x3x4x6"], 1, /shapes key/],
  [["run", path("none.onnx"), "--explain"], 1, /none\.onnx: expected a readable file/],
])("%j", async (args, code, message) => {
  const result = await rank1(...args);
  expect([result.code, result.stdout]).toEqual([code, ""]);
  expect(result.stderr.trim()).toMatch(message);
}); // biome-ignore format: lines

test("what a picture became is said: its place in a frame, and settings beside the model", async () => {
  writeFileSync(path("framed.onnx"), readFileSync(colours));
  const run = (...args: string[]) => rank1("run", path("framed.onnx"), path("orange.png"), ...args);
  const { stdout } = await run("--letterbox", "--align", "0,0", "--bgr", "--mean", "0.5", "--save", "--labels", path("labels.txt"));
  expect(stdout).toContain("\n  input 9 × 8 → 6 × 4, place 5 × 4 at 0, 0, BGR 0..1, mean 0.5\n");
  expect(JSON.parse(readFileSync(path("framed.onnx.json"), "utf8"))).toMatchObject({ fit: "contain", background: 114, align: [0, 0] });
  const again = await run("--mean", "0");
  expect(again.stdout).toContain("\n  input 9 × 8 → 6 × 4, place 5 × 4 at 0, 0, BGR 0..1, mean 0\n  fit, background, align, order, labels by framed.onnx.json\n");
  const { settings, results } = JSON.parse((await run("--json")).stdout);
  expect(settings).toMatchObject({ file: "framed.onnx.json", names: expect.arrayContaining(["mean", "labels"]) });
  expect(results[0].pictures).toEqual([{
    ...{ input: "x", picture: { width: 9, height: 8 }, size: { width: 6, height: 4 }, fit: "contain" },
    ...{ place: { left: 0, top: 0, width: 5, height: 4 }, colours: "BGR", range: [0, 1], mean: 0.5 },
  }]);
  expect(results[0].outputs[0].data).toHaveLength(3);
  expect(results[0].compiling).toBeGreaterThan(0);
}); // biome-ignore format: lines

test("labels that are not as many as the classes are said to be so", async () => {
  writeFileSync(path("four.txt"), "red\ngreen\nblue\nnone\n");
  for (const as of [[], ["--as", "classes"]]) {
    const { stdout } = await rank1("run", colours, path("sea.png"), "--labels", path("four.txt"), ...as);
    expect(stdout).toMatch(/as classes.*\n {4}--labels: 4 names for 3 classes\n {4}class .*\n {4}2 +blue /);
  }
});

test("scores of classes for each pixel become a mask; without that the error says how", async () => {
  const shape = [1, 5, 8, 9];
  writeFileSync(path("segment.onnx"), model({ nodes: [node("Relu", ["x"], ["y"])], inputs: [value("x", shape)], outputs: [value("y", shape)] })); // biome-ignore format: a line
  // Rows 0 to 3 are class 2, the others class 4
  const data = Float32Array.from({ length: 360 }, (_, i) => Number(Math.floor(i / 72) === (i % 72 < 36 ? 2 : 4)));
  writeFileSync(path("scores.npy"), writeNpy({ shape, data }));
  const run = (...args: string[]) => rank1("run", path("segment.onnx"), path("scores.npy"), ...args);
  expect((await run()).stdout).toContain("as values (guess; else --as mask)");
  const refused = await run("-o", path("scores.png"));
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/--as picture: expected 1, 3 or 4 channels of pixels, got y f32 \[1, 5, 8, 9\]; --as mask writes .*-o FILE\.npy/)]); // biome-ignore format: one line
  const { stdout } = await run("-o", path("mask.png"), "--as", "mask");
  expect(stdout).toMatch(/as mask {2}-> .*\n {4}class +pixels +share *\n {4}2 +36 +50\.0 % .*\n {4}4 +36 +50\.0 % /);
  expect(await sharp(path("mask.png")).metadata()).toMatchObject({ width: 9, height: 8, isPalette: true });
  const { data: colours } = await sharp(path("mask.png")).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  expect([...colours.subarray(0, 3), ...colours.subarray(-3)]).toEqual([0, 128, 0, 0, 0, 128]);
  expect((await run("-o", path("mask.npy"), "--as", "mask")).code).toBe(0);
  const mask = readNpy(readFileSync(path("mask.npy")));
  expect([mask.shape, mask.data[0], mask.data[71]]).toEqual([[8, 9], 2, 4]);
});

test("--explain of open sizes lists what there is, and names the option with the input", async () => {
  const [inputs, outputs] = [[value("x", [1, 3, "h", "w"])], [value("y", [1, 3, "h", "w"])]];
  writeFileSync(path("open.onnx"), model({ nodes: [node("Relu", ["x"], ["y"])], inputs, outputs }));
  const { code, stdout } = await rank1("run", path("open.onnx"), "--explain");
  expect([code, stdout]).toEqual([0, expect.stringMatching(/input {3}x {2}f32 1 × 3 × h × w\n[\s\S]*\nfor what is computed where: --shape x=1x3x\?x\?\n$/)]);
  const json = await rank1("run", path("open.onnx"), "--explain", "--json");
  expect([json.code, json.stderr]).toEqual([2, expect.stringMatching(/give it with --shape x=1x3x\?x\? \(a number for each \?\)\n$/)]);
}); // biome-ignore format: lines

test("a terminal gets no arrays", async () => {
  process.stdout.isTTY = true;
  try {
    const { code, stderr } = await rank1("run", colours, path("sea.png"), "-o", "-");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/-o: expected a file, .*, got - at a terminal/)]);
  } finally {
    process.stdout.isTTY = false;
  }
});

test("an interruption ends a run", async () => {
  const controller = new AbortController();
  controller.abort();
  const result = await rank1With(controller.signal, "run", colours, path("sea.png"));
  expect([result.code, result.stderr]).toEqual([130, "rank1: interrupted\n"]);
});

const missing = withoutData();
test.skipIf(missing)(`ResNet-20 knows a horse${missing}`, async () => {
  const horses = dataPath("cifar10/test/horse");
  const args = [join(horses, readdirSync(horses)[0]!), "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"];
  const { stdout } = await rank1("run", dataPath("models/resnet20-cifar10.onnx"), ...args);
  expect(stdout).toMatch(/\n {4}7 .* %/);
});
