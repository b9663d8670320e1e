// The engine: owns one backend, the programs made for it, and the queue of calls. The only place where factoring, planning
// and running meet.
import type { BackendPlan, Bindings, CompileOptions, Program, ProgramRunOptions, Weights } from "../backend/backend.ts";
import type { Choice } from "../backend/choose.ts";
import type { Abortable } from "../backend/slices.ts";
import { checkOneOf, checkOptions } from "../errors.ts";
import { composedFilter } from "../factor/composed.ts";
import type { Filter } from "../factor/filter.ts";
import { gradientNames, gradientPair } from "../factor/filter-functions.ts";
import { solvers, workOf } from "../kernels/table.ts";
import { type FilterOptions, filterOptionKeys, filterProblem, type PictureSpec } from "../plan/filter-problem.ts";
import { type LayerKind, type LayerOptions, type LayerShapes, layerProblem } from "../plan/layer-problem.ts";
import { everyPlan, plan as makePlan, type Planner } from "../plan/planner.ts";
import type { FilterProblem, LayerProblem, Plan, Problem } from "../plan/types.ts";
import { type CheckedImage, checkPicture, type ImageLike } from "../tensor/image.ts";
import type { Image, TensorLike } from "../tensor.ts";
import { budgetOf, infoOf, keyOf, ProgramCache } from "./cache.ts";
import { checkProblem, checkRunOptions, runKeys } from "./calls.ts";
import { filterComposed } from "./composed.ts";
import {
  arraysOf,
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
} from "./layers.ts";
import type { Picture } from "./masks.ts";
import { fastestPlan } from "./measured.ts";
import { type CheckedOptions, checkEngineOptions, type EngineOptions, type Limits } from "./options.ts";
import { type FilterParts, sourceOf } from "./parts.ts";
import { checkFits, isOpaque, isPlain, pictureOf } from "./pictures.ts";
import { isLong, type PlannedCall, PlannedFilters, type RunnableCall } from "./planned.ts";
import { CallQueue } from "./queue.ts";
import { Requests } from "./requests.ts";
import { runPlan } from "./run-plan.ts";
import { checkOut, type Target } from "./targets.ts";
import type {
  EngineInfo,
  FilterCallOptions,
  Gradient,
  GradientOptions,
  IntoValue,
  LayerResult,
  PlanOptions,
  RunOptions,
  ValueSpec,
} from "./types.ts";
import { checkValueSpec, EngineValue } from "./values.ts";

const filterCallKeys = [...filterOptionKeys, ...runKeys, "strategy"] as const;

/**
 * Makes an engine. It starts threads at its first large call, and never keeps a process alive while idle.
 *
 * @throws InvalidArgumentError for an option that is not known or out of range; UnsupportedError for a backend that does
 * not run here.
 */
export async function createEngine(options?: EngineOptions): Promise<Engine> {
  return new Engine(await checkEngineOptions(options));
}

/**
 * Plans, compiles and runs filters and layers; made by {@link createEngine}. Calls run one after the other, in order. Programs
 * are kept within a 64th of `maxMemory`, with packed weights within a quarter, so that later calls of the same kind start at once.
 */
export class Engine {
  private readonly choice: Choice;
  private readonly limits: Limits;
  private readonly planner: Planner;
  private readonly programs: ProgramCache;
  private readonly maxMemory: number;
  private readonly planned: PlannedFilters;
  /** Keys of plans that were found to be sound. */
  private readonly stored = new Requests<string>();
  private readonly identities = new Identities();
  private readonly values = new WeakSet<EngineValue>();
  private readonly queue = new CallQueue();
  /** For filters of several linear ones. */
  private readonly parts: FilterParts;

