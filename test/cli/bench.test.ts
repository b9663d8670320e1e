// rank1 bench: its figures agree with one another and with the plans, and --learn keeps what it learns.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import { problems } from "../../src/cli/bench-measure.ts";
import { createEngine, type Verdict } from "../../src/index.ts";
import { exampleModel } from "../../src/node/package.ts";
import { temporaryFolder } from "../node/folder.ts";
import { type Result, rank1, rank1With } from "./run.ts";

const folder = temporaryFolder();
const before = process.env.RANK1_CACHE;
beforeAll(() => {
  process.env.RANK1_CACHE = join(folder, "cache");
});
afterAll(() => {
  process.env.RANK1_CACHE = before;
});

interface Figures {
  milliseconds: number;
  predictedMilliseconds: number;
  bound: string;
  share: number;
}

test("rank1 bench --save-profile writes a profile that rank1 separate takes", async () => {
  const [file, output] = [join(folder, "here.json"), join(folder, "fast.onnx")];
  const { stdout, code } = await rank1("bench", "--save-profile", file, "--no-wide");
  expect(code).toBe(0);
  expect(stdout).toMatch(/here\.json: nanoseconds: matrix 0\.\d+, depthwise /);
  const profile = JSON.parse(readFileSync(file, "utf8"));
  expect(profile).toMatchObject({ version: 1, name: expect.stringContaining("128 bits") });

  const flags = ["--speedup", "1.01", "--layers", "*conv2*", "--profile", file, "--json", "--no-wide"];
  const separated = await rank1("separate", fileURLToPath(exampleModel), "-o", output, ...flags);
  expect(separated.code).toBe(0);
  expect(JSON.parse(separated.stdout).reached.planned).toMatchObject({ for: profile.name });

  writeFileSync(file, JSON.stringify({ ...profile, matrix: "fast" }));
  const wrong = await rank1("separate", fileURLToPath(exampleModel), "-o", output, "--force", ...flags);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/profile\.matrix/)]);
}, 120_000);

describe("rank1 bench --json", () => {
  let result: Result;
  beforeAll(async () => {
    result = await rank1("bench", "--size", "200x96", "--no-wide", "--json");
  }, 60_000);

  it("names its version, the machine, the engine and the peaks", () => {
    expect([result.code, result.stderr]).toEqual([0, ""]);
    const report = JSON.parse(result.stdout);
    expect(report).toMatchObject({ version: 1, node: process.version, width: 200, height: 96 });
    expect(report.engine).toMatchObject({ backend: "wasm", threads: 1, wide: { enabled: false } });
    expect(report.peaks.multiplications.f32).toBeGreaterThan(0);
  });

  it("has every problem in grey and in RGBA, as planned here, with its kernels", async () => {
    const reports = JSON.parse(result.stdout).problems;
    expect(reports.length).toBe(2 * problems.length);
    const engine = await createEngine({ threads: 1 });
    for (const { filter, tolerance, channels, solver, summary, kernels, ...whole } of reports) {
      const picture = { width: 200, height: 96, channels, dtype: "u8" } as const;
      const plan = engine.plan(engine.filterProblem(picture, filter, { tolerance }));
      expect([solver, summary]).toEqual([plan.solver, plan.summary]);
      expect(whole.predictedMilliseconds).toBeCloseTo(plan.cost.time / 1e6);
      const steps = plan.stages.flatMap((stage) => stage.steps);
      expect(kernels.map(({ step }: { step: string }) => step)).toEqual(steps.map(({ name }) => name));
      const multiplications = kernels.reduce((sum: number, kernel: { multiplications: number }) => {
        return sum + kernel.multiplications;
      }, 0);
      expect(multiplications).toBeCloseTo(plan.cost.multiplications / (200 * 96 * channels));
    }
    engine.dispose();
  });

  it("has times, and shares of the peak that are above 0 and of the order of 1", () => {
    const reports: (Figures & { kernels: Figures[] })[] = JSON.parse(result.stdout).problems;
    for (const { milliseconds, predictedMilliseconds, bound, share } of reports.flatMap((r) => [r, ...r.kernels])) {
      expect(milliseconds).toBeGreaterThan(0);
      expect(predictedMilliseconds).toBeGreaterThan(0);
      expect(["arithmetic", "cache", "memory"]).toContain(bound);
      expect(share).toBeGreaterThan(0);
      expect(share).toBeLessThan(10); // a busy machine may have measured low peaks
    }
  });
});

