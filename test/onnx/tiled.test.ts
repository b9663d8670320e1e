// Tiles give what the whole picture gives: random networks of all that sees places near each other, pictures, models from elsewhere,
// and refusals of networks that see more.
import { readFileSync } from "node:fs";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Graph, GraphNode } from "../../src/graph/types.ts";
import { createEngine, type Engine, InvalidArgumentError, type Tensor } from "../../src/index.ts";
import { imageTiles, imageToTensor, loadModel, runImage, runTiled, tensorToImage } from "../../src/onnx/index.ts";
import { Model } from "../../src/onnx/model.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { dataPath, withoutData } from "../data.ts";
import { floats, graphOf, integers, node } from "../graph/graphs.ts";
import { randomPictureNetwork } from "../graph/random-pictures.ts";
import { Random } from "../random-tensors.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine({ threads: 1 });
});
afterAll(() => engine.dispose());

const modelOf = (graph: Graph): Model => new Model({} as never, graph, operators, engine);

/** The largest difference, as a share of the largest value. */
function difference(a: Tensor, b: Tensor): number {
  expect(a.shape).toEqual(b.shape);
  let [most, far] = [0, 0];
  for (let i = 0; i < b.data.length; i++) {
    const [x, y] = [Number(a.data[i]), Number(b.data[i])];
    if (Number.isNaN(x) && Number.isNaN(y)) continue;
    far = Math.max(far, Number.isNaN(x - y) ? Infinity : Math.abs(x - y));
    most = Math.max(most, Math.abs(y));
  }
  return most === 0 ? far : far / most;
}

/** Tiles of the least size that does; undefined where that is the whole picture. */
async function tiled(
  model: Model,
  x: Tensor,
  tile: number,
): Promise<{ results: Record<string, Tensor>; tile: number } | undefined> {
  try {
    return { results: await runTiled(model, { x }, { tile }), tile };
  } catch (error) {
    const least = error instanceof InvalidArgumentError && /^at least (\d+)/.exec(error.expected);
    if (!least || error.parameter !== "tile") throw error;
    const side = Number(least[1]);
    return side >= Math.max(x.shape[2]!, x.shape[3]!) ? undefined : tiled(model, x, side);
  }
}

const start = Number(process.env.RANK1_SEED ?? Math.floor(Math.random() * 2 ** 31));
const count = Number(process.env.RANK1_CASES ?? 40);

describe(`random networks from seed ${start} on`, () => {
  it("give by tiles what they give whole", { timeout: 300_000 }, async () => {
    let [cut, exact] = [0, 0];
    for (let seed = start; seed < start + count; seed++) {
      const r = new Random(seed);
      const [height, width] = [r.int(30, 150), r.int(30, 150)];
      const { graph, channels } = randomPictureNetwork(seed, height, width);
      const model = modelOf(graph);
      const x = r.tensor([1, channels, height, width], "f32", -1, 1);
      const found = await tiled(model, x, r.int(20, 70)).catch((error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
      });
      if (found && (found.tile < height || found.tile < width)) {
        const whole = await model.run({ x });
        for (const [name, tensor] of Object.entries(found.results)) {
          const off = difference(tensor, whole[name]!);
          expect(off, `seed ${seed}, tile ${found.tile}`).toBeLessThan(1e-5);
          if (off === 0) exact++;
        }
        cut++;
      }
      model.dispose();
    }
    expect(cut).toBeGreaterThan(count / 2);
    // Rounding differs where another size is computed in another way.
    expect(exact).toBeGreaterThan(cut / 2);
  });
});

const weight = (shape: readonly number[], seed = 1): Tensor => new Random(seed).tensor(shape, "f32", -0.3, 0.3);

/** One convolution after another. */
function convolutions(shape: readonly (number | string)[], attributes: readonly GraphNode["attributes"][]): Graph {
  const names = ["x", ...attributes.map((_, i) => `y${i}`)];
  const nodes = attributes.map((one, i) => node("Conv", [names[i]!, `w${i}`], [names[i + 1]!], one));
  const weights = attributes.map((_, i): [string, Tensor] => [`w${i}`, weight([3, 3, 3, 3], i)]);
  return graphOf({ x: shape }, nodes, [names.at(-1)!], Object.fromEntries(weights));
}

