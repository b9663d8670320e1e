// Memory is bounded, however many different calls come, and goes when an engine is disposed of though it is still referred to.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Requests } from "../../src/engine/requests.ts";
import { createEngine, filters, type Image } from "../../src/index.ts";
import { randomImage } from "../oracle.ts";

const child = fileURLToPath(new URL("memory-child.ts", import.meta.url));
function measure(kind: string, ...flags: string[]) {
  const text = execFileSync(process.execPath, ["--expose-gc", ...flags, child, kind, "400"], { encoding: "utf8" });
  return JSON.parse(text);
}

it.each(["filters", "layers"])(
  "400 different %s take at most 64 MiB, which dispose gives back",
  (kind) => {
    // V8's young generation would grow with garbage that is long gone.
    const { full, rest, bytes } = measure(kind, "--max-semi-space-size=8");
    expect(full.known).toBeLessThan(40);
    expect(full.process).toBeLessThan(64);
    expect(rest.known).toBeLessThan(4);
    expect(bytes).toBe(0);
  },
  120_000,
);

it("frames of one size leave little garbage", () => {
  const { garbage } = measure("frames", "--min-semi-space-size=64", "--max-semi-space-size=64");
  expect(garbage).toBeLessThan(2400);
}, 60_000);

it.each([1, 2])("kernels that are not used any more go, and come again: %i threads", async (threads) => {
  const engine = await createEngine({ threads, maxMemory: 2 ** 22 });
  const pictures: Image[] = (["u8", "u16", "f32"] as const).map((dtype) => randomImage(40, 30, 3, dtype, 7));
  const names = ["sobel-x", "emboss", "box:5", "gaussian:2", "laplacian-4"] as const;
  const run = async (): Promise<string[]> => {
    const results: string[] = [];
    for (const image of pictures)
      for (const name of names)
        for (const border of ["reflect", "constant", "wrap"] as const)
          results.push(String((await engine.filter(image, name, { border })).data));
    for (let size = 3; size < 60; size += 2) await engine.filter(pictures[0]!, filters.gaussian({ sigma: size / 6 }));
    return results;
  };
  const first = await run();
  expect(await run()).toEqual(first);
  engine.dispose();
});

it("a disposed engine's layers and values may be disposed of", async () => {
  const engine = await createEngine({ threads: 1 });
  const weight = { shape: [3, 3, 2, 4], data: new Float32Array(72).fill(1) };
  const problem = engine.layerProblem("conv2d", { x: [1, 8, 8, 2], weight: weight.shape });
  const layer = await engine.prepare(problem, { weight });
  const value = engine.alloc({ width: 4, height: 4, channels: 1 });
  engine.dispose();
  layer.dispose();
  value.dispose();
  await expect(layer.run({ shape: [1, 8, 8, 2], data: new Float32Array(128) })).rejects.toMatchObject({
    code: "DISPOSED",
  });
  await expect(value.read()).rejects.toMatchObject({ code: "DISPOSED" });
});

describe("requests", () => {
  it("are found by their contents, not by who they are", () => {
    const requests = new Requests<number>();
    const filter = [[1, 2, 3]];
    requests.keep([4, filter, { border: "wrap" }], 1);
    expect(requests.find([4, [[1, 2, 3]], { border: "wrap", gain: undefined }])).toBe(1);
    filter[0]![1] = 5;
    expect(requests.find([4, filter, { border: "wrap" }])).toBeUndefined();
    expect(requests.find([4, [[1, 2, 3]], { border: "wrap", gain: 2 }])).toBeUndefined();
    expect(requests.find([4, [new Float32Array([1, 2, 3])], { border: "wrap" }])).toBeUndefined();
  });

  it("tell NaN from null and what is not there", () => {
    const requests = new Requests<number>();
    requests.keep([{ fill: Number.NaN }], 1);
    expect(requests.find([{ fill: null }])).toBeUndefined();
    expect(requests.find([{}])).toBeUndefined();
    expect(requests.find([{ fill: Number.NaN }])).toBe(1);
  });

  it("are bounded, and a circle is not kept", () => {
    const requests = new Requests<number>();
    const circle: unknown[] = [];
    circle.push(circle);
    requests.keep([circle], 1);
    for (let i = 0; i < 40; i++) requests.keep([i, new Float32Array(2 ** 17)], i);
    expect(requests.find([0, new Float32Array(2 ** 17)])).toBeUndefined();
    expect(requests.find([39, new Float32Array(2 ** 17)])).toBe(39);
  });
});
