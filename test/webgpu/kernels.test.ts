// Kernels in WGSL on the shapes that their families have tests for: what the f64 reference says. One case for each text of a shader;
// with RANK1_GPU=all every case.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import type { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";
import { missingIn, tasksOf } from "../../src/backend/webgpu/tasks.ts";
import type { KernelCase } from "../../src/kernels/case.ts";
import { type shaders, shaders as table } from "../../src/kernels/shaders.ts";
import { casesOf, dataOf, families, judgeOf, planOf, runCase } from "../kernels/run.ts";
import { isThorough, missingAdapter, openBackend } from "./software.ts";

const limits = { dispatch: 65535, shared: 16384 };
const seen = new Set<string>();

/** Whether a case has a shader that none before it has. */
function isNew(one: KernelCase): boolean {
  const { stages, buffers } = planOf(one);
  if (stages.some((stage) => missingIn(stage, buffers) !== undefined)) return false;
  const texts = tasksOf({ stages, buffers }, limits).tasks.map(({ text }) => text);
  const fresh = texts.some((text) => !seen.has(text));
  for (const text of texts) seen.add(text);
  return fresh;
}

const reason = missingAdapter();
describe.skipIf(reason !== undefined)(`kernels in WGSL${reason ? `: ${reason}` : ""}`, () => {
  const reference = new ReferenceBackend(2 ** 28);
  let gpu: WebGpuBackend;
  beforeAll(async () => {
    gpu = await openBackend();
  });
  afterAll(() => gpu?.dispose());

  const withShaders = Object.keys(table) as (keyof typeof shaders)[];
  it.each(withShaders)("%s gives what the reference gives", { timeout: 600_000 }, async (family) => {
    const cases = (await casesOf(family)).filter((one) => !one.benchmark && (isThorough || isNew(one)));
    const faults: string[] = [];
    for (const [index, one] of cases.entries()) {
      const data = dataOf(one, index + 1);
      const judge = await judgeOf(reference, one, data);
      const fault = await runCase(gpu, one, data).then(judge, String);
      if (fault) faults.push(`${family}, "${one.name}", seed ${index + 1}: ${fault}`);
    }
    expect(faults).toEqual([]);
  });

  it("has a place for every family: WGSL, or another backend", () => {
    const elsewhere = families.filter((family) => !(family in table));
    expect(elsewhere.sort()).toEqual(["conv-integer", "edges", "fft", "gemm", "retype", "sample"]);
  });
});
