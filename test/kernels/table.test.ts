// Every kernel of the table on every shape that its family has tests for: what the f64 reference says, to the bit or within
// what f32 rounds, by plain, relaxed and wide code; and the same bits on any number of threads at any height of strips.
import { afterAll, describe, expect, it } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import type { KernelCase } from "../../src/kernels/case.ts";
import type { CodeMode } from "../../src/kernels/kernel.ts";
import type { Elements } from "../../src/tensor.ts";
import { type CaseData, casesOf, checkCases, dataOf, families, isEqual, judgeOf, kernels, runCase } from "./run.ts";

const wasm = (threads: number, mode: CodeMode): WasmBackend =>
  new WasmBackend({ threads, always: true, maxMemory: 2 ** 28, mode, memories: threads !== 3 });
const reference = new ReferenceBackend(2 ** 28);
const plain = [1, 2, 3].map((threads) => wasm(threads, { relaxed: false, wide: false }));
const relaxed = wasm(1, { relaxed: true, wide: false });
const { supported, reason } = wideSupport();
const wide = supported ? wasm(1, { relaxed: true, wide: true }) : undefined;
afterAll(() => {
  for (const backend of [...plain, relaxed, wide]) backend?.dispose();
});

/** Rows of a strip; where there is none, as many as are best. */
const heights = [undefined, 1, 2, 5];

/** What is wrong with the results of one case. */
async function faultsOf(one: KernelCase, data: CaseData): Promise<string[]> {
  const faults: string[] = [];
  const judge = await judgeOf(reference, one, data);
  const run = async (backend: WasmBackend, rows?: number): Promise<Elements> => {
    backend.stripRows = rows;
    return await runCase(backend, one, data);
  };
  const check = (name: string, result: Elements): void => {
    const fault = judge(result);
    if (fault) faults.push(`${name}: ${fault}`);
  };
  const first = await run(plain[0]!);
  check("plain code", first);
  for (const backend of plain) {
    for (const rows of heights.filter((rows = 1) => rows <= one.grid.extent)) {
      if (isEqual(await run(backend, rows), first, one)) continue;
      faults.push(`${backend.threads} threads, strips of ${rows ?? "any number of"} rows: other bits`);
    }
  }
  const fused = await run(relaxed);
  check("relaxed code", fused);
  if (wide && !isEqual(await run(wide), fused, one)) faults.push("wide code: other bits than relaxed code");
  return faults;
}

describe.each(families)("%s", (family) => {
  it(`gives the same by all its code${supported ? "" : `; but for wide code: ${reason}`}`, async () => {
    const cases = (await casesOf(family)).filter(({ benchmark }) => !benchmark);
    const faults: string[] = [];
    for (const [index, one] of cases.entries()) {
      const seed = index + 1;
      const name = `${family}, "${one.name}", seed ${seed}`;
      const found = await faultsOf(one, dataOf(one, seed)).catch((error) => [String(error)]);
      faults.push(...found.map((fault) => `${name}: ${fault}`));
    }
    expect(faults).toEqual([]);
  });

  it("says what its steps do", async () => {
    for (const { kernel } of (await casesOf(family)).flatMap(({ steps }) => steps)) {
      if (kernel.family === family) expect(kernels[family].describe(kernel as never)).toMatch(/^[^\n]+$/);
    }
  });
});

it.skipIf(!supported)(`wide code of every kernel agrees with its twin (${reason})`, () => {
  const verdicts = [...wide!.verdicts];
  expect(verdicts.length).toBeGreaterThan(100);
  expect(verdicts.filter(([, verdict]) => verdict !== "wide")).toEqual([]);
});

describe("a family without cases", () => {
  it("fails", async () => {
    await expect(casesOf("made-up")).rejects.toThrow("made-up: src/kernels/made-up/cases.ts has no case of it");
    expect(() => checkCases("made-up", {})).toThrow("has no case of it");
    expect(() => checkCases("made-up", { cases: [] })).toThrow("has no case of it");
  });

  it("fails with those of another", async () => {
    const cases = await casesOf("pool");
    expect(() => checkCases("made-up", { cases })).toThrow("has no case of it");
    expect(() => checkCases("pool", { cases: [...cases, { ...cases[0]!, name: "other", steps: [] }] })).toThrow(
      'the case "other" has no step of it',
    );
    expect(() => checkCases("pool", { cases: cases.slice(0, 3) })).toThrow("0 cases are its benchmark");
  });
});
