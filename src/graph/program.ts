// A compiled network: runs its partitions in turn, and keeps the values that pass between them.
import type { Program, TensorBinding } from "../backend/backend.ts";
import { type CallHooks, overlap } from "../engine/calls.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineValue } from "../engine/values.ts";
import { checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { checkSidesIn, type Tensor, type TensorLike, type TypedArray } from "../tensor.ts";
import { type BackendPartition, compile, type Partition } from "./compile.ts";
import { compute, outputsOf } from "./evaluate.ts";
import { inferKnown } from "./infer.ts";
import type { Held } from "./lowering.ts";
import { optimize } from "./passes/index.ts";
import { type Order, sidesIn } from "./places.ts";
import { Rest, restOf } from "./rest.ts";
import { type Task, tasksOf } from "./tasks.ts";
import type { Graph, GraphNode, Operators, Spec, Value } from "./types.ts";
import { elementsOf, isBig, newValue, sizeOf, toValue } from "./values.ts";

/**
 * Where outputs go, by name: arrays of their type and exact length, tensors that hold such arrays, or values of `engine.alloc`,
 * to which they are copied; results are told as tensors all the same.
 */
export type Outs = Readonly<Record<string, TypedArray | TensorLike | EngineValue>>;

/** How a model runs. */
export interface RunOptions extends CallHooks {
  /** Takes the outputs; those that are not named come in fresh arrays. No input may be among them. */
  out?: Outs;
  /** Called with the time that each task of `explainModel` took, in their order; such a run is on one thread. */
  onTask?: (milliseconds: number, index: number) => void;
}

export class GraphProgram {
  readonly partitions: readonly Partition[];
  /** Milliseconds that making it took, by phase. */
  readonly phases: Readonly<Record<string, number>>;
  private readonly graph: Graph;
  private readonly specs: ReadonlyMap<string, Spec>;
  private readonly operators: Operators;
  private readonly networks: ReadonlyMap<BackendPartition, Program>;
  /** What runs after the partitions, and is typed by what they have computed. */
  private readonly rest: Rest | undefined;
  /** Results that no caller sees: written again at each run, since fresh memory takes longer than most host nodes. */
  private readonly kept = new Map<string, Value>();
  private readonly constants: ReadonlyMap<string, Value>;
  /** Names of the values that a run gives. */
  readonly outputs: ReadonlySet<string>;
  /** The caller's arrays for the outputs of the run that goes on. */
  private given: ReadonlyMap<string, Value> = new Map();
  /** Runs come one after the other: they share the kept results. */
  private queue: Promise<unknown> = Promise.resolve();

  private constructor(
    graph: Graph,
    specs: ReadonlyMap<string, Spec>,
    operators: Operators,
    partitions: readonly Partition[],
    networks: ReadonlyMap<BackendPartition, Program>,
    phases: Readonly<Record<string, number>>,
    rest: Rest | undefined,
  ) {
    this.phases = phases;
    this.rest = rest;
    this.graph = graph;
    this.specs = specs;
    this.operators = operators;
    this.partitions = partitions;
    this.networks = networks;
    this.constants = new Map([...graph.constants].map(([name, tensor]) => [name, toValue(tensor)!]));
    this.outputs = new Set(graph.outputs.map(({ name }) => name));
  }

  /** Compiles for inputs of these types and shapes. */
  static async create(
    graph: Graph,
    operators: Operators,
    inputs: ReadonlyMap<string, Spec>,
    engine: Engine,
  ): Promise<GraphProgram> {
    const start = performance.now();
    const optimised = optimize(graph, operators, inputs);
    const { specs, open } = inferKnown(optimised, operators, inputs);
    const passed = performance.now();
    const rest = restOf(optimised, specs, open);
    const partitions = compile(rest?.before ?? optimised, operators, specs, engine);
    const phases: Record<string, number> = { passes: passed - start, planning: performance.now() - passed };
    const networks = new Map<BackendPartition, Program>();
    try {
      for (const partition of partitions) {
        if (partition.kind !== "backend") continue;
        const network = await engine.prepareNetwork(partition.plan, partition.weights);
        for (const [phase, time] of Object.entries(network.phases)) phases[phase] = (phases[phase] ?? 0) + time;
        networks.set(partition, network);
        // They are packed now, and would only be held twice.
        partition.weights.clear();
      }
    } catch (error) {
      for (const network of networks.values()) network.dispose();
      throw error;
    }
    const later =
      rest && new Rest(rest, operators, (graph, inputs) => GraphProgram.create(graph, operators, inputs, engine));
    return new GraphProgram(optimised, specs, operators, partitions, networks, phases, later);
  }

  /** Shapes of the inputs that it is for, by name. */
  get shapes(): Record<string, readonly number[]> {
    return Object.fromEntries(this.graph.inputs.map(({ name }) => [name, this.specs.get(name)!.shape]));
  }

  /** The tasks of each partition, in the order in which they run. */
  get tasks(): Task[][] {
    const tasks = this.partitions.map((partition) => tasksOf(partition, this.specs));
    return this.rest ? [...tasks, [this.rest.task]] : tasks;
  }

  /** The nodes that the host computes; of those whose shapes a run finds, as the last runs did. */
  get hostNodes(): GraphNode[] {
    const own = this.partitions.flatMap((partition) => (partition.kind === "host" ? partition.nodes : []));
    return [...own, ...(this.rest?.hostNodes ?? [])];
  }

  /** Type and shape of a value; undefined where a run finds them. */
  specOf(name: string): Spec | undefined {
    return this.specs.get(name);
  }

  /** Bytes of the engine's memory that it holds. */
  get bytes(): number {
    return [...this.networks.values()].reduce((sum, { bytes }) => sum + bytes, this.rest?.bytes ?? 0);
  }

  /** Gives the engine's memory back, after the runs that have begun. */
  dispose(): void {
    this.queue.then(() => this.free());
  }

  private free(): void {
    for (const network of this.networks.values()) network.dispose();
    this.rest?.dispose();
  }

  /** Runs on checked inputs by name; outputs are fresh arrays, or those that are given for them. */
  run(inputs: ReadonlyMap<string, Value>, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    const run = this.queue.then(() => this.execute(inputs, options));
    this.queue = run.catch(() => {});
    return run;
  }

  private async execute(inputs: ReadonlyMap<string, Value>, options: RunOptions): Promise<Record<string, Tensor>> {
    const values = new Map<string, Value>([...this.constants, ...inputs]);
    const { onTask } = options;
    // Nobody knows before how long the rest takes.
    const onProgress = this.rest ? halfOf(options.onProgress) : options.onProgress;
    this.given = checkOuts(options.out, this.graph.outputs, this.specs, inputs);
    const watch = onTask && stopwatch(onTask);
    const total = this.partitions.reduce((sum, partition) => sum + timeOf(partition), 0);
    let before = 0;
    for (const partition of this.partitions) {
      const [from, time] = [before, timeOf(partition)];
      const share = onProgress && ((done: number) => onProgress((from + done * time) / total));
      if (partition.kind === "backend")
        await this.runOnBackend(partition, values, { ...options, onProgress: share }, watch);
      else this.runOnHost(partition.nodes, values, options, watch);
      before += time;
    }
    if (this.rest) {
      for (const [name, value] of await this.rest.run(values, options)) values.set(name, value);
      watch?.();
      this.given = checkOuts(options.out, this.graph.outputs, values, inputs);
    }
    const taken = new Set([...inputs.values(), ...this.kept.values()].map(({ data }) => data));
    for (const { data } of this.constants.values()) taken.add(data);
    return Object.fromEntries(
      this.graph.outputs.map(({ name }) => {
        const value = values.get(name)!;
        const fresh = !taken.has(value.data);
        taken.add(value.data);
        const given = this.given.get(name);
        if (!given) return [name, fresh ? value : { ...value, data: value.data.slice() }];
        if (given.data !== value.data) elementsOf(given).set(elementsOf(value));
        return [name, { ...value, data: given.data }];
      }),
    );
  }

  private async runOnBackend(
    partition: BackendPartition,
    values: Map<string, Value>,
    { signal, onProgress }: RunOptions,
    onStage?: () => void,
  ): Promise<void> {
    for (const { name } of partition.writes) values.set(name, this.room(name, this.specs.get(name)!));
    const bind = ({ name, id, order }: Held) => [id, callerValue(asFloats(values.get(name)!), order)] as const;
    const [reads, writes] = [partition.reads.map(bind), partition.writes.map(bind)];
    await this.networks.get(partition)!.run(reads, writes, { signal, onProgress, onStage });
    for (const [i, { name }] of partition.writes.entries()) {
      const { dtype, data } = values.get(name)!;
      if (dtype === "bool") elementsOf({ data }).set(writes[i]![1].data as unknown as Float64Array);
    }
    onStage?.();
  }

  private runOnHost(
    nodes: readonly Graph["nodes"][number][],
    values: Map<string, Value>,
    { signal }: RunOptions,
    onNode?: () => void,
  ): void {
    for (const node of nodes) {
      signal?.throwIfAborted();
      const read = node.inputs.map((name) => values.get(name));
      const room = (spec: Spec, i: number): Value => this.room(node.outputs[i]!, spec);
      const results = compute(node, this.operators, read, outputsOf(node, this.operators, read), room);
      for (const [i, name] of node.outputs.entries()) if (name !== "") values.set(name, results[i]!);
      onNode?.();
    }
  }

  /** Zeros for a result: fresh for the network's outputs, for others those of the last run again. */
  private room(name: string, { dtype, shape }: Spec): Value {
    const known = this.given.get(name) ?? this.kept.get(name);
    if (known) {
      known.data.fill((isBig(known.dtype) ? 0n : 0) as never);
      return known;
    }
    const made = newValue(dtype, shape);
    if (name !== "" && !this.outputs.has(name)) this.kept.set(name, made);
    return made;
  }
}

const halfOf = (tell: RunOptions["onProgress"]): RunOptions["onProgress"] => tell && ((done) => tell(done / 2));

/** The arrays for outputs, of the types and lengths that these have; those of which nothing is known yet are left out. */
function checkOuts(
  outs: Outs | undefined,
  outputs: Graph["outputs"],
  specs: ReadonlyMap<string, Spec>,
  inputs: ReadonlyMap<string, Value>,
): Map<string, Value> {
  const names = outputs.map(({ name }) => name);
  const given = checkOptions<Record<string, TypedArray | TensorLike>>("out", outs, names);
  const taken: ArrayBufferView[] = [];
  return new Map(
    Object.entries(given).flatMap(([name, out]) => {
      const spec = specs.get(name);
      if (!spec) return [];
      const { dtype, shape } = spec;
      const data = ArrayBuffer.isView(out) ? out : out?.data;
      const like = newValue(dtype, []);
      const length = sizeOf(shape);
      const parameter = `out[${describe(name)}]`;
      checkSidesIn(parameter, out, shape);
      if (data?.constructor !== like.data.constructor || data.length !== length) {
        const expected = `a ${like.data.constructor.name} of ${length} elements`;
        throw new InvalidArgumentError({ parameter, expected, received: describe(data) });
      }
      for (const input of inputs.values()) {
        if (input.data.buffer !== data.buffer) continue;
        throw new InvalidArgumentError({
          parameter,
          expected: "memory apart from the inputs'",
          received: "an overlap",
        });
      }
      if (taken.some((other) => overlap(other, data))) {
        const expected = "memory apart from other outputs'";
        throw new InvalidArgumentError({ parameter, expected, received: "an overlap" });
      }
      taken.push(data);
      return [[name, { dtype, shape, data }] as const];
    }),
  );
}

/** Predicted nanoseconds; 0 on the host, of which the cost model knows nothing. */
const timeOf = (partition: Partition): number => (partition.kind === "backend" ? partition.plan.cost.time : 0);

/** Tells the time since it was last called, or made. */
function stopwatch(tell: (milliseconds: number, index: number) => void): () => void {
  let [last, index] = [performance.now(), 0];
  return () => {
    const now = performance.now();
    tell(now - last, index++);
    last = now;
  };
}

/** Bools as the backend holds them; floats as they are. */
const asFloats = (value: Value): Value =>
  value.dtype === "bool" ? { ...value, data: Float32Array.from(elementsOf(value), (bit) => Number(bit !== 0)) } : value;

function callerValue({ shape, data }: Value, order: Order): TensorBinding {
  const [images, height, width, channels] = sidesIn(shape, order)!;
  const format = order === "plain" ? "NHWC" : "NCHW";
  return { kind: "tensor", data: data as Float32Array, format, images, height, width, channels };
}
