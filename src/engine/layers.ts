// Layers of an engine: checks weights, brings them into one order, packs them into a network of one layer, and caches
// that by the arrays that hold them.
import type { Program, ProgramRunOptions, TensorBinding } from "../backend/backend.ts";
import type { Abortable } from "../backend/slices.ts";
import { checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { splitDepthwise } from "../factor/factorize.ts";
import type { LayerWeights } from "../kernels/kernel.ts";
import { transposedWeights } from "../kernels/transposed/solver.ts";
import {
  type LayerKind,
  type LayerOptions,
  layerKinds,
  layerOptionKeys,
  layerProblem,
  weightShapes,
} from "../plan/layer-problem.ts";
import type { LayerProblem, Plan, ValueSpec } from "../plan/types.ts";
import { arrayIn, checkSidesIn, checkTensor, type F32Tensor, type TensorLike } from "../tensor.ts";
import { plural } from "../words.ts";
import { type CallHooks, checkApart, checkRunOptions } from "./calls.ts";
import type { IntoValue } from "./types.ts";
import { EngineValue, innerOf } from "./values.ts";

/** Weights and biases of a layer, by name: see {@link layerProblem}; a bias is one number an output. */
export type LayerTensors = Readonly<Record<string, TensorLike | ArrayLike<number> | undefined>>;

/** What calls of layers take. */
export interface LayerCallOptions extends LayerOptions, CallHooks {
  /** One number an output channel, added before the activation. */
  bias?: ArrayLike<number>;
  /** Of the depthwise step of a layer of several. */
  depthwiseBias?: ArrayLike<number>;
  /** Takes the result: an array of exactly its length, a Tensor that holds one, or a value of its shape; not the input. */
  out?: LayerOut;
}

/** What a run of a prepared layer takes. */
export interface LayerRunOptions extends CallHooks {
  /** As of {@link LayerCallOptions}. */
  out?: LayerOut;
}

/** Where the result of a layer goes. */
export type LayerOut = Float32Array | TensorLike | EngineValue;

/** What a layer reads: a tensor, or a value of the engine. */
interface LayerInput {
  readonly shape: readonly number[];
  readonly data: Float32Array | EngineValue;
}

const callKeys = ["bias", "out", "signal", "onProgress"] as const;

/** The parts of a call of a layer: its problem, its input, its weights in TensorFlow's order, how to run it. */
export interface LayerCall {
  problem: LayerProblem;
  x: LayerInput;
  tensors: LayerTensors;
  run: LayerRunOptions;
}

/** Checks a call of one of the layer kinds. */
export function checkLayerCall(
  kind: LayerKind,
  input: TensorLike | EngineValue,
  given: readonly TensorLike[],
  options: LayerCallOptions | undefined,
): LayerCall {
  const biases = kind === "separableConv2d" ? (["depthwiseBias"] as const) : [];
  const all = checkOptions<LayerCallOptions>("options", options, [...layerOptionKeys[kind], ...callKeys, ...biases]);
  const { bias, depthwiseBias, out, signal, onProgress, ...layerOptions } = all;
  checkRunOptions({ signal, onProgress });
  const x = checkInput(input);
  const weights = layerKinds[kind].map((name, i): [string, F32Tensor] => [name, checkWeight(name, given[i])]);
  const shapes = Object.fromEntries(weights.map(([name, { shape }]) => [name, shape]));
  const problem = layerProblem(kind, { x: x.shape, ...shapes }, layerOptions);
  const tensors = { ...Object.fromEntries(weights), bias, ...(depthwiseBias !== undefined && { depthwiseBias }) };
  return { problem, x, tensors, run: { out, signal, onProgress } };
}

/** Weights are packed when a layer is made: those in the engine would first be copied out of it. */
function checkWeight(name: string, weight: unknown): F32Tensor {
  if (!(weight instanceof EngineValue)) return checkTensor(name, weight, 4);
  const [expected, received] = ["a tensor { shape, data } with a Float32Array", "an EngineValue"];
  const hint = "weights are packed, not used in place: give { shape: value.shape, data: await value.read() }";
  throw new InvalidArgumentError({ parameter: name, expected, received, hint });
}

/** Weights by constant, in TensorFlow's order, after checks of shapes, lengths and names. */
export function weightsOf(problem: LayerProblem, weights: LayerTensors): Map<string, LayerWeights> {
  const known = weightShapes(problem);
  const names = known.flatMap(({ name, bias }) => [name, bias]);
  const tensors = checkOptions<LayerTensors>("weights", weights, names);
  return new Map(
    known.map(({ name, bias, shape, depthwise }) => {
      const { data, shape: given } = checkWeight(name, tensors[name]);
      const [kh, kw, inputs, outputs] = shape;
      const nchw = problem.dataFormat === "NCHW";
      const wanted = !nchw ? shape : depthwise ? [inputs * outputs, 1, kh, kw] : [outputs, inputs, kh, kw];
      // A convolution in as many groups as inputs is a depthwise layer, given as a convolution.
      const grouped = depthwise && !nchw && given[2] === 1 ? [kh, kw, 1, inputs * outputs] : wanted;
      if (given.join() !== wanted.join() && given.join() !== grouped.join()) {
        const [expected, received] = [`[${wanted.join(", ")}]`, `[${given.join(", ")}]`];
        throw new InvalidArgumentError({ parameter: name, expected, received });
      }
      const count = depthwise ? inputs * outputs : outputs;
      return [name, { weight: data, order: nchw ? "OIHW" : "HWIO", bias: checkBias(bias, tensors[bias], count) }];
    }),
  );
}

/** Adds to a problem what its weights show (depthwise filters of rank 1), so that more solvers apply, and to the weights what these need. */
export function findStructure(problem: LayerProblem, weights: Map<string, LayerWeights>): LayerProblem {
  if (problem.kind === "transposed") {
    const outputs = problem.y.shape[3]! / (problem.groups ?? 1);
    const weight = channelsLast(weights.get("weight")!, outputs, problem.window.size);
    for (const [id, phase] of transposedWeights(problem, weight)) weights.set(id, phase);
  }
  if (problem.kind !== "depthwise" || problem.depthMultiplier > 1) return problem;
  const [kh, kw] = problem.window.size;
  const { weight, bias } = channelsLast(weights.get("weight")!, problem.x.shape[3]!, [kh, kw]);
  const split = kh > 1 && kw > 1 ? splitDepthwise(weight, [kh, kw, problem.x.shape[3]!]) : undefined;
  if (!split) return problem;
  weights.set("column", { weight: split.columns });
  weights.set("row", { weight: split.rows, bias });
  return { ...problem, spatiallySeparable: true };
}

function checkBias(parameter: string, bias: unknown, count: number): ArrayLike<number> | undefined {
  if (bias === undefined) return undefined;
  const given = (typeof bias === "object" && bias !== null && "data" in bias ? bias.data : bias) as ArrayLike<number>;
  const list = (ArrayBuffer.isView(given) || Array.isArray(given)) && given.length === count;
  if (list && Array.from(given).every((value) => typeof value === "number")) return given;
  throw new InvalidArgumentError({ parameter, expected: plural(count, "number"), received: describe(bias) });
}

/** Weights in TensorFlow's order. */
function channelsLast(given: LayerWeights, outputs: number, [kh, kw]: readonly [number, number]): LayerWeights {
  if (given.order !== "OIHW") return given;
  const { weight, bias } = given;
  const [moved, taps] = [new Float32Array(weight.length), kh * kw];
  const inputs = weight.length / outputs / taps;
  for (let o = 0, at = 0; o < outputs; o++)
    for (let c = 0; c < inputs; c++)
      for (let tap = 0; tap < taps; tap++) moved[(tap * inputs + c) * outputs + o] = weight[at++]!;
  return { weight: moved, bias };
}

/** A tensor of four sides, or such a value. */
function checkInput(input: TensorLike | EngineValue): LayerInput {
  if (!(input instanceof EngineValue)) return checkTensor("x", input, 4);
  if (input.shape.length === 4 && input.dtype === "f32") return { shape: input.shape, data: input };
  const [expected, received] = ["a value of four sides in f32", `[${input.shape.join(", ")}] in ${input.dtype}`];
  throw new InvalidArgumentError({ parameter: "x", expected, received });
}

/** Runs a program of one layer on checked arrays. */
export async function runLayer(
  problem: LayerProblem,
  program: Program,
  x: LayerInput,
  out: Float32Array | EngineValue | undefined,
  options: ProgramRunOptions,
): Promise<F32Tensor | EngineValue> {
  const { dataFormat: format } = problem;
  const data = out ?? new Float32Array(lengthOf(problem.y));
  const bind = (shape: readonly number[], data: Float32Array | EngineValue): TensorBinding => {
    const [images, height, width, channels] = shape as [number, number, number, number];
    return { kind: "tensor", data: innerOf(data), format, images, height, width, channels };
  };
  const members = problem.kind === "depthwise" ? problem.depthMultiplier : 1;
  await program.run(
    [["x", bind(problem.x.shape, x.data)]],
    [["y", { ...bind(problem.y.shape, data), members }]],
    options,
  );
  return data instanceof EngineValue ? data : { shape: callerShape(problem.y.shape, format), data };
}

/** [batch, height, width, channels] in the caller's order. */
function callerShape([n, h, w, c]: readonly number[], format: LayerProblem["dataFormat"]): number[] {
  return format === "NHWC" ? [n!, h!, w!, c!] : [n!, c!, h!, w!];
}

const lengthOf = ({ shape }: ValueSpec): number => shape.reduce((product, side) => product * side, 1);

/** Checks `out`, where it is given. What is returned without it is made once the layer is known to fit memory. */
export function checkLayerOut(
  { y, dataFormat }: LayerProblem,
  x: LayerInput,
  out: unknown,
): Float32Array | EngineValue | undefined {
  if (out === undefined) return undefined;
  if (out instanceof EngineValue) {
    const wanted = callerShape(y.shape, dataFormat);
    if (out.shape.join() === wanted.join() && out.dtype === "f32" && out !== x.data) return out;
    const expected = `a value of [${wanted.join(", ")}] in f32, and not x`;
    const received = out === x.data ? "x" : `[${out.shape.join(", ")}] in ${out.dtype}`;
    throw new InvalidArgumentError({ parameter: "out", expected, received });
  }
  checkSidesIn("out", out, callerShape(y.shape, dataFormat));
  const array = arrayIn(out);
  if (array instanceof Float32Array && array.length === lengthOf(y))
    return x.data instanceof EngineValue ? array : checkApart(array, x.data, "x");
  const expected = `a Float32Array of ${plural(lengthOf(y), "element")}`;
  throw new InvalidArgumentError({ parameter: "out", expected, received: describe(array) });
}

type Enqueue = <T>(signal: AbortSignal | undefined, work: (signal: Abortable) => Promise<T>) => Promise<T>;

/** A layer whose weights are packed and in place; made by `engine.prepare`. */
export class PreparedLayer {
  /** How it is computed: for `explain`. */
  readonly plan: Plan;
  private readonly program: Program;
  private readonly enqueue: Enqueue;

  /** @internal Use `engine.prepare`. */
  constructor(plan: Plan, program: Program, enqueue: Enqueue) {
    this.plan = plan;
    this.program = program;
    this.enqueue = enqueue;
  }

  /** Bytes of working memory that it holds. */
  get bytes(): number {
    return this.program.bytes;
  }

  /** Runs the layer on an input of the shape that it was prepared for. */
  run(input: TensorLike | EngineValue, options: LayerRunOptions & IntoValue): Promise<EngineValue>;
  run(input: TensorLike | EngineValue, options?: LayerRunOptions): Promise<F32Tensor>;
  async run(input: TensorLike | EngineValue, options?: LayerRunOptions): Promise<F32Tensor | EngineValue> {
    const given = checkOptions<LayerRunOptions>("options", options, ["out", "signal", "onProgress"]);
    const { out, signal, onProgress } = given;
    checkRunOptions({ signal, onProgress });
    const problem = this.plan.problem as LayerProblem;
    const x = checkInput(input);
    const wanted = callerShape(problem.x.shape, problem.dataFormat);
    if (x.shape.join() !== wanted.join()) {
      const [expected, received] = [`the layer's [${wanted.join(", ")}]`, `[${x.shape.join(", ")}]`];
      throw new InvalidArgumentError({ parameter: "x", expected, received });
    }
    const target = checkLayerOut(problem, x, out);
    return this.enqueue(signal, (signal) => runLayer(problem, this.program, x, target, { signal, onProgress }));
  }

  /** Frees its memory, after the calls that wait; later calls are rejected. */
  dispose(): void {
    this.enqueue(undefined, async () => this.program.dispose()).catch(() => {});
  }
}

function arrayOf(tensor: LayerTensors[string]): object | undefined {
  const array = (tensor as { data?: object } | undefined)?.data ?? tensor;
  return typeof array === "object" && array !== null ? array : undefined;
}

/** The arrays that hold a call's weights and biases. */
export const arraysOf = (tensors: LayerTensors): object[] =>
  Object.values(tensors)
    .map(arrayOf)
    .filter((array) => array !== undefined);

/** Numbers arrays, so that programs can be cached by the arrays that hold their weights. */
export class Identities {
  private readonly numbers = new WeakMap<object, number>();
  private count = 0;

  of(tensors: LayerTensors): string {
    return Object.entries(tensors)
      .map(([name, tensor]) => {
        const array = arrayOf(tensor);
        if (array === undefined) return "";
        if (!this.numbers.has(array)) this.numbers.set(array, ++this.count);
        return `${name} ${this.numbers.get(array)}`;
      })
      .join();
  }
}