const pictureOf = (width: number, height: number, seed = 5) => {
  const data = Uint8Array.from(new Random(seed).ints(3 * width * height, 0, 255));
  return { width, height, channels: 3, data };
};

/** A picture with its edges repeated. */
function extended(
  { width, height, data }: ReturnType<typeof pictureOf>,
  [top, right, bottom, left]: [number, number, number, number],
) {
  const [w, h] = [width + left + right, height + top + bottom];
  const clamp = (at: number, side: number): number => Math.min(side - 1, Math.max(0, at));
  const larger = new Uint8Array(3 * w * h);
  for (let i = 0; i < larger.length; i++) {
    const [y, x] = [clamp(Math.floor(i / 3 / w) - top, height), clamp((Math.floor(i / 3) % w) - left, width)];
    larger[i] = data[3 * (y * width + x) + (i % 3)]!;
  }
  return { width: w, height: h, channels: 3, data: larger };
}

const same = { pads: [1, 1, 1, 1] };

describe("pictures", () => {
  it("are whole where a network leaves out their edges: these are repeated", async () => {
    const model = modelOf(convolutions([1, 3, "h", "w"], [{}, { dilations: [2, 1] }]));
    const picture = pictureOf(70, 45);
    const found = await runImage(model, picture, { tile: 32, mean: 0.5 });
    const whole = await model.run({ x: imageToTensor(extended(picture, [3, 2, 3, 2]), { mean: 0.5 }) });
    expect([found.width, found.height]).toEqual([70, 45]);
    expect(found).toEqual(tensorToImage(whole.y1!));
  });

  it("of any size go through a network of one size", async () => {
    const graph = convolutions([1, 3, 32, 40], [same, same]);
    const opened = modelOf({ ...graph, inputs: [{ ...graph.inputs[0]!, shape: [1, 3, "h", "w"] }] });
    for (const [width, height] of [
      [71, 53],
      [40, 32],
      [20, 90],
    ] as const) {
      const picture = pictureOf(width, height);
      const [right, bottom] = [Math.max(0, 40 - width), Math.max(0, 32 - height)];
      const whole = await opened.run({ x: imageToTensor(extended(picture, [0, right, bottom, 0])) });
      const cut = [...tensorToImage(whole.y1!).data].filter((_, i) => Math.floor(i / 3) % (width + right) < width).slice(0, 3 * width * height); // biome-ignore format: a line
      expect([...(await runImage(modelOf(graph), picture)).data]).toEqual(cut);
    }
  });

  it("go through a network that writes down shapes for its one size", async () => {
    const shuffle = [
      node("Reshape", ["h", "apart"], ["a"]),
      node("Transpose", ["a"], ["b"], { perm: [0, 1, 4, 2, 5, 3] }),
      node("Reshape", ["b", "whole"], ["y"]),
    ];
    const conv = node("Conv", ["x", "w"], ["h"], same);
    const constants = {
      w: weight([12, 3, 3, 3]),
      apart: integers(-1, 3, 2, 2, 32, 40),
      whole: integers(-1, 3, 64, 80),
    };
    const fixed = modelOf(graphOf({ x: [1, 3, 32, 40] }, [conv, ...shuffle], ["y"], constants));
    const any = [conv, node("DepthToSpace", ["h"], ["y"], { blocksize: 2, mode: "CRD" })];
    const open = modelOf(graphOf({ x: [1, 3, "h", "w"] }, any, ["y"], { w: constants.w }));
    const picture = pictureOf(95, 61);
    const whole = tensorToImage((await open.run({ x: imageToTensor(picture) })).y!);
    expect(Buffer.compare((await runImage(fixed, picture)).data, whole.data)).toBe(0);
  });

  it("are laid into the next size that a network takes", async () => {
    const nodes = [
      node("MaxPool", ["x"], ["half"], { kernel_shape: [2, 2], strides: [2, 2] }),
      node("Resize", ["half", "", "two"], ["whole"], { mode: "nearest" }),
      node("Add", ["x", "whole"], ["y"]),
    ];
    const model = modelOf(graphOf({ x: [1, 3, "h", "w"] }, nodes, ["y"], { two: floats([4], [1, 1, 2, 2]) }));
    const picture = pictureOf(67, 33);
    const whole = tensorToImage((await model.run({ x: imageToTensor(extended(picture, [0, 1, 1, 0])) })).y!);
    const found = await runImage(model, picture, { tile: 32 });
    expect([found.width, found.height]).toEqual([67, 33]);
    for (let y = 0; y < 33; y++)
      expect(found.data.subarray(y * 201, (y + 1) * 201)).toEqual(whole.data.subarray(y * 204, y * 204 + 201));
  });

  it("may lie in a network with their channels last", async () => {
    const nodes = [
      node("Transpose", ["x"], ["first"], { perm: [0, 3, 1, 2] }),
      node("Conv", ["first", "w"], ["seen"], same),
      node("Transpose", ["seen"], ["y"], { perm: [0, 2, 3, 1] }),
    ];
    const model = modelOf(graphOf({ x: [1, "h", "w", 3] }, nodes, ["y"], { w: weight([3, 3, 3, 3]) }));
    const picture = pictureOf(50, 41);
    const whole = await model.run({ x: imageToTensor(picture, { layout: "NHWC" }) });
    expect(await runImage(model, picture, { tile: 24 })).toEqual(tensorToImage(whole.y!));
  });

  it("come part by part, with progress, until the caller has enough", async () => {
    const model = modelOf(convolutions([1, 3, "h", "w"], [same]));
    const shares: number[] = [];
    const seen: number[] = [];
    for await (const { y0 } of imageTiles(model, pictureOf(64, 64), {
      tile: 32,
      onProgress: (done) => shares.push(done),
    }))
      seen.push(y0!.done);
    expect(seen.length).toBeGreaterThan(4);
    expect(seen.at(-1)).toBe(1);
    expect(shares.every((share, i) => share >= (shares[i - 1] ?? 0))).toBe(true);
    const aborted = new AbortController();
    const running = runImage(model, pictureOf(64, 64), {
      tile: 32,
      signal: aborted.signal,
      onProgress: () => aborted.abort(),
    });
    await expect(running).rejects.toThrow("aborted");
  });

  it("that fit into a tile go through any network, and larger ones do not", async () => {
    const nodes = [node("GlobalAveragePool", ["x"], ["mean"]), node("Sub", ["x", "mean"], ["y"])];
    const model = modelOf(graphOf({ x: [1, 3, "h", "w"] }, nodes, ["y"]));
    const picture = pictureOf(20, 30);
    const whole = await model.run({ x: imageToTensor(picture) });
    expect(await runImage(model, picture, { tile: 64 })).toEqual(tensorToImage(whole.y!));
    for (const result of [5, { rang: [0, 255] }])
      await expect(runImage(model, picture, { result: result as never })).rejects.toThrow(/^result.*: expected/);
    await expect(runImage(model, picture, { tile: 16 })).rejects.toThrow(
      /node "GlobalAveragePool mean".*one number of the whole picture/,
    );
  });
});