it("prints a table: a line for each problem and each of its kernels, with --why the work and the code", async () => {
  const { code, stdout, stderr } = await rank1("bench", "--size", "120x64", "--threads", "2", "--why");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/, 2 threads; 120 x 64 u8\nAt most, on one thread: [\d.]+ \(f32\), /);
  expect(stdout).toMatch(
    /^ +ms +predicted +measured \/ predicted +of peak +binds +multiplications +additions +loads +kernel$/m,
  );
  expect(stdout).toMatch(/^sobel-x, RGBA( +[\d.]+){3} +\d+ % +(arithmetic|cache|memory) +direct$/m);
  expect(stdout).toMatch(/^ {2}direct( +[\d.]+){3} +\d+ % +(arithmetic|cache) +6 +0 +6 +list of 6 u8 i16 in i16 /m);
  expect(stdout).toMatch(
    /\nWhole calls take [\d.]+ times as long as predicted \(geometric mean; from [\d.]+ to [\d.]+\)/,
  );
}, 60_000);

it("ends soon when it is interrupted", async () => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), 300);
  const start = performance.now();
  const { code, stdout, stderr } = await rank1With(abort.signal, "bench", "--size", "4000x3000");
  expect([code, stdout, stderr]).toEqual([130, "", "rank1: interrupted\n"]);
  expect(performance.now() - start).toBeLessThan(15_000);
}, 30_000);

const { supported, reason } = wideSupport();

describe(`rank1 bench --learn (${supported ? reason : `skipped: ${reason}`})`, () => {
  it.skipIf(!supported)("keeps verdicts on the kernels that common filters need", { timeout: 60_000 }, async () => {
    const { code, stdout, stderr } = await rank1("bench", "--learn");
    expect([code, stderr]).toEqual([0, ""]);
    const [, count, file] = /^(\d+) kernels, 0 of which stay narrow; kept in (.+)\n$/.exec(stdout) as string[];
    const [machine] = Object.values<{ verdicts: Record<string, Verdict> }>(
      JSON.parse(readFileSync(file!, "utf8")).machines,
    );
    const { verdicts } = machine!;
    expect(Object.keys(verdicts).length).toBe(Number(count));
    // On any number of threads.
    const engine = await createEngine({ wide: true, threads: 2, verdicts });
    for (const dtype of [Uint8Array, Uint16Array, Float32Array]) {
      for (const filter of ["gaussian:2", "box:5", "unsharp", "sobel-x"]) {
        await engine.filter({ width: 50, height: 40, channels: 1, data: new dtype(2000) }, filter);
      }
    }
    expect(engine.info().wide.verdicts).toEqual(verdicts);
    engine.dispose();
  });

  it("says early where nothing can be kept", async () => {
    process.env.RANK1_CACHE = join(folder, "a file");
    writeFileSync(process.env.RANK1_CACHE, "");
    const { code, stdout, stderr } = await rank1("bench", "--learn");
    process.env.RANK1_CACHE = join(folder, "cache");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /^rank1: .*wisdom\.json: expected a file that can be written \(RANK1_CACHE names another folder\)\n$/,
    );
  });
});

it.each([
  [["--size", "12"], /^rank1: option '--size <WxH>' argument '12' is invalid\. Expected WIDTHxHEIGHT\.$/],
  [["--size", "12x9x3"], /^rank1: option '--size <WxH>' argument '12x9x3' is invalid\./],
  [["--threads", "0"], /^rank1: option '--threads <count>' argument '0' is invalid\./],
  [["--threads", "65"], /^rank1: threads: expected an integer from 1 to 64, got 65$/],
  [["--learn", "--threads", "2"], /^rank1: option '--learn' cannot be used with option '--threads <count>'/],
  [["--learn", "--no-wide"], /^rank1: --learn: expected an engine with 256-bit vectors, got --no-wide$/],
])("%o is wrong usage", async (flags, message) => {
  const { code, stdout, stderr } = await rank1("bench", ...flags);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr.trimEnd()).toMatch(message);
});
