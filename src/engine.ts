// The engine: owns one machine, the programs made for it, and the queue of calls. The only place where factoring,
// planning and running meet.

import { type CallOptions, callKeys, checkOut, checkRunOptions, plainView } from "./engine/calls.ts";
import {
  checkLayerCall,
  checkLayerOut,
  findStructure,
  Identities,
  type LayerCall,
  type LayerCallOptions,
  type LayerTensors,
  PreparedLayer,
  runLayer,
  weightsOf,
} from "./engine/layers.ts";
import { fastestPlan } from "./engine/measured.ts";
import {
  type CheckedOptions,
  checkEngineOptions,
  type EngineOptions,
  type Limits,
  type Planning,
} from "./engine/options.ts";
import type {
  EngineInfo,
  FilterCallOptions,
  Gradient,
  GradientCallOptions,
  PlanOptions,
  PreparedNetwork,
} from "./engine/types.ts";
import { checkOneOf, checkOptions, describe, InvalidArgumentError, Rank1Error } from "./errors.ts";
import type { Filter } from "./factor/filter.ts";
import { type GradientName, gradientNames, gradientPair, isGradientName } from "./factor/gradients.ts";
import { tapSum } from "./kernels/filter.ts";
import { solvers, workOf } from "./kernels/table.ts";
import { type FilterOptions, filterOptionKeys, filterProblem, type PictureSpec } from "./plan/filter-problem.ts";
import { type LayerKind, type LayerOptions, type LayerShapes, layerProblem } from "./plan/layer-problem.ts";
import { checkPlan, everyPlan, plan as makePlan, type Planner } from "./plan/planner.ts";
import { builtInProfile } from "./plan/profile.ts";
import type { FilterProblem, LayerProblem, Plan, Problem } from "./plan/types.ts";
import type { Choice } from "./run/choose.ts";
import { angleOf, magnitudeOf } from "./run/gradient.ts";
import { Network, type NetworkPlan, type WeightsById } from "./run/network.ts";
import { Program } from "./run/program.ts";
import { keyOf, Programs } from "./run/programs.ts";
import { isOpaque } from "./run/rows.ts";
import type { Abortable } from "./run/slices.ts";
import type { RunOptions } from "./run/stage.ts";
import { WasmMachine } from "./run/wasm.ts";
import {
  type CheckedImage,
  checkImage,
  checkPicture,
  type F32Tensor,
  type Image,
  type ImageArray,
  type ImageLike,
  type TensorLike,
} from "./tensor.ts";

/** A plan and its key among the programs. */
interface PlannedFilter {
  plan: Plan;
  key: string;
  /** Whether it is the one to keep: by prediction it is at once. */
  settled: boolean;
}

/** Plans of recent calls that an engine keeps. */
const mostPlans = 32;

/**
 * Makes an engine. It starts threads at its first large call, and never keeps a process alive while idle.
 *
 * @throws InvalidArgumentError for an option that is not known or out of range; UnsupportedError for a backend that does
 * not run here.
 */
export async function createEngine(options?: EngineOptions): Promise<Engine> {
  return new Engine(checkEngineOptions(options));
}

/**
 * Plans, compiles and runs filters and layers; made by {@link createEngine}. Calls run one after the other, in order. Programs
 * and packed weights are kept within a quarter of `maxMemory`, so that later calls of the same kind start at once.
 */
export class Engine {
  private readonly choice: Choice;
  private readonly limits: Limits;
  private readonly planning: Planning;
  private readonly planner: Planner;
  private readonly programs: Programs;
  private readonly planned = new Map<string, PlannedFilter>();
  private readonly identities = new Identities();
  private queue: Promise<unknown> = Promise.resolve();
  /** Aborted when the engine is disposed of: every call listens. */
  private readonly end = new AbortController();

  /** @internal Use {@link createEngine}. */
  constructor({ choice, limits, planning, maxMemory }: CheckedOptions) {
    this.choice = choice;
    this.limits = limits;
    this.planning = planning;
    this.programs = new Programs(maxMemory / 4);
    this.planner = { solvers, profile: builtInProfile, workOf };
  }

  /** What it runs on, and why. */
  info(): EngineInfo {
    const { machine, reason, relaxed, wide } = this.choice;
    const { count, bytes } = this.programs;
    const lanes = machine.name !== "wasm" ? 1 : wide.enabled ? 8 : 4;
    const verdicts = machine instanceof WasmMachine ? Object.fromEntries(machine.verdicts) : {};
    return {
      ...{ backend: machine.name, reason, lanes, threads: machine.threads, relaxed, wide: { ...wide, verdicts } },
      ...{ bytes: machine.bytes(), programs: { count, bytes } },
    };
  }

