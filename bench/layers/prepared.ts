// A layer of rank1 with its weights in place, on plain arrays; and, where the engine makes values of its own, on those.
import type { Engine } from "../../src/index.ts";
import { timed } from "../rival.ts";
import type { Job } from "../serve.ts";
import { callOf, lengthOf, shapeOf } from "./call.ts";
import type { LayerCase } from "./cases.ts";
import { makeData } from "./data.ts";

/** A value in the engine's memory, which layers read and write without copies. */
interface EngineValue {
  write(data: Float32Array): Promise<void>;
  read(into: Float32Array): Promise<unknown>;
  dispose(): void;
}

interface Allocating {
  alloc(spec: { shape: readonly number[]; dtype: "f32" }): EngineValue | Promise<EngineValue>;
}

interface TakesValues {
  run(x: EngineValue, options: { out: EngineValue }): Promise<unknown>;
}

/** What {@link preparedLayer} times beside calls with plain arrays. */
export const [onValues, copies] = ["on values", "copies"];

/** `values`: times runs on values of the engine, and copies into and out of them, as programs; none where it has no values. */
export async function preparedLayer(engine: Engine, problem: LayerCase, values: boolean): Promise<Job<Float32Array>> {
  const { kind, x, shapes, options, weights, biases } = callOf(problem, makeData(problem));
  const layer = await engine.prepare(engine.layerProblem(kind, shapes, options), { ...weights, ...biases });
  const out = new Float32Array(lengthOf(shapeOf(problem)));
  const job: Job<Float32Array> = {
    run: () => timed(() => layer.run(x, { out })),
    result: () => out,
    dispose: () => layer.dispose(),
  };
  if (!values || !("alloc" in engine)) return job;
  const alloc = (shape: readonly number[]) => (engine as unknown as Allocating).alloc({ shape, dtype: "f32" });
  const [input, output] = [await alloc(x.shape), await alloc(shapeOf(problem))];
  const run = (): Promise<unknown> => (layer as unknown as TakesValues).run(input, { out: output });
  await input.write(x.data);
  await run();
  const result = new Float32Array(out.length);
  await output.read(result);
  await job.run();
  if (result.some((value, i) => !Object.is(value, out[i]))) throw new Error("other bits on values than on arrays");
  const copy = async (): Promise<void> => {
    await input.write(x.data);
    await output.read(result);
  };
  return {
    ...job,
    programs: [
      { plan: onValues, run: () => timed(run) },
      { plan: copies, run: () => timed(copy) },
    ],
    dispose() {
      input.dispose();
      output.dispose();
      layer.dispose();
    },
  };
}