describe("networks that see more", () => {
  const refused = async (nodes: readonly GraphNode[], constants: Record<string, Tensor> = {}): Promise<unknown> => {
    const model = modelOf(graphOf({ x: [1, 3, 60, 50] }, nodes, [nodes.at(-1)!.outputs[0]!], constants));
    return runTiled(model, { x: weight([1, 3, 60, 50]) }, { tile: 32 }).catch(
      (error) => `${error.code}: ${error.message}`,
    );
  };
  const one = (op: string, inputs: readonly string[] = [], attributes: GraphNode["attributes"] = {}) => [
    node(op, ["x", ...inputs], ["y"], attributes),
  ];

  it.each<[string, readonly GraphNode[], Record<string, Tensor>?]>([
    ["ReduceMean", one("ReduceMean", ["axes"]), { axes: integers(2, 3) }],
    ["InstanceNormalization", one("InstanceNormalization", ["a", "a"]), { a: floats([3]) }],
    ["Softmax", one("Softmax", [], { axis: -1 })],
    ["MatMul", one("MatMul", ["m"]), { m: weight([50, 50]) }],
    ["Flatten", one("Flatten")],
    ["Resize", one("Resize", ["", "s"], { mode: "linear", coordinate_transformation_mode: "align_corners" }), { s: floats([4], [1, 1, 2, 2]) }],
    ["Resize", one("Resize", ["", "", "s"], { mode: "nearest" }), { s: integers(1, 3, 64, 64) }],
    ["Slice", one("Slice", ["from", "to", "axes"]), { from: integers(-40), to: integers(2 ** 40), axes: integers(2) }],
    ["Slice", one("Slice", ["from", "to", "axes", "by"]), { from: integers(2 ** 40), to: integers(-(2 ** 40)), axes: integers(2), by: integers(-1) }],
    ["Add", one("Add", ["map"]), { map: weight([60, 1]) }],
    ["Pad", one("Pad", ["pads"], { mode: "wrap" }), { pads: integers(0, 0, 2, 2, 0, 0, 2, 2) }],
    ["Concat", [node("Concat", ["x", "x"], ["y"], { axis: 2 })]],
  ])("are refused by the name of %s", async (op, nodes, constants) => {
    const text = await refused(nodes, constants);
    expect(text).toMatch(new RegExp(`^(UNSUPPORTED|INVALID_ARGUMENT): node "${op} y" \\(${op}\\)`));
  }); // biome-ignore format: lines

  it("say which tile would do where they see far, and refuse other options", async () => {
    const model = modelOf(convolutions([1, 3, "h", "w"], [same, same, same, same, same, same]));
    const x = weight([1, 3, 40, 90]);
    await expect(runTiled(model, { x }, { tile: 12 })).rejects.toThrow(/^tile: expected at least \d+ pixels down/);
    await expect(runTiled(model, { x }, { tile: 0 })).rejects.toThrow("tile: expected an integer from 1");
    await expect(runTiled(model, { x }, { size: 1 } as never)).rejects.toThrow("options key");
    await expect(runTiled({} as never, { x })).rejects.toThrow("model: expected a model of loadModel");
  });
});