  /**
   * What filtering such a picture is as a problem: for {@link plan}.
   *
   * @throws InvalidArgumentError for a malformed picture, filter or option; LimitError for sides above the limits.
   */
  filterProblem(picture: PictureSpec, filter: Filter, options?: FilterOptions): FilterProblem {
    checkPicture(picture, this.limits);
    return filterProblem(picture, filter, options, this.limits.filterSide);
  }

  /**
   * The cheapest plan, with the candidates that it beat; `strategy` asks for one solver's instead. Runs nothing.
   *
   * @throws InvalidArgumentError for what is no problem, and for a strategy that does not apply.
   */
  plan(problem: Problem, options?: PlanOptions): Plan {
    const { strategy } = checkOptions<PlanOptions>("options", options, ["strategy"]);
    checkProblem(problem, "engine.filterProblem or engine.layerProblem");
    return makePlan(problem, this.planner, strategy);
  }

  /**
   * Filters a picture: correlation, as image libraries do (`flip` for mathematical convolution). The name of a pair
   * ("sobel", "scharr", "prewitt", "roberts") means the gradient's magnitude. The result has the picture's sides and
   * channels, and its type, saturated, unless `output` is given or the taps sum to zero: then it is signed.
   *
   * @throws InvalidArgumentError, LimitError: before anything runs. The signal's reason where it fires.
   */
  async filter(image: ImageLike, filter: Filter, options?: FilterCallOptions): Promise<Image> {
    const given = checkOptions<FilterCallOptions>("options", options, [...filterOptionKeys, ...callKeys, "strategy"]);
    const x = checkImage("image", image, this.limits);
    const { out, signal, onProgress, strategy, ...filterOptions } = given;
    checkRunOptions(given);
    const gradient = isGradientName(filter);
    // A gradient's options are those of its first derivative: planned for the checks alone.
    const planned = this.planFilter(x, gradient ? gradientPair(filter)[0] : filter, filterOptions, strategy);
    if (gradient) return this.magnitude(x, filter, given);
    const target = checkOut(out, x, planned.plan.problem.y.dtype);
    return this.enqueue(signal, async (signal) => {
      const { alpha } = planned.plan.problem as FilterProblem;
      const options: FilterOptions = { ...filterOptions, alpha: "keep" };
      const chosen =
        alpha === "premultiply" && (await isOpaque(x, signal))
          ? this.planFilter(x, filter, options, strategy)
          : planned;
      if (!chosen.settled) {
        const plans = everyPlan(chosen.plan.problem, this.planner);
        const plan = await fastestPlan(plans, (plan) => this.execute(plan, x, target, { signal }));
        Object.assign(chosen, { plan, key: keyOf(plan), settled: true });
      }
      return this.execute(chosen.plan, x, target, { signal, onProgress }, chosen.key);
    });
  }

  /** The plan for such a picture, made once: calls that say the same find it again. */
  private planFilter(x: CheckedImage, filter: Filter, options: FilterOptions, strategy?: string): PlannedFilter {
    const { width, height, channels, dtype, knownAlpha } = x;
    const request = textOf([width, height, channels, dtype, knownAlpha, filter, options, strategy]);
    const known = this.planned.get(request);
    if (known) return known;
    const plan = this.plan(this.filterProblem(x, filter, options), { strategy });
    const settled = this.planning === "predicted" || strategy !== undefined;
    const planned = { plan, key: keyOf(plan), settled };
    if (this.planned.size >= mostPlans) this.planned.delete(this.planned.keys().next().value!);
    this.planned.set(request, planned);
    return planned;
  }

  /**
   * Both derivatives of a picture, their magnitude and their angle. Options as for {@link filter}.
   *
   * @throws As {@link filter}.
   */
  async gradient(image: ImageLike, options?: GradientCallOptions): Promise<Gradient> {
    const keys = [...filterOptionKeys, "signal", "onProgress", "filter"] as const;
    const { filter = "sobel", ...rest } = checkOptions<GradientCallOptions>("options", options, keys);
    const x = checkImage("image", image, this.limits);
    checkRunOptions(rest);
    const [gx, gy] = await this.derivatives(x, checkOneOf("filter", filter, gradientNames), rest);
    const like = (data: ImageArray): Image => ({ width: x.width, height: x.height, channels: x.channels, data });
    const magnitude = new Float32Array(x.data.length);
    const angle = new Float32Array(x.data.length);
    const finish = { denominator: 1, gain: 1, offset: 0 };
    await magnitudeOf(
      { gx: gx.data, gy: gy.data, channels: x.channels, alpha: false },
      finish,
      "f32",
      magnitude,
      rest.signal,
    );
    await angleOf(gx.data, gy.data, angle, rest.signal);
    return { gx, gy, magnitude: like(magnitude), angle: like(angle) };
  }

