// rank1 itself, from its sources: a call of the engine with plain arrays, and beside it every plan that the solvers propose,
// without the copies in and out.
import type { Bindings, Program } from "../../../src/backend/backend.ts";
import { chooseWasm } from "../../../src/backend/choose.ts";
import { weightsOf } from "../../../src/engine/layers.ts";
import { createEngine, type Engine } from "../../../src/index.ts";
import { kernelOf, solvers } from "../../../src/kernels/table.ts";
import { candidates, type Planner } from "../../../src/plan/planner.ts";
import { builtInProfile } from "../../../src/plan/cost.ts";
import type { LayerProblem } from "../../../src/plan/types.ts";
import { rank1Version, timed } from "../../rival.ts";
import { callOf, lengthOf, shapeOf } from "../call.ts";
import type { LayerCase } from "../cases.ts";
import type { LayerData } from "../data.ts";
import type { LayerRival } from "./rival.ts";

const planner: Planner = {
  solvers,
  profile: builtInProfile,
  workOf: ({ kernel, reads, writes }, buffers) =>
    kernelOf(kernel).work(kernel, { reads: reads.map((id) => buffers.get(id)!), write: buffers.get(writes)! }),
};

export async function rank1(threads: number, wide: boolean): Promise<LayerRival> {
  const engine = await createEngine({ threads, wide, backend: "wasm" });
  const { enabled, reason } = engine.info().wide;
  if (wide && !enabled) throw new Error(`no wide mode here: ${reason}`);
  const { backend } = chooseWasm({ backend: "wasm", threads, wide, deterministic: false, maxMemory: 2 ** 30 });
  return {
    version: rank1Version,
    async prepare(problem, data) {
      const { call, out, problem: layer, tensors, dispose } = await layerOf(engine, problem, data);
      const programs: { plan: string; program: Program }[] = [];
      for (const candidate of candidates(layer, planner).found) {
        const program = await backend.compile(candidate, weightsOf(layer, tensors));
        await program.run(inputOf(layer, data), []);
        programs.push({ plan: `${candidate.solver}: ${candidate.summary}`, program });
      }
      return {
        run: () => timed(call),
        result: () => out,
        programs: programs.map(({ plan, program }) => ({
          plan,
          run: () => timed(() => program.run([], [])),
        })),
        dispose() {
          for (const { program } of programs) program.dispose();
          dispose();
        },
      };
    },
  };
}

const inputOf = ({ x }: LayerProblem, data: LayerData): Bindings => {
  const [images, height, width, channels] = x.shape as [number, number, number, number];
  return [["x", { kind: "tensor", data: data.x, format: "NHWC", images, height, width, channels }]];
};

/** The call that a user makes. */
async function layerOf(engine: Engine, problem: LayerCase, data: LayerData) {
  const { kind, x, shapes, options, weights, biases } = callOf(problem, data);
  const layer = engine.layerProblem(kind, shapes, options);
  const [tensors, out] = [{ ...weights, ...biases }, new Float32Array(lengthOf(shapeOf(problem)))];
  if (kind === "invertedResidual") {
    const prepared = await engine.prepare(layer, tensors);
    return { problem: layer, tensors, out, call: () => prepared.run(x, { out }), dispose: () => prepared.dispose() };
  }
  const { weight, depthwise, pointwise } = weights;
  const all = { ...options, ...biases, out };
  const call = (): Promise<unknown> =>
    kind === "separableConv2d" ? engine.separableConv2d(x, depthwise!, pointwise!, all) : engine[kind](x, weight!, all);
  // The engine forgets by itself what calls made.
  return { problem: layer, tensors, out, call, dispose: () => {} };
}
