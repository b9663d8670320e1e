// The command line as the package brings it: built, in a folder of its own, with the demo bundled.
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"; // biome-ignore format: one line
import { delimiter, dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { renderScene } from "../../demo/drawing/scene.ts";
import { buildPackage } from "../../scripts/build.ts";
import { createEngine, type Filter, type FilterOptions, factorize } from "../../src/index.ts";
import { writePicture } from "../../src/node/encode.ts";
import { readPicture } from "../../src/node/pictures.ts";
import { filterSnippets, layerSnippets, modelSnippets } from "../../web/src/snippets.ts";
import { initial } from "../../web/src/state/hash.ts";
import { temporaryFolder } from "../node/folder.ts";
import { model, node, tensor, value } from "../onnx/build.ts";

const root = join(import.meta.dirname, "../..");
const folder = temporaryFolder();
const { files, bin, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

beforeAll(async () => {
  for (const file of ["package.json", ...files].filter((name) => name !== "dist")) {
    cpSync(join(root, file), join(folder, file), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  await buildPackage(join(folder, "dist"));
}, 120_000);

const run = (...args: string[]): string =>
  execFileSync(process.execPath, [join(folder, bin.rank1), ...args], { cwd: folder, encoding: "utf8" });

test("rank1 demo draws its pictures and its page", async () => {
  expect(existsSync(join(folder, "src"))).toBe(false);
  expect(existsSync(join(folder, "demo"))).toBe(false);
  expect(run("demo", "-o", "tour/")).toMatch(/\nOpen tour\/index\.html in a browser to see it all\.\n$/);
  expect(readdirSync(join(folder, "tour"))).toContain("gabor.png");
  const scene = await readPicture(join(folder, "tour/scene.png"));
  expect(Buffer.from(scene.data.buffer).equals((await renderScene()).data)).toBe(true);
});

describe.skipIf(process.platform === "win32")("the commands that the studio gives away, in a shell", () => {
  const app = join(folder, "an app");
  const [width, height] = [31, 22];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * i * 31 + i * 7) % 256);
  const image = { width, height, channels: 3, data } as const;
  /** As it is pasted; npx finds the package in the folder, and asks no network. */
  const shell = (command: string): string => {
    const path = [dirname(process.execPath), join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
    return execFileSync("sh", ["-ec", command], { cwd: app, encoding: "utf8", env: { ...process.env, PATH: path } });
  };

  beforeAll(async () => {
    mkdirSync(join(app, "node_modules/.bin"), { recursive: true });
    chmodSync(join(folder, bin.rank1), 0o755);
    symlinkSync(join(folder, bin.rank1), join(app, "node_modules/.bin/rank1"));
    await writePicture(join(app, "in.png"), { ...image, alpha: false });
    writeFileSync(join(app, "package.json"), "{}");
  });

  const weights = Float32Array.from({ length: 8 * 3 * 9 }, (_, i) => Math.sin(i * i));
  const network = model({
    nodes: [node("Conv", ["x", "w"], ["y"]), node("Relu", ["y"], ["z"])],
    initializers: [tensor("w", [8, 3, 3, 3], { rawData: new Uint8Array(weights.buffer) })],
    inputs: [value("x", [1, 3, 16, 16])],
    outputs: [value("z", [1, 8, 14, 14])],
  });
  const own = { kh: 2, kw: 3, values: [0.5, -1, 2e-7, 3, 0, -2.25], gain: 0.125 };
  const cases: [Filter, FilterOptions, rank?: number][] = [
    ["sobel-x", { output: "u8", gain: 0.25, offset: 128 }],
    ["gaussian:sigma=1.3", { border: "edge" }],
    ["gabor:size=9x9,angle=30", { border: "wrap", flip: true, output: "i16" }],
    [own, { border: "constant", output: "f32" }],
    [
      { column: [-1, 0, 1], row: [1, 2, 1], gain: 0.5 },
      { border: "symmetric", output: "u8", offset: 128 },
    ],
    ["disk:radius=4", { border: "reflect" }, 3],
    ["emboss", { flip: true, output: "f32" }, 1],
  ];

  test.each(cases)("%j with %j", async (filter, options, rank) => {
    const factors = factorize(filter, rank === undefined ? {} : { rank });
    const { command } = filterSnippets(filter, options, factors);
    const [out] = /out\.\w+/.exec(command)!;
    rmSync(join(app, out!), { force: true });
    expect(shell(command)).toMatch(new RegExp(`rank ${factors.exactRank}`));
    const { kh, kw, terms } = factors;
    const sumAt = (y: number, x: number): number =>
      terms.reduce((sum, { column, row }) => sum + column[y]! * row[x]!, 0);
    const values = Array.from({ length: kh * kw }, (_, i) => sumAt(Math.floor(i / kw), i % kw));
    const engine = await createEngine({ backend: "reference" });
    const expected = await engine.filter(image, rank === undefined ? filter : { kh, kw, values }, options);
    const found = await readPicture(join(app, out!));
    expect([found.width, found.height, found.channels]).toEqual([width, height, 3]);
    const off = Array.from(expected.data).reduce((worst, one, i) => Math.max(worst, Math.abs(one - found.data[i]!)), 0);
    // Real taps are summed in another order, so that a result may round the other way
    expect(off).toBeLessThanOrEqual(options.output === "f32" ? 1e-3 : 1);
  });

  test("of a layer and of a model, whatever its name", () => {
    const layer = layerSnippets({ ...initial.layer, multiplier: 2, stride: 2, dilation: 2 });
    expect(shell(layer.command)).toMatch(/[\d,]+ multiplications/);
    const file = 'it\'s a "net" $HOME.onnx';
    cpSync(join(root, "assets/shapes.onnx"), join(app, file));
    cpSync(join(app, "in.png"), join(app, "photo.jpg"));
    cpSync(join(app, "in.png"), join(app, "photos/one.png"));
    const scaling = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
    const use = { file, input: "input", shape: [1, 3, 32, 32], scaling, pieces: false, goal: { rank: 1 }, calibrated: false }; // biome-ignore format: one line
    const said = shell(modelSnippets(use).command);
    expect(said).toContain("logits");
    const names = readdirSync(app).filter((name) => name.endsWith("-separated.onnx"));
    expect(names).toEqual(['it\'s a "net" $HOME-separated.onnx']);
    const calibrated = { ...use, input: "x", goal: { reduce: 1.2 }, calibrated: true, file: "plain.onnx" };
    writeFileSync(join(app, "plain.onnx"), network);
    shell(modelSnippets(calibrated).command);
    expect(existsSync(join(app, "plain-separated.onnx"))).toBe(true);
  });
});

test("an older Node is told which one is needed", () => {
  const main = join(folder, bin.rank1);
  expect(readFileSync(main, "utf8")).not.toMatch(/^import /m); // what it lacks could not even be linked
  const older = "Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.19.1'}})";
  const args = ["--import", `data:text/javascript,${older}`, main, "--version"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  const message = `rank1 needs Node ${engines.node.replace(">=", "")} or later; this is 20.19.1\n`;
  expect([status, stdout, stderr]).toEqual([1, "", message]);
});

test("types are those of the public names alone", () => {
  expect(readFileSync(join(folder, "dist/index.d.ts"), "utf8")).toContain("createEngine");
  expect(readFileSync(join(folder, "dist/onnx/index.d.ts"), "utf8")).toContain("loadModel");
  expect(readdirSync(join(folder, "dist/cli"))).toEqual(["main.js"]);
});