  /**
   * Runs a plan of a filter, made now or stored earlier, on a picture of its size and type.
   *
   * @throws InvalidArgumentError for another picture; Rank1Error with code "UNKNOWN_VERSION" for another version's plan.
   */
  async run(plan: Plan, image: ImageLike, options?: CallOptions): Promise<Image> {
    const { out, signal, onProgress } = checkOptions<CallOptions>("options", options, callKeys);
    checkRunOptions({ signal, onProgress });
    const { problem } = checkPlan(plan);
    const x = checkImage("image", image, this.limits);
    const [received, expected] = [[x.height, x.width, x.channels].join(" x "), problem.x.shape.join(" x ")];
    if (received !== expected || x.dtype !== problem.x.dtype) {
      const describeOne = (shape: string, dtype: string): string => `${shape} (height x width x channels) of ${dtype}`;
      throw new InvalidArgumentError({
        parameter: "image",
        expected: `the plan's ${describeOne(expected, problem.x.dtype)}`,
        received: describeOne(received, x.dtype),
      });
    }
    const target = checkOut(out, x, problem.y.dtype);
    return this.enqueue(signal, (signal) => this.execute(plan, x, target, { signal, onProgress }));
  }

  /**
   * A convolution. `weight`: [kh, kw, in / groups, out] under NHWC, [out, in / groups, kh, kw] under NCHW. Of this and the
   * other layers: x is [batch, height, width, channels] or [batch, channels, height, width], in 32-bit floats; the packed
   * weights are kept by their arrays, so that an array whose numbers change must be given as another one.
   *
   * @throws InvalidArgumentError for shapes that do not fit, and options that the layer does not have.
   */
  async conv2d(x: TensorLike, weight: TensorLike, options?: LayerCallOptions): Promise<F32Tensor> {
    return this.layer(checkLayerCall("conv2d", x, [weight], options));
  }

  /** Each channel under its own filters. `weight`: [kh, kw, in, multiplier] or [in · multiplier, 1, kh, kw]. */
  async depthwiseConv2d(x: TensorLike, weight: TensorLike, options?: LayerCallOptions): Promise<F32Tensor> {
    return this.layer(checkLayerCall("depthwiseConv2d", x, [weight], options));
  }

  /** A mix of channels, pixel by pixel. `weight`: [1, 1, in, out] or [out, in, 1, 1]. */
  async pointwiseConv2d(x: TensorLike, weight: TensorLike, options?: LayerCallOptions): Promise<F32Tensor> {
    return this.layer(checkLayerCall("pointwiseConv2d", x, [weight], options));
  }

  /** Depthwise, then pointwise, in one go: what lies between never leaves the cache. */
  async separableConv2d(
    x: TensorLike,
    depthwise: TensorLike,
    pointwise: TensorLike,
    options?: LayerCallOptions,
  ): Promise<F32Tensor> {
    return this.layer(checkLayerCall("separableConv2d", x, [depthwise, pointwise], options));
  }

  /**
   * What a layer is as a problem, for {@link plan} and {@link prepare}. `shapes`: of x and of each weight by name (weight;
   * depthwise, pointwise; expand, depthwise, project), in the orders of the data format.
   *
   * @throws InvalidArgumentError for shapes that do not fit, and options that the layer does not have.
   */
  layerProblem(kind: LayerKind, shapes: LayerShapes, options?: LayerOptions): LayerProblem {
    return layerProblem(kind, shapes, options);
  }

  /**
   * Packs the weights of a layer once; its weights and biases by name: weight, bias; depthwise, depthwiseBias, pointwise,
   * bias; … What it returns holds memory until it is disposed of.
   *
   * @throws InvalidArgumentError for weights of other shapes; LimitError where `maxMemory` does not hold them.
   */
  async prepare(problem: LayerProblem, weights: LayerTensors, options?: PlanOptions): Promise<PreparedLayer> {
    checkProblem(problem, "engine.layerProblem", "filter");
    const packed = weightsOf(problem, weights);
    const plan = this.plan(findStructure(problem, packed), options);
    return this.enqueue(undefined, async () => {
      const network = await this.programs.make(() => Network.create(plan, this.choice.machine, packed));
      return new PreparedLayer(plan, network, (signal, work) => this.enqueue(signal, work));
    });
  }

