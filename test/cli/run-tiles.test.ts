// rank1 run --tile: pictures of any size, piece by piece, give the files that they give whole.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../src/node/npy.ts";
import { temporaryFolder } from "../node/folder.ts";
import { attributeOf, model, node, tensor, value } from "../onnx/build.ts";
import { Random } from "../random-tensors.ts";
import { rank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const ints = (entries: Record<string, number | number[]>) => ({ attribute: Object.entries(entries).map(attributeOf) });
const numbers = (dims: number[], least: number, most: number) => new Random(9).tensor(dims, "f32", least, most);
const weights = (dims: number[], least: number, most: number): Uint8Array =>
  tensor("w", dims, { rawData: new Uint8Array((numbers(dims, least, most).data as Float32Array).buffer) });

/** Doubles pictures: looks at 3 x 3 pixels, and makes four of each. `scale` says how large the results are. */
const doubling = (name: string, sides: (number | string)[], most: number): void =>
  writeFileSync(
    path(name),
    model({
      nodes: [
        node("Conv", ["x", "w"], ["h"], ints({ pads: [1, 1, 1, 1] })),
        node("DepthToSpace", ["h"], ["y"], ints({ blocksize: 2 })),
      ],
      initializers: [weights([12, 3, 3, 3], 0, most)],
      inputs: [value("x", [1, 3, ...sides])],
      outputs: [{ name: "y" }],
    }),
  );

beforeAll(async () => {
  doubling("open.onnx", ["h", "w"], 0.07);
  doubling("deep.onnx", ["h", "w"], 9);
  doubling("fixed.onnx", [32, 32], 0.07);
  const scores = [node("Conv", ["x", "w"], ["scores"], ints({ pads: [1, 1, 1, 1] }))];
  const inputs = [value("x", [1, 3, "h", "w"])];
  writeFileSync(path("classes.onnx"), model({ nodes: scores, initializers: [weights([21, 3, 3, 3], -1, 1)], inputs, outputs: [{ name: "scores" }] })); // biome-ignore format: a line
  writeFileSync(path("global.onnx"), model({ nodes: [node("GlobalAveragePool", ["x"], ["m"]), node("Sub", ["x", "m"], ["y"])], inputs, outputs: [{ name: "y" }] })); // biome-ignore format: a line
  for (const [name, width, height] of [["a.png", 71, 45], ["b.png", 20, 90]] as const) {
    const pixels = Uint8Array.from(new Random(width).ints(3 * width * height, 0, 255));
    await sharp(pixels, { raw: { width, height, channels: 3 } }).toFile(path(name));
  } // biome-ignore format: lines
  writeFileSync(path("a.npy"), writeNpy(numbers([1, 3, 50, 40], 0, 1)));
});

const run = async (name: string, ...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await rank1("run", path(name), ...args, "--force");
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
};
const same = (a: string, b: string): void =>
  expect(Buffer.compare(readFileSync(path(a)), readFileSync(path(b)))).toBe(0);

test("a picture comes out as it does whole, and the tiles are counted", async () => {
  await run("open.onnx", path("a.png"), "-o", path("whole.png"));
  const text = await run("open.onnx", path("a.png"), "-o", path("tiles/"), "--tile", "32");
  expect(text).toMatch(/\n {2}input 71 × 45, RGB 0\.\.1, in 6 tiles\n {2}y .* as picture of 0 to 1/);
  same("tiles/a.png.y.png", "whole.png");
});

test("what is black and white is that of all tiles", async () => {
  for (const output of ["deep.png", "deep-whole.png"])
    await run("deep.onnx", path("a.png"), "-o", path(output), ...(output === "deep.png" ? ["--tile", "24"] : []));
  same("deep.png", "deep-whole.png");
});

test("several pictures go through a model of one size", async () => {
  const { results } = JSON.parse(await run("fixed.onnx", path("a.png"), path("b.png"), "-o", path("many/"), "--tile", "auto", "--json")); // biome-ignore format: a line
  expect(results.map(({ tiles }: { tiles: number }) => tiles)).toEqual([6, 3]);
  await run("open.onnx", path("a.png"), "-o", path("whole.png"), "--output-range", "0..1");
  same("many/a.png.y.png", "whole.png");
  expect(await sharp(path("many/b.png.y.png")).metadata()).toMatchObject({ width: 40, height: 180 });
});

test("masks, values and arrays are put together as well", async () => {
  for (const [output, ...args] of [["mask.png", "--as", "mask"], ["scores.npy"]]) {
    await run("classes.onnx", path("a.png"), "-o", path(output!), ...args, "--tile", "32");
    await run("classes.onnx", path("a.png"), "-o", path(`whole-${output}`), ...args);
    same(output!, `whole-${output}`);
  }
  await run("open.onnx", path("a.npy"), "-o", path("y.npy"), "--tile", "24");
  expect(readNpy(readFileSync(path("y.npy"))).shape).toEqual([1, 3, 100, 80]);
});

test("what does not go by tiles is said", async () => {
  const refused = async (...args: string[]) => {
    const { code, stderr } = await rank1("run", ...args);
    return [code, stderr];
  };
  const picture = path("a.png");
  expect(await refused(path("global.onnx"), picture, "--tile", "32")).toEqual([1, expect.stringMatching(/node "GlobalAveragePool of x" .*one number of the whole picture/)]);
  expect(await refused(path("open.onnx"), picture, "--tile", "2")).toEqual([1, expect.stringMatching(/--tile: expected at least \d+ pixels/)]);
  expect(await refused(path("open.onnx"), picture, "--tile", "32", "--size", "8x8")).toEqual([2, expect.stringMatching(/--tile: expected pictures that keep their size, got --size/)]);
  expect(await refused(path("open.onnx"), picture, "--tile", "32", "--timings")).toEqual([2, expect.stringMatching(/--tile: expected a run, got --timings/)]);
  expect(await refused(path("open.onnx"), picture, "--tile", "big")).toEqual([2, expect.stringMatching(/Expected a number of pixels, such as 256, or auto/)]);
  expect(await run("fixed.onnx", picture)).toContain("--tile auto runs the model on all pixels");
}); // biome-ignore format: lines
