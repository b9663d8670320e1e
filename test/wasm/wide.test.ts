// Wide mode: V8 joins the kernels that matter into 256-bit code (seen in its own trace), and verdicts on kernels are kept. That
// every kernel gives its twin's bits, test/kernels says.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import {
  createEngine,
  type EngineOptions,
  InvalidArgumentError,
  type LayerKind,
  type LayerOptions,
  type LayerShapes,
} from "../../src/index.ts";
import type { ImageDType } from "../../src/tensor.ts";
import { bits, engineMaker } from "../engine/engines.ts";
import { temporaryFolder } from "../node/folder.ts";
import { randomImage } from "../oracle.ts";

const { supported, reason } = wideSupport();
const where = supported ? reason : `skipped: ${reason}`;

const folder = temporaryFolder();
const engineOf = engineMaker({ backend: "wasm", threads: 1 });

interface FilterCase {
  dtype: ImageDType;
  filter: string;
  output: ImageDType;
  strategy: string;
}

interface LayerCase {
  kind: LayerKind;
  shapes: LayerShapes;
  options?: LayerOptions;
  strategy: string;
}

/** A case of a kernel family that networks use, by its name; without one, the family's benchmark. */
interface NetworkCase {
  family: string;
  name?: string;
}

/** The functions of a kernel, in their order: of the conv family, one for each width of its panels, that of the list, the strip. */
function functionsOf(kernel: string): readonly string[] {
  const [, tile, widths] = /^conv f32 (\d+) .* of ([\d+]+) /.exec(kernel) ?? [];
  if (!widths) return ["strip"];
  const list = ["list", tile, / flat /.test(kernel) && "flat", / add /.test(kernel) && "add"].filter(Boolean);
  return [...widths.split("+").map((width) => `${width} outputs`), list.join(" "), "strip"];
}

/** Runs cases in a process of its own. By the kernel that each made new, and its function: what V8 says of it. */
function traceOf(cases: readonly (FilterCase | LayerCase | NetworkCase)[]): Map<string, string> {
  const source = `
    import { createEngine } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
    const arrays = { u8: Uint8Array, u16: Uint16Array, f32: Float32Array };
    import { WasmBackend } from ${JSON.stringify(new URL("../../src/backend/wasm/backend.ts", import.meta.url).href)};
    import { casesOf, dataOf, runCase } from ${JSON.stringify(new URL("../kernels/run.ts", import.meta.url).href)};
    const engine = await createEngine({ backend: "wasm", threads: 1, wide: true });
    const mode = { relaxed: true, wide: true };
    const backend = new WasmBackend({ threads: 1, always: true, maxMemory: 2 ** 28, mode, memories: true });
    const known = new Set();
    const tensor = (shape) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
    for (const { dtype, filter, kind, shapes, options, family, name, ...rest } of ${JSON.stringify(cases)}) {
      if (filter) {
        await engine.filter({ width: 99, height: 50, channels: 1, data: new arrays[dtype](99 * 50) }, filter, rest);
      } else if (family) {
        const one = (await casesOf(family)).find((one) => (name ? one.name === name : one.benchmark));
        await runCase(backend, one, dataOf(one, 1));
      } else {
        const { x, ...others } = shapes;
        const weights = Object.fromEntries(Object.entries(others).map(([name, shape]) => [name, tensor(shape)]));
        const prepared = await engine.prepare(engine.layerProblem(kind, shapes, options), weights, rest);
        await prepared.run(tensor(x));
        prepared.dispose();
      }
      const kernels = [...Object.keys(engine.info().wide.verdicts), ...backend.verdicts.keys()];
      console.log("\\nKERNELS " + JSON.stringify(kernels.filter((kernel) => !known.has(kernel))));
      for (const kernel of kernels) known.add(kernel);
    }`;
  // To a file: V8 loses what it prints to a full pipe.
  const path = join(folder, "trace");
  const file = openSync(path, "w");
  const { stderr, status } = spawnSync(
    process.execPath,
    ["--trace-wasm-revectorize", "--input-type=module", "-e", source],
    { encoding: "utf8", stdio: ["ignore", file, "pipe"], timeout: 60_000 },
  );
  closeSync(file);
  expect(status, stderr).toBe(0);
  const traces = new Map<string, string>();
  let functions: string[] = [];
  for (const part of readFileSync(path, "utf8").split(/^(?=Begin revec function|KERNELS )/m)) {
    const index = /^Begin revec function wasm-function#(\d+)/.exec(part)?.[1];
    if (index !== undefined) functions[Number(index)] = part;
    if (!part.startsWith("KERNELS ")) continue;
    // Of one module, in the order of its functions.
    const kernels: string[] = JSON.parse(part.split("\n")[0]!.slice("KERNELS ".length));
    const lists = new Set<string>();
    for (const kernel of kernels) {
      // Kernels of one module share their lists.
      const names = functionsOf(kernel).filter((name) => !lists.has(name));
      for (const name of names) if (name.startsWith("list")) lists.add(name);
      for (const [i, name] of names.entries()) traces.set(`${kernel}, ${name}`, functions[i] ?? "");
      functions = functions.slice(names.length);
    }
    functions = [];
  }
  return traces;
}

