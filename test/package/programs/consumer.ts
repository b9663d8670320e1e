// A program that uses the package's types without any library but the language's own. Compiled, never run.
import {
  createEngine,
  type Engine,
  type EngineOptions,
  explain,
  factorize,
  filters,
  type Image,
  InvalidArgumentError,
  type Plan,
  type Tensor,
} from "rank1";
import { imageToTensor, inspectModel, loadModel, type Model, saveModel, separateModel } from "rank1/onnx";

const ends = { aborted: false, throwIfAborted() {} };

/** A worker as rank1 uses one. */
const worker = {
  postMessage(_message: unknown) {},
  addEventListener(_type: "error", _listener: (event: { message: string }) => void) {},
  terminate() {},
};

export async function pictures(data: Uint8Array): Promise<Image> {
  const options: EngineOptions = { threads: 2, createWorker: () => worker };
  const engine: Engine = await createEngine(options);
  const image = { width: 4, height: 3, channels: 1, data };
  const plan: Plan = engine.plan(engine.filterProblem({ width: 4, height: 3, channels: 1, dtype: "u8" }, "sobel-x"));
  const text: string = explain(plan);
  const { terms } = factorize(filters.gaussian({ sigma: 2 }));
  const taps: number[] = terms[0]!.column;
  const { gx } = await engine.gradient(image, { filter: "scharr", signal: ends });
  const deep = {
    data: new Uint8Array(96),
    info: { width: 4, height: 3, channels: 1, depth: "double", hasAlpha: false },
  };
  const doubles: Image = await engine.filter(deep, "box:3", { output: "f64" });
  await engine.filter({ ...doubles, hasAlpha: false, data: new Float64Array(12) }, "box:3", { output: "i32" });
  engine.alloc({ width: 4, height: 3, channels: 9, dtype: "u32" });
  // @ts-expect-error: there are no pictures of half floats
  await engine.filter(image, [[1]], { output: "f16" });
  // @ts-expect-error: borders have names
  await engine.filter(image, [[1]], { border: 7 });
  // @ts-expect-error: a signal is no number
  await engine.filter(image, [[1]], { signal: 7 });
  if (text === "" || taps.length === 0) throw new Error();
  return gx;
}

export async function models(bytes: Uint8Array): Promise<Record<string, Tensor>> {
  const model: Model = await loadModel(bytes, { shapes: { x: [1, 3, "rows", 8] } });
  const input = imageToTensor({ width: 8, height: 8, channels: 3, data: bytes }, { mean: [0, 0, 0] });
  const { totals } = inspectModel(model);
  const { model: small, report } = await separateModel(model, { reduce: 2.5, signal: ends });
  const saved: Uint8Array = saveModel(small);
  const layers: number = report.layers.length;
  // @ts-expect-error: models have no such method
  model.train();
  if (totals.multiplications + layers + saved.length === 0) throw new Error();
  return small.run({ x: input }, { signal: ends, onProgress: (done: number) => done });
}

export function isWrong(error: unknown): boolean {
  return error instanceof InvalidArgumentError && error.code === "INVALID_ARGUMENT" && error.parameter !== "";
}