  /** @internal Use {@link createEngine}. */
  constructor({ choice, limits, planning, maxMemory }: CheckedOptions) {
    this.choice = choice;
    this.limits = limits;
    this.maxMemory = maxMemory;
    this.programs = new ProgramCache(budgetOf(maxMemory));
    const { profile } = choice.backend;
    this.planner = { solvers, profile, workOf };
    this.planned = new PlannedFilters(this.planner, limits, planning === "predicted");
    this.parts = {
      profile,
      filter: (image, filter, options) => this.filter(image, filter, options),
      run: (plan, given, work) =>
        this.queue.add(given, async (signal) => {
          const make = () => this.choice.backend.compile(plan, new Map());
          return work(await this.programOf(JSON.stringify(plan), make), signal);
        }),
    };
  }

  /** The backend that the engine runs on, and why this one. */
  info(): EngineInfo {
    return infoOf(this.choice, this.programs);
  }

  /** Bytes of `maxMemory` that nothing in the engine holds. @internal */
  get room(): number {
    return this.maxMemory - this.choice.backend.bytes();
  }

  /**
   * Room inside the engine for a picture or for a layer's value, filled with zeros: filters and layers read and write it where
   * it is.
   *
   * @throws InvalidArgumentError for sides and types that values do not have; LimitError beyond `maxMemory`.
   */
  alloc(spec: ValueSpec): EngineValue {
    this.queue.check();
    const { shape, dtype } = checkValueSpec(spec);
    const value = new EngineValue(this.choice.backend.alloc({ shape, dtype }), (work) =>
      this.queue.add(undefined, work),
    );
    this.values.add(value);
    return value;
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
   * The cheapest plan, with the rejected candidates; `strategy` asks for one solver's instead. Runs nothing.
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
   * channels, and its type, saturated, unless `output` is given or the taps sum to zero: then it is signed. `region` gives a
   * part of it, of the region's sides; `out` is then an array of these, or of the picture's, even the picture's own: there the
   * region alone is written, and the whole picture returned.
   *
   * @throws InvalidArgumentError, LimitError: before anything runs. The signal's reason where it fires.
   */
  filter(image: ImageLike | EngineValue, filter: Filter, options: FilterCallOptions & IntoValue): Promise<EngineValue>;
  filter(image: ImageLike | EngineValue, filter: Filter, options?: FilterCallOptions): Promise<Image>;
  filter(image: ImageLike | EngineValue, filter: Filter, options?: FilterCallOptions): Promise<Image | EngineValue> {
    try {
      return this.filterNow(image, filter, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private filterNow(
    image: ImageLike | EngineValue,
    filter: Filter,
    options?: FilterCallOptions,
  ): Promise<Image | EngineValue> {
    const given = checkOptions<FilterCallOptions>("options", options, filterCallKeys);
    const { out, signal, onProgress, strategy, mask, ...filterOptions } = given;
    const x = pictureOf(image, this.limits, mask);
    checkRunOptions(given);
    const composed = composedFilter(filter);
    if (isLong(filter))
      return this.queue.add(signal, async (signal) => {
        const call = await this.planned.inTurns(signal, x, filter, filterOptions, strategy);
        const target = checkOut(out, x, call.problem, call.problem.y.dtype);
        return this.choose(call, target, { signal, onProgress }, x, filter, filterOptions, strategy);
      });
    // The options of several filters are those of the first: planned for the checks and the result's place.
    const call = this.planned.of(x, composed?.parts[0] ?? filter, filterOptions, strategy);
    const { problem } = call;
    if (composed) return filterComposed(this.parts, x, problem, composed, given);
    const target = checkOut(out, x, problem, problem.y.dtype);
    return this.queue.add(signal, (signal) => {
      if (isPlain(problem, x) && call.planned.settled) return this.execute(call, x, target, { signal, onProgress });
      return this.choose(call, target, { signal, onProgress }, x, filter, filterOptions, strategy);
    });
  }

  /** Runs a plan, or the one for a picture whose alpha does not matter where it is such; measures first what is not settled. */
  private async choose(
    call: PlannedCall,
    target: Target,
    options: ProgramRunOptions & { signal: Abortable },
    ...request: Parameters<PlannedFilters["of"]>
  ): Promise<Image | EngineValue> {
    const [{ signal }, [x]] = [options, request];
    const opaque = !isPlain(call.problem, x) && (await isOpaque(x as CheckedImage, call.problem, signal));
    const chosen = opaque ? await this.planned.ofOpaque(call, signal, ...request) : call;
    const { planned, problem } = chosen;
    if (!planned.settled) {
      const trial = target.apart ? checkOut(undefined, x, call.problem, call.problem.y.dtype) : target;
      const run = (plan: Plan) => this.execute({ planned: { plan, key: keyOf(plan) }, problem }, x, trial, { signal });
      const plan = await fastestPlan(everyPlan(problem, this.planner), run);
      Object.assign(planned, { plan, key: keyOf(plan), settled: true });
    }
    return this.execute(chosen, x, target, options);
  }

  /**
   * Both derivatives of a picture, their magnitude and their angle. Options as for {@link filter}.
   *
   * @throws As {@link filter}.
   */
  async gradient(image: ImageLike | EngineValue, options?: GradientOptions): Promise<Gradient> {
    const keys = [...filterOptionKeys, "signal", "onProgress", "filter", "out"] as const;
    const { filter = "sobel", out, ...rest } = checkOptions<GradientOptions>("options", options, keys);
    const x = pictureOf(image, this.limits);
    checkRunOptions(rest);
    const pair = gradientPair(checkOneOf("filter", filter, gradientNames));
    const { signal, onProgress, ...filterOptions } = rest;
    const { problem } = this.planned.of(x, pair[0], filterOptions);
    const { gradientOf } = await import("./rare.ts");
    return gradientOf((filter, options) => this.filter(sourceOf(x), filter, options), x, problem, pair, rest, out);
  }

  /**
   * Runs a plan of a filter, made now or stored earlier, on a picture of its size and type.
   *
   * @throws InvalidArgumentError for another picture; Rank1Error with code "UNKNOWN_VERSION" for another version's plan.
   */
  run(plan: Plan, image: ImageLike | EngineValue, options: RunOptions & IntoValue): Promise<EngineValue>;
  run(plan: Plan, image: ImageLike | EngineValue, options?: RunOptions): Promise<Image>;
  async run(plan: Plan, image: ImageLike | EngineValue, options?: RunOptions): Promise<Image | EngineValue> {
    const { out, signal, onProgress, mask } = checkOptions<RunOptions>("options", options, runKeys);
    checkRunOptions({ signal, onProgress });
    const key = await this.keyOfStored(plan);
    const { problem } = plan;
    const x = pictureOf(image, this.limits, mask);
    checkFits(problem, x);
    const filter = problem as FilterProblem;
    const target = checkOut(out, x, filter, problem.y.dtype);
    const call = { planned: { plan, key }, problem: filter };
    return this.queue.add(signal, (signal) => this.execute(call, x, target, { signal, onProgress }));
  }

  /**
   * A convolution. `weight`: [kh, kw, in / groups, out] under NHWC, [out, in / groups, kh, kw] under NCHW. Of this and the
   * other layers: x is [batch, height, width, channels] or [batch, channels, height, width], in 32-bit floats; the packed
   * weights are kept by their arrays, so that an array whose numbers change must be given as another one.
   *
   * @throws InvalidArgumentError for shapes that do not fit, and options that the layer does not have.
   */
  async conv2d<O extends LayerCallOptions>(
    x: TensorLike | EngineValue,
    weight: TensorLike,
    options?: O,
  ): Promise<LayerResult<O>> {
    return this.layer(checkLayerCall("conv2d", x, [weight], options));
  }

  /** Each channel under its own filters. `weight`: [kh, kw, in, multiplier] or [in · multiplier, 1, kh, kw]. */
  async depthwiseConv2d<O extends LayerCallOptions>(
    x: TensorLike | EngineValue,
    weight: TensorLike,
    options?: O,
  ): Promise<LayerResult<O>> {
    return this.layer(checkLayerCall("depthwiseConv2d", x, [weight], options));
  }

  /** A mix of channels, pixel by pixel. `weight`: [1, 1, in, out] or [out, in, 1, 1]. */
  async pointwiseConv2d<O extends LayerCallOptions>(
    x: TensorLike | EngineValue,
    weight: TensorLike,
    options?: O,
  ): Promise<LayerResult<O>> {
    return this.layer(checkLayerCall("pointwiseConv2d", x, [weight], options));
  }

  /** Depthwise, then pointwise, in one go: what lies between never leaves the cache. */
  async separableConv2d<O extends LayerCallOptions>(
    x: TensorLike | EngineValue,
    depthwise: TensorLike,
    pointwise: TensorLike,
    options?: O,
  ): Promise<LayerResult<O>> {
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
    return this.queue.add(undefined, async () => {
      const program = await this.compile(plan, packed);
      return new PreparedLayer(plan, program, (signal, work) => this.queue.add(signal, work));
    });
  }

  /**
   * Makes a program of a plan of many stages over whole values, which runs in turn with this engine's calls.
   *
   * @internal
   */
  async prepareNetwork(plan: BackendPlan, weights: Weights, given?: Abortable): Promise<Program> {
    return this.queue.add(given, async (signal) => {
      const program = await this.compile(plan, weights, { shares: true, signal });
      return {
        ...{ bytes: program.bytes, shared: program.shared, phases: program.phases },
        run: (inputs: Bindings, outputs: Bindings, options: ProgramRunOptions = {}) =>
          this.queue.add(options.signal, (signal) => program.run(inputs, outputs, { ...options, signal })),
        dispose: () => this.queue.after(() => program.dispose()),
      };
    });
  }

  private compile(plan: BackendPlan, weights: Weights, options?: CompileOptions): Promise<Program> {
    return this.programs.make(() => this.choice.backend.compile(plan, weights, options));
  }

  private layer<O>({ problem, x, tensors, run }: LayerCall): Promise<LayerResult<O>> {
    const weights = weightsOf(problem, tensors);
    const out = checkLayerOut(problem, x, run.out);
    return this.queue.add(run.signal, async (signal) => {
      const key = `${JSON.stringify(problem)} ${this.identities.of(tensors)}`;
      // They run one after the other, as stages of networks do: one room holds the values of them all.
      const compile = () => this.choice.backend.compile(this.plan(problem), weights, { shares: true });
      const program = await this.programOf(key, compile, arraysOf(tensors));
      const result = await runLayer(problem, program, x, out, { onProgress: run.onProgress, signal });
      return result as LayerResult<O>;
    });
  }

  /**
   * Ends threads and gives all memory back, also that of values and prepared layers; calls that run, wait or come later are
   * rejected. What WebAssembly held goes with the next garbage collection, even where the engine is still referred to.
   */
  dispose(): void {
    this.queue.end();
    this.queue.after(() => {
      this.programs.clear();
      this.planned.clear();
      this.stored.clear();
      this.choice.backend.dispose();
    });
  }

  /** The key of a plan that comes from elsewhere, once it was checked. */
  private async keyOfStored(plan: Plan): Promise<string> {
    const request = [plan?.version, plan?.problem, plan?.stages, plan?.buffers];
    const known = this.stored.find(request);
    if (known !== undefined) return known;
    const { checkFilterPlan } = await import("./rare.ts");
    const key = keyOf(checkFilterPlan(plan, this.planner, this.limits));
    this.stored.keep(request, key);
    return key;
  }

  private execute(
    { planned: { plan, key }, problem }: RunnableCall,
    x: Picture,
    target: Target,
    options: ProgramRunOptions,
  ): ReturnType<typeof runPlan> {
    const run = (program: Program) => runPlan(plan, program, problem, x, target, options, this.values);
    const program = this.programs.find<Program>(key);
    if (program) return run(program);
    return this.programs.add(key, () => this.choice.backend.compile(plan, new Map())).then(run);
  }

  private async programOf(key: string, make: () => Promise<Program>, weights?: readonly object[]): Promise<Program> {
    return this.programs.find<Program>(key) ?? this.programs.add(key, make, weights);
  }
}
