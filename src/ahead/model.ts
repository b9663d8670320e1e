// Compiles a model for inputs of given shapes: one module for all of them.
import { codeOf, type ProgramImage } from "../backend/wasm/code.ts";
import { createEngine, type Engine } from "../engine/engine.ts";
import { checkOneOf, checkOptions, describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import type { BackendPartition } from "../graph/compile.ts";
import type { Held } from "../graph/lowering.ts";
import { mostFolded, type Planned, partitionsOf } from "../graph/partitions.ts";
import { prepare } from "../graph/passes/index.ts";
import { sidesIn } from "../graph/places.ts";
import type { Spec } from "../graph/types.ts";
import { elementsOf, sizeOf, toValue } from "../graph/values.ts";
import type { Model } from "../onnx/model.ts";
import { DataWriter, type StoredWeights } from "./data.ts";
import { type CompiledFiles, checkName, filesOf } from "./files.ts";
import type { ModelRecipe, NamedTensor, TensorRecipe } from "./recipe.ts";

/** Shapes of inputs by name. */
export type InputShapes = Readonly<Record<string, readonly number[]>>;

/** How a model is compiled. */
export interface CompileModelOptions {
  /** What files are called. Default "model". */
  name?: string;
  /** Shapes of the inputs that the model leaves open; several choices share code and weights. */
  shapes?: InputShapes | readonly InputShapes[];
  /** How weights are stored: "f32" (default), or "f16" in half the bytes, rounded. */
  weights?: StoredWeights;
}

/**
 * A model as files: code, weights, and a module that runs it on one thread, without a planner or generator.
 *
 * @throws InvalidArgumentError for shapes that do not fit or are missing; UnsupportedError for models of which some node runs on
 * the host, which it names, and for inputs and outputs that are not floats or bools.
 */
export async function compileModel(model: Model, options?: CompileModelOptions): Promise<CompiledFiles> {
  const keys = ["name", "shapes", "weights"] as const;
  const { name = "model", shapes = {}, weights = "f32" } = checkOptions<CompileModelOptions>("options", options, keys);
  checkOneOf("weights", weights, ["f32", "f16"]);
  checkName(name);
  checkModel(model);
  const listed = Array.isArray(shapes) ? shapes : [shapes];
  if (listed.length === 0)
    throw new InvalidArgumentError({ parameter: "shapes", expected: "shapes of inputs, or a list of such", received: "an empty list" }); // biome-ignore format: a line
  const choices = listed.map((one) => specsOf(model, one));
  const engine = await createEngine({ backend: "wasm", threads: 1 });
  try {
    const planned: Planned[] = [];
    for (const specs of choices) planned.push(await planOf(model, specs, engine));
    const parts = planned.map(partitionOf);
    const plans = parts.map(({ plan }) => plan);
    const { module, programs } = codeOf(plans, { relaxed: true });
    const data = new DataWriter(weights);
    const models = programs.map((program, i) => recipeOf(program, planned[i]!, parts[i]!, data));
    const about = `${describeInputs(models)}${weights === "f16" ? `; weights are rounded to half floats, by at most ${data.error.toExponential(1)} of the greatest beside them` : ""}`; // biome-ignore format: a line
    return filesOf({
      name,
      about,
      modules: [module, codeOf(plans, { relaxed: false }).module],
      recipe: { models },
      words: data.finish(),
    });
  } finally {
    engine.dispose();
  }
}

function checkModel(model: Partial<Model> | undefined | null): void {
  if (model?.graph && model.operators) return;
  throw new InvalidArgumentError({ parameter: "model", expected: "a model, as loadModel gives it", received: describe(model) }); // biome-ignore format: a line
}

const describeInputs = (models: readonly ModelRecipe[]): string =>
  models.map(({ inputs }) => inputs.map(({ name, dims }) => `${name} ${dims.join("x")}`).join(", ")).join("; ");

/** Types and shapes of the inputs; batches that nobody says are 1. */
function specsOf(model: Model, shapes: unknown): Map<string, Spec> {
  const names = model.inputs.map(({ name }) => name);
  const given = checkOptions<Record<string, readonly number[]>>("shapes", shapes, names);
  return new Map(
    model.inputs.map(({ name, dtype, shape: declared = [] }): [string, Spec] => {
      const own = Object.hasOwn(given, name) ? given[name] : undefined;
      const sides = Array.isArray(own)
        ? Array.from(own)
        : (own ?? declared.map((side, axis) => (axis === 0 && typeof side !== "number" ? 1 : side)));
      const isWhole = Array.isArray(sides) && sides.every((side) => Number.isInteger(side) && (side as number) > 0);
      const fits = sides.length === declared.length && declared.every((side, axis) => typeof side !== "number" || side === sides[axis]); // biome-ignore format: a line
      if (!isWhole || (!fits && declared.length > 0))
        throw new InvalidArgumentError({
          parameter: `shapes[${describe(name)}]`,
          expected: `positive sides as the model declares, [${declared.map((side) => side ?? "?").join(", ")}]`,
          received: describe(sides),
        });
      return [name, { dtype: dtype === "f16" ? "f32" : (dtype ?? "f32"), shape: sides as number[] }];
    }),
  );
}

function planOf(model: Model, specs: ReadonlyMap<string, Spec>, engine: Engine): Promise<Planned> {
  const graph = prepare(model.graph, model.operators, mostFolded(engine.room));
  return partitionsOf(graph, model.operators, specs, engine, model.quantized, { least: 0 });
}

/** The one partition, which is on the backend. */
function partitionOf({ partitions, halves }: Planned): BackendPartition {
  const onHost = partitions.flatMap((partition) => (partition.kind === "host" ? partition.nodes : []));
  const [backend] = partitions;
  if (partitions.length === 1 && backend?.kind === "backend" && !halves) return backend;
  const hosted = onHost.map(({ name, op, outputs }) => `${op} ${describe(name || outputs[0])}`);
  throw new UnsupportedError({
    parameter: "model",
    expected: "a network that runs whole in generated code, its shapes known before",
    received: halves ? "shapes that only a run knows" : onHost.length === 0 ? "no layers" : `on the host: ${hosted.slice(0, 5).join(", ")}${hosted.length > 5 ? ` and ${hosted.length - 5} more` : ""}`, // biome-ignore format: a line
  });
}

function recipeOf(image: ProgramImage, planned: Planned, partition: BackendPartition, data: DataWriter): ModelRecipe {
  const { optimised, specs } = planned;
  const tensor = ({ name, id, order }: Held): TensorRecipe => {
    const { data, pitch, rows, spec } = image.places.get(id)!;
    const sides = sidesIn(specs.get(name)!.shape, order)!;
    const place = { data, pitch, rows, left: spec.left ?? 0, stored: spec.channels };
    return { format: order === "plain" ? "NHWC" : "NCHW", sides, place };
  };
  const ends = new Map([...optimised.inputs, ...optimised.outputs].map(({ name, dtype }) => [name, dtype]));
  const named = (name: string): NamedTensor => {
    const { dtype, shape } = specs.get(name)!;
    // Half floats are floats within, and rounded outside.
    const said = ends.get(name) === "f16" ? "f16" : dtype;
    return { name, dtype: said as NamedTensor["dtype"], dims: shape };
  };
  const { reads, writes } = partition;
  const isConstant = ({ name }: Held): boolean => optimised.constants.has(name);
  const [inputs, outputs] = [optimised.inputs.map(({ name }) => name), optimised.outputs.map(({ name }) => name)];
  const lost = outputs.find((name) => !writes.some((held) => held.name === name));
  if (lost !== undefined) throw kindOf(lost, "an output that layers compute", "a constant or an input");
  for (const [name, dtype = specs.get(name)!.dtype] of ends)
    if (!["f32", "f16", "bool"].includes(dtype)) throw kindOf(name, "f32, f16 or bool", dtype);
  const constants = reads.filter(isConstant).map((held) => {
    const value = toValue(optimised.constants.get(held.name)!)!;
    const floats = Float32Array.from(elementsOf(value) as ArrayLike<number>);
    return { ...tensor(held), words: data.add(new Uint8Array(floats.buffer)) };
  });
  const sizes = [...reads, ...writes].map(({ name }) => sizeOf(specs.get(name)!.shape));
  const widest = Math.max(...[...reads, ...writes].map((held) => tensor(held).sides).map(([, h, w]) => h! * w!));
  return {
    // Planes come four at a time, and vectors are read and written beyond the last element.
    ...data.program(image, partition.weights, 4 * (Math.max(...sizes) + 3 * widest) + 64),
    inputs: inputs.map((name) => {
      const held = reads.find((held) => held.name === name);
      return held ? { ...named(name), ...tensor(held) } : named(name);
    }),
    outputs: [...new Set(outputs)].map((name) => ({ ...named(name), ...tensor(writes.find((held) => held.name === name)!) })), // biome-ignore format: a line
    constants,
  };
}

const kindOf = (name: string, expected: string, received: string): UnsupportedError =>
  new UnsupportedError({ parameter: `value ${describe(name)}`, expected, received });
