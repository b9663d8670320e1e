// rank1 itself, from its sources: a call of the engine with plain arrays, and beside it every plan that the solvers propose,
// without the copies in and out.
import { weightsOf } from "../../../src/engine/layers.ts";
import { createEngine, type Engine } from "../../../src/index.ts";
import { kernelOf, solvers } from "../../../src/kernels/table.ts";
import type { LayerKind, LayerOptions } from "../../../src/plan/layer-problem.ts";
import { candidates, type Planner } from "../../../src/plan/planner.ts";
import { builtInProfile } from "../../../src/plan/profile.ts";
import type { LayerProblem } from "../../../src/plan/types.ts";
import { chooseMachine } from "../../../src/backend/choose.ts";
import { Network } from "../../../src/run/network.ts";
import { rank1Version, timed } from "../../rival.ts";
import { type Group, type LayerCase, linksOf } from "../cases.ts";
import type { LayerData, Weights } from "../data.ts";
import type { LayerRival } from "./rival.ts";

const kinds: Record<Group, LayerKind> = {
  separable: "separableConv2d",
  inverted: "invertedResidual",
  depthwise: "depthwiseConv2d",
  pointwise: "pointwiseConv2d",
  regular: "conv2d",
};

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
  const { machine } = chooseMachine({ backend: "wasm", threads, wide, deterministic: false, maxMemory: 2 ** 30 });
  return {
    version: rank1Version,
    async prepare(problem, data) {
      const { call, out, problem: layer, tensors, dispose } = await layerOf(engine, problem, data);
      const programs: { plan: string; network: Network }[] = [];
      for (const candidate of candidates(layer, planner).found) {
        const network = await Network.create(candidate, machine, weightsOf(layer, tensors));
        await network.run(new Map([["x", valueOf(layer, data)]]), new Map());
        programs.push({ plan: `${candidate.solver}: ${candidate.summary}`, network });
      }
      return {
        run: () => timed(call),
        result: () => out,
        programs: programs.map(({ plan, network }) => ({
          plan,
          run: () => timed(() => network.run(new Map(), new Map())),
        })),
        dispose() {
          for (const { network } of programs) network.dispose();
          dispose();
        },
      };
    },
  };
}

const valueOf = ({ x }: LayerProblem, data: LayerData) => {
  const [images, height, width, channels] = x.shape as [number, number, number, number];
  return { data: data.x, format: "NHWC" as const, images, height, width, channels };
};

/** The call that a user makes. */
async function layerOf(engine: Engine, problem: LayerCase, { x: input, links }: LayerData) {
  const last = linksOf(problem).at(-1)!;
  const out = new Float32Array(last.outHeight * last.outWidth * last.outputs);
  const x = { shape: [1, problem.height, problem.width, problem.channels], data: input };
  const [stride] = links.map(({ stride }) => stride).filter((stride) => stride > 1);
  const weights = links.map(weightOf);
  const [first, second, third] = links;
  const common = { strides: stride ?? 1, pads: "same" } as const;
  const kind = kinds[problem.group];
  // The engine forgets by itself what calls made.
  const dispose = (): void => {};
  if (kind === "invertedResidual") {
    const [expand, depthwise, project] = weights as [Weight, Weight, Weight];
    const options: LayerOptions = {
      ...{ ...common, activation: third!.activation, residual: problem.residual },
      ...{ expandActivation: first!.activation, depthwiseActivation: second!.activation },
    };
    const shapes = { x: x.shape, expand: expand.shape, depthwise: depthwise.shape, project: project.shape };
    const layer = engine.layerProblem(kind, shapes, options);
    const tensors = {
      ...{ expand, expandBias: first!.bias, depthwise, depthwiseBias: second!.bias, project, bias: third!.bias },
    };
    const prepared = await engine.prepare(layer, tensors);
    return { problem: layer, tensors, out, call: () => prepared.run(x, { out }), dispose: () => prepared.dispose() };
  }
  if (kind === "separableConv2d") {
    const [depthwise, pointwise] = weights as [Weight, Weight];
    const options = { ...common, activation: second!.activation, depthwiseActivation: first!.activation };
    const shapes = { x: x.shape, depthwise: depthwise.shape, pointwise: pointwise.shape };
    const biases = { depthwiseBias: first!.bias, bias: second!.bias };
    const call = () => engine.separableConv2d(x, depthwise, pointwise, { ...options, ...biases, out });
    return {
      problem: engine.layerProblem(kind, shapes, options),
      tensors: { depthwise, pointwise, ...biases },
      out,
      call,
      dispose,
    };
  }
  const [weight] = weights as [Weight];
  const options = { ...common, activation: first!.activation };
  const call = () => engine[kind](x, weight, { ...options, bias: first!.bias, out });
  const layer = engine.layerProblem(kind, { x: x.shape, weight: weight.shape }, options);
  return { problem: layer, tensors: { weight, bias: first!.bias }, out, call, dispose };
}

type Weight = ReturnType<typeof weightOf>;

const weightOf = ({ kind, size, inputs, outputs, weight }: LayerData["links"][number] & Weights) => ({
  shape: [size, size, inputs, kind === "depthwise" ? 1 : outputs],
  data: weight,
});