describe(`the compiler (${where})`, () => {
  const columnRow = { strategy: "column-row" } as const;
  const filterCases: FilterCase[] = [
    { dtype: "u8", filter: "gaussian:2", output: "u8", ...columnRow },
    { dtype: "u8", filter: "gaussian:1", output: "u8", ...columnRow },
    { dtype: "u8", filter: "gaussian:2", output: "f32", ...columnRow },
    { dtype: "u16", filter: "gaussian:2", output: "u8", ...columnRow },
    { dtype: "u16", filter: "gaussian:2", output: "u16", ...columnRow },
    { dtype: "f32", filter: "gaussian:2", output: "f32", ...columnRow },
    { dtype: "u8", filter: "sobel-x", output: "i16", strategy: "direct" },
    { dtype: "u8", filter: "sobel-x", output: "i16", ...columnRow },
    { dtype: "u8", filter: "box:3", output: "u8", ...columnRow },
    { dtype: "u8", filter: "box:15", output: "u8", ...columnRow },
    { dtype: "u8", filter: "unsharp", output: "u8", ...columnRow },
    { dtype: "u16", filter: "unsharp", output: "u8", ...columnRow },
    { dtype: "f32", filter: "unsharp", output: "f32", ...columnRow },
    { dtype: "u8", filter: "disk:9", output: "f32", strategy: "fft" },
    { dtype: "u8", filter: "sobel-x", output: "f32", strategy: "fft exact" },
  ];
  const kernels: [name: string, pattern: RegExp][] = [
    ["the column pass in fixed point", /^column x4 u8 i32 in fixed /],
    ["the unrolled column pass in fixed point", /^column x4 of 5 u8 i32 in fixed shift 8 /],
    ["the row pass in fixed point", /^row i32 u8 in fixed /],
    ["the unrolled row pass in fixed point", /^list of 5 i32 u8 in fixed /],
    ["the second term in fixed point", /^list of 5 i32 i32 u8 in fixed /],
    ["the column pass u8 to f32", /^column x4 u8 f32 in f32 /],
    ["the column pass f32 to f32", /^column x4 f32 f32 in f32 /],
    ["the row pass f32 to f32, of means", /^row f32 f32 f32 in f32 saturate mean /],
    ["the row pass to f32, of means of u8", /^row f32 u8 f32 in f32 saturate mean /],
    ["the row pass f32 to u8", /^row f32 u8 in f32 /],
    ["the row pass f32 to u16", /^row f32 u16 in f32 /],
    ["u8 to i16, direct", /^list of 6 u8 i16 in i16 /],
    ["the row pass i16 to i16", /^list of 2 i16 i16 in i16 /],
    ["the row pass to u8 in i16", /^list of 3 i16 u8 in i16 /],
    ["the row pass to u8 in u16", /^row u16 u8 in u16 /],
    ["the second term, to u8", /^row f32 f32 u8 in f32 /],
    ["the second term, to f32", /^row f32 f32 f32 in f32 saturate relaxed /],
    ["transforms", /^fft f32 64x64 u8 f32 /],
    ["transforms in f64", /^fft f64 whole 64x64 u8 f32 /],
  ];

  const [x, pads] = [[1, 16, 16, 16], "same"] as const;
  const layerCase = (kind: LayerKind, weights: LayerShapes, options: LayerOptions, strategy: string): LayerCase => ({
    ...{ kind, shapes: { x, ...weights }, options, strategy },
  });
  const convOf = (outputs: number, options: LayerOptions = {}, strategy = "matrix-product"): LayerCase =>
    layerCase("conv2d", { weight: [3, 3, 16 / (options.groups ?? 1), outputs] }, { pads, ...options }, strategy);
  const depthwiseOf = (kh: number, kw: number, options: LayerOptions = {}): LayerCase =>
    layerCase("depthwiseConv2d", { weight: [kh, kw, 16, 1] }, { pads, ...options }, "depthwise");
  const residual = { expand: [1, 1, 16, 32], depthwise: [3, 3, 32, 1], project: [1, 1, 32, 16] };
  const layerCases: LayerCase[] = [
    ...(["none", "relu", "relu6", "hardSwish", "silu", "sigmoid", { leakyRelu: 0.1 }] as const).flatMap(
      (activation) => [convOf(40, { activation }), depthwiseOf(3, 3, { activation })],
    ),
    convOf(34, { groups: 2, dilations: 2, strides: 3, pads: [2, 2, 2, 0] }),
    ...[
      convOf(128, { groups: 8, dilations: 2 }),
      convOf(32, {}, "winograd"),
      convOf(32, { activation: "silu" }, "winograd"),
    ],
    ...[1, 2, 3, 4].map((outputs) => convOf(outputs)),
    { ...convOf(16), shapes: { x: [1, 20, 22, 3], weight: [3, 3, 3, 16] } },
    ...[depthwiseOf(3, 3, { strides: 2 }), depthwiseOf(5, 5), depthwiseOf(5, 5, { strides: 2 }), depthwiseOf(7, 7)],
    ...[depthwiseOf(9, 9), depthwiseOf(1, 12), depthwiseOf(2, 3, { dilations: 2 })],
    layerCase("invertedResidual", residual, { pads, residual: true }, "pointwise-depthwise-pointwise"),
  ];
  const activation = /(?:none|relu|relu6|hardSwish|silu|sigmoid|\{"leakyRelu":0\.1\})/.source;
  const depthwise = (name: string): RegExp => new RegExp(`^depthwise f32 8/2x. ${name} none `);
  const layerKernels: [name: string, pattern: RegExp, count?: number][] = [
    [
      "panels of 16 outputs, whatever comes after",
      new RegExp(`^conv f32 6 ${activation} relaxed .* of 16\\+8 .* 16 outputs$`),
      7,
    ],
    ["panels of 8 outputs, whatever comes after", new RegExp(`^conv f32 6 ${activation} relaxed .* 8 outputs$`), 7],
    ["panels whose inputs are no block", /^conv f32 . only 2 none relaxed .* 16 outputs$/],
    ["dot products to few outputs", /^conv f32 . dots [1-4]x2 none relaxed .* 4 outputs$/, 4],
    ["panels whose inputs are few", /^conv f32 6 row 3x3 none relaxed .* 16 outputs$/],
    ["panels that add", /^conv f32 6 none add relaxed .* 16 outputs$/],
    ["depthwise 3 x 3, whatever comes after", new RegExp(`^depthwise f32 8/2x4 3 x 3/1/1 ${activation} `), 7],
    ["depthwise 3 x 3, stride 2", depthwise("3 x 3/2/1")],
    ["depthwise 5 x 5", depthwise("5 x 5/1/1")],
    ["depthwise 5 x 5, stride 2", depthwise("5 x 5/2/1")],
    ["depthwise 7 x 7", depthwise("n x 7/1/1")],
    ["depthwise 9 x 9", depthwise("n x 9/1/1")],
    ["depthwise 1 x 12", depthwise("1 x 12/1/1")],
    ["depthwise 2 x 3, dilation 2", depthwise("2 x 3/1/2")],
    ["Winograd's sums before the products", /^winograd input none /],
    ["Winograd's sums after the products", /^winograd output (none|silu) /, 2],
  ];

  const functions = ["exp of 1", "log", "tanh of 1", "sigmoid of 1", "erf of 1", "atan", "sqrt", "neg", "abs"] as const;
  const ofTwo = ["add", "sub", "mul", "div", "min", "max", "less", "equal", "where"] as const;
  const networkCases: NetworkCase[] = [
    ...["expression", "reduce", "softmax", "resize", "pool"].map((family) => ({ family })),
    ...[...functions, ...ofTwo].map((name) => ({ family: "expression", name })),
    ...[
      { family: "softmax", name: "logarithm of 2,3,1,100" },
      { family: "pool", name: "average, 3 x 3" },
    ],
  ];
  const networkKernels: [name: string, pattern: RegExp, count?: number][] = [
    ["expressions", /^expression .*2 vectors/, networkCases.filter(({ family }) => family === "expression").length],
    ["sums of pixels", /^reduce sum pixels /],
    ["softmax and its logarithm", /^softmax/, 2],
    ["pixels that are resized", /^resize /],
    ["pools", /^pool /, 2],
  ];

  let traces: Map<string, string> | undefined;

  it.skipIf(!supported).each([...kernels, ...layerKernels, ...networkKernels])(
    "joins %s",
    (_name, pattern, count = 1) => {
      traces ??= traceOf([...filterCases, ...layerCases, ...networkCases]);
      const found = [...traces].filter(([kernel]) => pattern.test(kernel));
      expect(found.length, [...traces.keys()].join("\n")).toBe(count);
      for (const [kernel, trace] of found) {
        expect(/Decide to vectorize, [1-9]\d* revectorizable nodes/.test(trace), kernel).toBe(true);
        // Vectors of two loads of 128 bits each: the loads were not partners.
        expect(/ForcePackNode Load/.test(trace), `${kernel} packs loads by force`).toBe(false);
      }
    },
  );
});

