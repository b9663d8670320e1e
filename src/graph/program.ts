// A compiled network: runs its partitions in turn, and keeps the values that pass between them.
import type { Program, TensorBinding } from "../backend/backend.ts";
import type { CallHooks } from "../engine/calls.ts";
import type { Engine } from "../engine/engine.ts";
import type { Tensor, TypedArray } from "../tensor.ts";
import { type BackendPartition, compile, type Partition } from "./compile.ts";
import { asOutput, compute, outputsOf } from "./evaluate.ts";
import { inferKnown } from "./infer.ts";
import { InnerPrograms } from "./inner.ts";
import type { Held } from "./lowering.ts";
import { checkOuts, type Outs, writeOutput } from "./outputs.ts";
import { optimize } from "./passes/index.ts";
import { type Order, sidesIn } from "./places.ts";
import type { Quantized } from "./quantized/expansion.ts";
import { isQuantized } from "./quantized/names.ts";
import { Rest, restOf } from "./rest.ts";
import { type Task, tasksOf } from "./tasks.ts";
import type { Graph, GraphNode, Operators, Spec, Value } from "./types.ts";
import { elementsOf, isBig, newValue, toValue } from "./values.ts";

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
  private readonly inner: InnerPrograms;
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
    inner: InnerPrograms,
  ) {
    this.inner = inner;
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
    quantized: Quantized = "integer",
  ): Promise<GraphProgram> {
    const start = performance.now();
    const more = graph.nodes.some(isQuantized) ? await import("./quantized/index.ts") : undefined;
    const expanded = more?.expandQuantized(graph, operators, inputs, quantized) ?? graph;
    const optimised = optimize(expanded, operators, inputs);
    const { specs, open } = inferKnown(optimised, operators, inputs);
    const passed = performance.now();
    const rest = restOf(optimised, specs, open);
    const partitions = compile(rest?.before ?? optimised, operators, specs, engine, undefined, more?.integerRules);
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
    const again = (graph: Graph, inputs: ReadonlyMap<string, Spec>): Promise<GraphProgram> =>
      GraphProgram.create(graph, operators, inputs, engine, quantized);
    const inner = new InnerPrograms(operators, again);
    const later = rest && new Rest(rest, inner, again);
    return new GraphProgram(optimised, specs, operators, partitions, networks, phases, later, inner);
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
    const own = [...this.networks.values(), this.inner].reduce((sum, { bytes }) => sum + bytes, 0);
    return own + (this.rest?.bytes ?? 0);
  }

  /** Gives the engine's memory back, after the runs that have begun. */
  dispose(): void {
    this.queue.then(() => this.free());
  }

  private free(): void {
    for (const network of this.networks.values()) network.dispose();
    this.rest?.dispose();
    this.inner.dispose();
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
    let outs = checkOuts(options.out, this.graph.outputs, this.specs, inputs);
    this.given = new Map([...outs].flatMap(([name, data]) => this.asRoom(name, data)));
    const watch = onTask && stopwatch(onTask);
    const total = this.partitions.reduce((sum, partition) => sum + timeOf(partition), 0);
    let before = 0;
    for (const partition of this.partitions) {
      const [from, time] = [before, timeOf(partition)];
      const share = onProgress && ((done: number) => onProgress((from + done * time) / total));
      if (partition.kind === "backend")
        await this.runOnBackend(partition, values, { ...options, onProgress: share }, watch);
      else await this.runOnHost(partition.nodes, values, options, watch);
      before += time;
    }
    if (this.rest) {
      for (const [name, value] of await this.rest.run(values, options)) values.set(name, value);
      watch?.();
      outs = checkOuts(options.out, this.graph.outputs, values, inputs);
    }
    const taken = new Set([...inputs.values(), ...this.kept.values()].map(({ data }) => data));
    for (const { data } of this.constants.values()) taken.add(data);
    return Object.fromEntries(
      this.graph.outputs.map((info) => {
        const value = values.get(info.name)!;
        const fresh = !taken.has(value.data);
        taken.add(value.data);
        const given = outs.get(info.name);
        if (!given) return [info.name, asOutput(fresh ? value : { ...value, data: value.data.slice() }, info)];
        return [info.name, writeOutput(given, value, info)];
      }),
    );
  }

  /** An output's array as the value itself, where it is of the type in which values are held. */
  private asRoom(name: string, data: TypedArray): [string, Value][] {
    const { dtype, shape } = this.specs.get(name)!;
    return data.constructor === newValue(dtype, []).data.constructor ? [[name, { dtype, shape, data }]] : [];
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

  private async runOnHost(
    nodes: readonly GraphNode[],
    values: Map<string, Value>,
    { signal }: RunOptions,
    onNode?: () => void,
  ): Promise<void> {
    for (const node of nodes) {
      signal?.throwIfAborted();
      const read = node.inputs.map((name) => values.get(name));
      const room = (spec: Spec, i: number): Value => this.room(node.outputs[i]!, spec);
      const { control } = this.operators.get(node.op)!;
      const results = control
        ? await this.inner.runNode(node, read, signal)
        : compute(node, this.operators, read, outputsOf(node, this.operators, read), room);
      for (const [i, name] of node.outputs.entries()) if (name !== "") values.set(name, results[i]!);
      onNode?.();
    }
  }

  /** Zeros for a result: fresh for the network's outputs, for others those of the last run again. */
  private room(name: string, { dtype, shape }: Spec): Value {
    const known = this.given.get(name) ?? this.kept.get(name);
    if (known && known.dtype === dtype && known.shape.join() === shape.join()) {
      known.data.fill((isBig(known.dtype) ? 0n : 0) as never);
      return known;
    }
    const made = newValue(dtype, shape);
    if (name !== "" && !this.outputs.has(name)) this.kept.set(name, made);
    return made;
  }
}

const halfOf = (tell: RunOptions["onProgress"]): RunOptions["onProgress"] => tell && ((done) => tell(done / 2));

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
