// Wide mode: V8 joins the kernels that matter into 256-bit code (seen in its own trace), every kernel agrees with its
// twin, and results are bit for bit those of an engine without.
import { spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createEngine, type Engine, type EngineOptions, InvalidArgumentError } from "../../src/index.ts";
import type { ImageDType } from "../../src/tensor.ts";
import { wideSupport } from "../../src/wasm/wide.ts";
import { bits, everyPlan } from "../engine/engines.ts";
import { temporaryFolder } from "../node/folder.ts";
import { randomImage } from "../oracle.ts";

const { supported, reason } = wideSupport();
const where = supported ? reason : `skipped: ${reason}`;

const folder = temporaryFolder();
const open: Engine[] = [];
async function engineOf(options: EngineOptions): Promise<Engine> {
  const engine = await createEngine({ backend: "wasm", threads: 1, ...options });
  open.push(engine);
  return engine;
}
afterAll(() => {
  for (const engine of open) engine.dispose();
});

interface Case {
  dtype: ImageDType;
  filter: string;
  output: ImageDType;
  strategy: string;
}

/** Runs cases in a process of its own. By the kernel that each made new: what V8 says of its function. */
function traceOf(cases: readonly Case[]): Map<string, string> {
  const source = `
    import { createEngine } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
    const arrays = { u8: Uint8Array, u16: Uint16Array, f32: Float32Array };
    const engine = await createEngine({ backend: "wasm", threads: 1, wide: true });
    let known = 0;
    for (const { dtype, filter, ...options } of ${JSON.stringify(cases)}) {
      await engine.filter({ width: 99, height: 50, channels: 1, data: new arrays[dtype](99 * 50) }, filter, options);
      const kernels = Object.keys(engine.info().wide.verdicts);
      console.log("\\nKERNELS " + JSON.stringify(kernels.slice(known)));
      known = kernels.length;
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
    for (const [i, kernel] of kernels.entries()) traces.set(kernel, functions[i] ?? "");
    functions = [];
  }
  return traces;
}

describe(`the compiler (${where})`, () => {
  const columnRow = { strategy: "column-row" } as const;
  const cases: Case[] = [
    { dtype: "u8", filter: "gaussian:2", output: "u8", ...columnRow },
    { dtype: "u8", filter: "gaussian:2", output: "u16", ...columnRow },
    { dtype: "f32", filter: "gaussian:2", output: "f32", ...columnRow },
    { dtype: "u8", filter: "sobel-x", output: "i16", strategy: "direct" },
    { dtype: "u8", filter: "sobel-x", output: "i16", ...columnRow },
    { dtype: "u8", filter: "box:3", output: "u8", ...columnRow },
    { dtype: "u8", filter: "box:15", output: "u8", ...columnRow },
    { dtype: "u8", filter: "unsharp", output: "u8", ...columnRow },
    { dtype: "f32", filter: "unsharp", output: "f32", ...columnRow },
  ];
  const kernels: [name: string, pattern: RegExp][] = [
    ["the column pass u8 to f32", /^column x4 u8 f32 in f32 /],
    ["the column pass f32 to f32", /^column x4 f32 f32 in f32 /],
    ["the row pass f32 to f32", /^taps f32 f32 in f32 saturate /],
    ["the row pass f32 to u8", /^taps f32 u8 in f32 /],
    ["the row pass f32 to u16", /^taps f32 u16 in f32 /],
    ["u8 to i16, direct", /^taps u8 i16 in i16 /],
    ["the row pass i16 to i16", /^taps i16 i16 in i16 /],
    ["the row pass to u8 in i16", /^taps i16 u8 in i16 /],
    ["the row pass to u8 in u16", /^taps u16 u8 in u16 /],
    ["the second term, to u8", /^taps f32 f32 u8 in f32 /],
    ["the second term, to f32", /^taps f32 f32 f32 in f32 /],
  ];
  let traces: Map<string, string> | undefined;

  it.skipIf(!supported).each(kernels)("joins %s", (_name, pattern) => {
    traces ??= traceOf(cases);
    const found = [...traces].filter(([kernel]) => pattern.test(kernel));
    expect(found.length, [...traces.keys()].join("\n")).toBe(1);
    const [[kernel, trace]] = found as [[string, string]];
    expect(/Decide to vectorize, [1-9]\d* revectorizable nodes/.test(trace), kernel).toBe(true);
    // Vectors of two loads of 128 bits each: the loads were not partners.
    expect(/ForcePackNode Load/.test(trace), `${kernel} packs loads by force`).toBe(false);
  });
});

const dtypes: ImageDType[] = ["u8", "u16", "i16", "f32"];
const filters = ["sobel-x", "gaussian:1.7", "binomial:3", "binomial:9", "box:3", "box:size=9x4", "emboss", "unsharp"];

it.skipIf(!supported).each(dtypes)(
  `every kernel on %s agrees with its twin and with an engine without (${where})`,
  async (dtype) => {
    const [narrow, wide] = [await engineOf({}), await engineOf({ wide: true })];
    const borders = ["reflect", "constant", "wrap", "edge", "symmetric"] as const;
    let turn = 0;
    for (const filter of filters) {
      for (const output of dtypes) {
        const [border, channels] = [borders[turn % borders.length]!, 1 + (turn % 4)];
        const image = randomImage(turn % 3 === 0 ? 7 : 83, 21, channels, dtype, ++turn);
        for (const plan of everyPlan(wide, image, filter, { output, border })) {
          const [expected, result] = [await narrow.run(plan, image), await wide.run(plan, image)];
          expect(bits(result) === bits(expected), `${filter} to ${output}, ${plan.solver}, ${border}`).toBe(true);
        }
      }
    }
    const verdicts = Object.entries(wide.info().wide.verdicts);
    expect(verdicts.length).toBeGreaterThan(10);
    expect(verdicts.filter(([, verdict]) => verdict !== "wide")).toEqual([]);
  },
);

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
