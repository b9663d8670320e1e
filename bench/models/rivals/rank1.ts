// rank1 as its users get it: the built package in dist/.
import type { Model } from "../../../src/onnx/index.ts";
import { rank1Version, timed } from "../../rival.ts";
import type { Job } from "../../serve.ts";
import type { Feed } from "../cases.ts";
import { byName, type ModelResult, type ModelRival } from "./rival.ts";

type Verdicts = NonNullable<NonNullable<Parameters<Face["createEngine"]>[0]>["verdicts"]>;
type Face = typeof import("../../../src/index.ts");
type Models = typeof import("../../../src/onnx/index.ts");

export async function rank1(threads: number, wide: boolean, verdicts: Verdicts = {}): Promise<ModelRival> {
  const built = (path: string) => import(new URL(`../../../dist/${path}`, import.meta.url).href);
  const { createEngine }: Face = await built("index.js");
  const { loadModel }: Models = await built("onnx/index.js");
  const engine = await createEngine({ threads, wide, verdicts, backend: "wasm" });
  const { enabled, reason } = engine.info().wide;
  if (wide && !enabled) throw new Error(`no wide mode here: ${reason}`);
  return {
    version: rank1Version,
    async load(file, feeds) {
      return modelJob(await loadModel(file, { engine }), feeds);
    },
    verdicts: () => engine.info().wide.verdicts,
  };
}

export function modelJob(model: Model, feeds: readonly Feed[]): Job<ModelResult> {
  const inputs = Object.fromEntries(feeds.map(({ name, shape, data }) => [name, { shape, data }]));
  let last: Awaited<ReturnType<Model["run"]>> = {};
  const run = async (): Promise<void> => {
    last = await model.run(inputs);
  };
  return { run: () => timed(run), result: () => byName(last), dispose: () => model.dispose() };
}