  /**
   * Makes a network of a plan of many stages over whole values, and what runs it in turn with this engine's calls.
   *
   * @internal
   */
  async prepareNetwork(plan: NetworkPlan, weights: WeightsById): Promise<PreparedNetwork> {
    return this.enqueue(undefined, async () => {
      const network = await this.programs.make(() => Network.create(plan, this.choice.machine, weights));
      return {
        bytes: network.bytes,
        run: (inputs, outputs, options = {}) =>
          this.enqueue(options.signal, (signal) => network.run(inputs, outputs, { ...options, signal })),
        dispose: () => void this.queue.then(() => network.dispose()),
      };
    });
  }

  private layer({ problem, x, tensors, run }: LayerCall): Promise<F32Tensor> {
    const weights = weightsOf(problem, tensors);
    const out = checkLayerOut(problem, x, run.out);
    return this.enqueue(run.signal, async (signal) => {
      const key = `${JSON.stringify(problem)} ${this.identities.of(tensors)}`;
      const network = await this.programs.of(key, () =>
        Network.create(this.plan(problem), this.choice.machine, weights),
      );
      return runLayer(problem, network, x, out, { ...run, signal });
    });
  }

  /** Ends threads and frees memory; calls that run, wait or come later are rejected. */
  dispose(): void {
    const [expected, received] = ["an engine in use", "a disposed one"];
    this.end.abort(new Rank1Error("DISPOSED", { parameter: "engine", expected, received }));
    this.queue.then(() => this.choice.machine.dispose());
  }

  private async execute(
    plan: Plan,
    x: CheckedImage,
    data: ImageArray,
    options: RunOptions,
    key?: string,
  ): Promise<Image> {
    const program = await this.programs.of(key ?? keyOf(plan), () => Program.create(plan, this.choice.machine));
    const problem = plan.problem as FilterProblem;
    const [gain, offset] = [problem.gain * tapSum(problem), problem.offset];
    await program.run(
      { ...x, data: plainView(x.data) },
      { data: plainView(data), dtype: problem.y.dtype, gain, offset },
      options,
    );
    return { width: x.width, height: x.height, channels: x.channels, data };
  }

  private async magnitude(x: CheckedImage, name: GradientName, options: FilterCallOptions): Promise<Image> {
    const { out, output, gain = 1, offset = 0, ...rest } = options;
    const dtype = output === undefined ? x.dtype : checkOneOf("output", output, ["u8", "u16", "i16", "f32"] as const);
    const data = checkOut(out, x, dtype);
    const alpha = rest.alpha !== undefined ? rest.alpha !== "none" : x.knownAlpha;
    const [gx, gy] = await this.derivatives(x, name, { ...rest, alpha: alpha ? "keep" : "none" });
    const { channels } = x;
    await magnitudeOf(
      { gx: gx.data, gy: gy.data, channels, alpha },
      { denominator: 1, gain, offset },
      dtype,
      data,
      rest.signal,
    );
    return { width: x.width, height: x.height, channels, data };
  }

  private async derivatives(x: CheckedImage, name: GradientName, options: FilterCallOptions): Promise<[Image, Image]> {
    const [first, second] = gradientPair(name);
    const half = (from: number): FilterCallOptions => ({
      ...options,
      onProgress: options.onProgress && ((done) => options.onProgress!(from + done / 2)),
    });
    return [await this.filter(x, first, half(0)), await this.filter(x, second, half(0.5))];
  }

  /** One call at a time, in order. */
  private enqueue<T>(given: Abortable | undefined, work: (signal: Abortable) => Promise<T>): Promise<T> {
    // Not AbortSignal.any: it would let go of a timeout that nobody else holds.
    const signal = {
      throwIfAborted: () => {
        given?.throwIfAborted();
        this.end.signal.throwIfAborted();
      },
    };
    const next = this.queue.then(() => {
      signal.throwIfAborted();
      return work(signal);
    });
    this.queue = next.catch(() => {});
    return next;
  }
}

function checkProblem(problem: Problem, makers: string, excluded?: Problem["kind"]): void {
  const given = (typeof problem === "object" && problem) || ({} as Problem);
  const known = given.kind !== excluded && solvers.some(({ kind }) => kind === given.kind);
  if (known && given.x && given.y && given.window && (given.kind !== "filter" || given.factors)) return;
  const [expected, received] = [`a problem made by ${makers}`, describe(problem)];
  throw new InvalidArgumentError({ parameter: "problem", expected, received });
}

/** As JSON; what has none (a BigInt, a circle) is refused by the checks of the call, as it should be. */
function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return "";
  }
}