const missing = withoutData("zoo");
describe.skipIf(missing)(`models from elsewhere${missing}`, () => {
  it.each([
    ["zoo/espcn_nnresize.onnx", [1, 3, 120, 200], 64],
    ["zoo/animejanai_compact_fp16_op23.onnx", [1, 3, 96, 110], 72],
    ["models/waifu2x-scale2.onnx", [1, 3, 100, 130], 72],
  ] as const)("%s", { timeout: 120_000 }, async (file, shape, tile) => {
    const bytes = readFileSync(dataPath(file));
    const declared = await loadModel(bytes);
    const name = declared.inputs[0]!.name;
    const model = await loadModel(bytes, { engine, shapes: { [name]: shape } });
    const { data, info } = await sharp(dataPath("images/kodak-15.png")).extract({ left: 330, top: 130, width: shape[3], height: shape[2] }).removeAlpha().raw().toBuffer({ resolveWithObject: true }); // biome-ignore format: a line
    const x = imageToTensor(
      { data, ...info, width: info.width, height: info.height, channels: 3 },
      { channels: shape[1] },
    );
    const [whole, found] = [await model.run({ [name]: x }), await runTiled(model, { [name]: x }, { tile })];
    for (const [output, tensor] of Object.entries(found))
      expect(difference(tensor, whole[output]!)).toBeLessThan(file.includes("fp16") ? 2e-3 : 1e-5);
    model.dispose();
  });
});
