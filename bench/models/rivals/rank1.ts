// rank1 as its users get it: the built package in dist/.
import type { Model } from "../../../src/onnx/index.ts";
import { rank1Version } from "../../rival.ts";
import type { ModelRival, OpenModel } from "./rival.ts";

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
    open: async (file) => opened(await loadModel(file, { engine })),
    verdicts: () => engine.info().wide.verdicts,
  };
}

/** A model of rank1, from whichever checkout. */
export const opened = (model: Model): OpenModel => ({
  run: (feeds) => model.run(Object.fromEntries(feeds.map(({ name, shape, data }) => [name, { shape, data }]))),
  dispose: () => model.dispose(),
});
