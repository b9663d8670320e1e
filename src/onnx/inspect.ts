// What `inspectModel` and `explainModel` say of a model: its layers, their sizes and costs; and how it is computed, as
// partitions and tasks.
import { checkBoolean, checkNumber, checkOptions, type OperatorUse } from "../errors.ts";
import { inferAround, inputSpecs, openInputs } from "../graph/infer.ts";
import { type Layer, type LayerSplits, layersOf, splitsOfLayers } from "../graph/layers.ts";
import type { Task } from "../graph/tasks.ts";
import type { Spec, ValueInfo } from "../graph/types.ts";
import { heldAs } from "../graph/values.ts";
import { inputValues, type ModelInput } from "./choice.ts";
import { declaredValues } from "./import.ts";
import type { Model } from "./model.ts";

/** How closely a model is looked at. */
export interface InspectOptions {
  /** Shapes of inputs by name, where the model leaves sides open. An open batch is 1 unless given. */
  shapes?: Readonly<Record<string, readonly number[]>>;
  /** The share of a layer's multiplications for which its splits are estimated: 0.5 unless given. */
  share?: number;
  /** Whether splits come with their singular values. */
  spectra?: boolean;
  /** Whether splits are estimated at all, which takes nearly all of the time. Default true. */
  splits?: boolean;
  /**
   * Whether a model is listed, too, of which inputs have no known shape: `open` names them, and layers of unknown sizes have
   * no outputs and count no multiplications.
   */
  partial?: boolean;
}

/** What is in a model. */
export interface Inspection {
  /** What wrote the file, and its version. */
  producer: string;
  /** The version of ONNX's own operators. */
  opset: number;
  /** With the shapes for which it was inspected. */
  inputs: readonly ValueInfo[];
  /** With the shapes that follow. */
  outputs: readonly ValueInfo[];
  /** In the order in which they run. */
  layers: readonly Layer[];
  /** Nodes that nobody here computes: the model is not run as it is. Sides that follow from them are those that the file says. */
  missing: readonly OperatorUse[];
  /** Names of inputs whose shapes are not known; none but with `partial`. */
  open: readonly string[];
  /** Of all layers; a layer without known sides counts none. */
  totals: {
    /** Numbers in the weights. */
    parameters: number;
    /** Multiply-accumulates (2 FLOP) of a run. */
    multiplications: number;
  };
}

/**
 * The layers of a model with shapes, parameters, multiplications and what splitting each convolution would lose. Nothing
 * is run. Of operators that nobody here computes the results have the shapes that the file declares, or none.
 *
 * @throws InvalidArgumentError where a shape is not known (but with `partial`) or does not fit.
 */
export function inspectModel(model: Model, options: InspectOptions = {}): Inspection {
  const { graph, proto } = model;
  const known = ["shapes", "share", "spectra", "splits", "partial"] as const;
  const given = checkOptions<InspectOptions>("options", options, known);
  const { specs, open, estimated } = checked(model, given);
  const layers = layersOf(graph, specs);
  if (checkBoolean("splits", given.splits ?? true))
    for (const { layer, splits } of splitsOfLayers(graph, specs, ...estimated))
      layers[layer] = { ...layers[layer]!, splits };
  const withShape = (info: ValueInfo): ValueInfo => ({ ...info, shape: specs.get(info.name)?.shape ?? info.shape });
  const sum = (of: (layer: Layer) => number): number => layers.reduce((total, layer) => total + of(layer), 0);
  return {
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(" "),
    opset: Number(proto.opsetImport.find(({ domain }) => !domain || domain === "ai.onnx")?.version ?? 1n),
    inputs: graph.inputs.map(withShape),
    outputs: graph.outputs.map(withShape),
    layers,
    missing: model.missing,
    open,
    totals: { parameters: sum(({ parameters }) => parameters), multiplications: sum((l) => l.multiplications) },
  };
}

/** How closely splits are estimated: as {@link InspectOptions}. */
export type SplitOptions = Omit<InspectOptions, "splits">;

/**
 * The splits that `inspectModel` lists, one layer after another: estimating takes nearly all of its time, and whoever
 * iterates can show what is known, let other work pass in between, and stop. Layers without splits are left out.
 *
 * @throws InvalidArgumentError as `inspectModel`, before the first.
 */