it.skipIf(!supported)(`Math.exp is not slower after wide code (${where})`, async () => {
  const engine = await createEngine({ threads: 1, wide: true });
  const image = randomImage(999, 500, 1, "f32", 5);
  const values = new Float32Array(2e4);
  const time = (): number => {
    const start = performance.now();
    for (let i = 0; i < values.length; i++) values[i] = Math.exp(-i / values.length);
    return performance.now() - start;
  };
  // Before any wide code ran here, or whenever something else has emptied the registers.
  const least = Math.min(...Array.from({ length: 30 }, time));
  const after = [];
  for (let k = 0; k < 10; k++) {
    await engine.filter(image, "gaussian:2");
    after.push(time());
  }
  // Twenty times, where registers stay as wide code leaves them.
  expect(Math.min(...after)).toBeLessThan(6 * least);
  engine.dispose();
});

describe("verdicts of an earlier engine", () => {
  const image = randomImage(99, 50, 1, "u8", 5);
  const filter = "gaussian:2";

  it.skipIf(!supported)(`are kept, whatever they say, and results stay the same (${where})`, async () => {
    const first = await engineOf({ wide: true });
    const expected = bits(await first.filter(image, filter));
    const { verdicts } = first.info().wide;
    const narrow = Object.fromEntries(Object.keys(verdicts).map((key) => [key, "narrow: results differ" as const]));
    for (const known of [verdicts, narrow]) {
      const engine = await engineOf({ wide: true, verdicts: known });
      expect(bits(await engine.filter(image, filter))).toBe(expected);
      expect(engine.info().wide.verdicts).toEqual(known);
    }
  });

  it("are checked", async () => {
    for (const verdicts of [7, [], "wide", { kernel: "broad" }]) {
      const options = { verdicts } as unknown as EngineOptions;
      await expect(createEngine(options)).rejects.toThrow(InvalidArgumentError);
    }
    await expect(createEngine({ verdicts: { kernel: "wid" as "wide" } })).rejects.toThrow(
      /^verdicts\["kernel"\]: .*"wide"\?$/,
    );
  });
});