export function estimateSplits(model: Model, options: SplitOptions = {}): Generator<LayerSplits> {
  const known = ["shapes", "share", "spectra", "partial"] as const;
  const { specs, estimated } = checked(model, checkOptions<SplitOptions>("options", options, known));
  return splitsOfLayers(model.graph, specs, ...estimated);
}

/** The specs of all values, the inputs that are open, and for which share and whether with spectra splits are estimated. */
function checked(model: Model, { shapes, share = 0.5, spectra = false, partial = false }: SplitOptions) {
  const { graph, operators } = model;
  checkShapes(model, shapes);
  const open = checkBoolean("partial", partial) ? openInputs(graph, shapes) : [];
  const inputs = inputSpecs({ inputs: graph.inputs.filter((info) => !open.includes(info)) }, shapes);
  const estimated = [checkNumber("share", share, { min: 0, max: 1 }), checkBoolean("spectra", spectra)] as const;
  const specs = inferAround(graph, operators, inputs, declaredSpecs(model, inputs));
  return { specs, open: open.map(({ name }) => name), estimated };
}

/** Shapes are of inputs that there are. */
function checkShapes({ inputs }: Model, shapes: InspectOptions["shapes"]): void {
  const names = inputs.map(({ name }) => name);
  checkOptions<Record<string, unknown>>("shapes", shapes, names);
}

/** What the file says of values between nodes, for these inputs: where all sides are numbers, or those of the inputs. */
function declaredSpecs({ graph, proto }: Model, inputs: ReadonlyMap<string, Spec>): Map<string, Spec> {
  const named = graph.inputs.flatMap(({ name, shape = [] }) =>
    shape.flatMap((side, axis) => {
      const known = inputs.get(name)?.shape[axis];
      return typeof side === "string" && known !== undefined ? [[side, known] as const] : [];
    }),
  );
  const sides = new Map(named);
  const known = [...declaredValues(proto).values(), ...graph.outputs].flatMap(({ name, dtype, shape }) => {
    const found = shape?.map((side) => (typeof side === "string" ? sides.get(side) : side));
    if (!dtype || !found?.every((side) => side !== undefined)) return [];
    return [[name, { dtype: heldAs(dtype), shape: found }] as const];
  });
  return new Map(known);
}

/** For which inputs a model is explained. */
export interface ExplainModelOptions {
  /** Shapes of inputs by name, where the model leaves sides open. */
  shapes?: Readonly<Record<string, readonly number[]>>;
  /** Or the inputs themselves: a model whose inputs say sizes is compiled for those. */
  inputs?: Readonly<Record<string, ModelInput>>;
  /** Names of the outputs that are wanted, as for a run. */
  outputs?: readonly string[];
}

/** How a model is computed for inputs of some shapes. */
export interface ModelPlan {
  /** In the order in which they run; {@link RunOptions.onTask} counts through the tasks of all partitions. */
  partitions: readonly {
    /** In generated code, or in plain loops. */
    place: "backend" | "host";
    /** What is done, in order. */
    tasks: readonly Task[];
  }[];
  /** Names of the generated functions that are needed. */
  kernels: readonly string[];
  /** Of the engine's memory, for values, weights and scratch. */
  bytes: number;
}

/**
 * Compiles a model for some inputs, as a run does, and says how it will be computed. An open batch is 1 unless
 * given.
 *
 * @throws InvalidArgumentError where a shape is not known or does not fit, UnsupportedOpError for unknown operators.
 */
export async function explainModel(model: Model, options?: ExplainModelOptions): Promise<ModelPlan> {
  const known = ["shapes", "inputs", "outputs"] as const;
  const { shapes, inputs, outputs } = checkOptions<ExplainModelOptions>("options", options, known);
  checkShapes(model, shapes);
  const graph = model.choosing(outputs);
  const specs = inputs ? await inputValues(model.graph, inputs, graph.inputs) : inputSpecs(graph, shapes);
  const program = await model.programFor(specs, graph);
  const partitions = program.tasks.map((tasks, i) => ({ place: program.partitions[i]?.kind ?? "host", tasks }));
  const kernels = new Set(partitions.flatMap(({ tasks }) => tasks.flatMap((task) => task.kernels)));
  return { partitions, kernels: [...kernels], bytes: program.bytes };
}
