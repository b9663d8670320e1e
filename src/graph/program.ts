// A compiled network: runs its partitions in turn, and keeps the values that pass between them.
import type { Program, TensorBinding } from "../backend/backend.ts";
import type { CallHooks } from "../engine/calls.ts";
import type { Engine } from "../engine/engine.ts";
import { type Abortable, inTurns } from "../engine/turns.ts";
import type { Tensor, TypedArray } from "../tensor.ts";
import type { BackendPartition, Partition } from "./compile.ts";
import { asOutput, computing } from "./evaluate.ts";
import { checkPeak, HostMemory, type HostStep, RunValues, usesOf } from "./host-values.ts";
import { InnerPrograms } from "./inner.ts";
import type { Held } from "./lowering.ts";
import { checkOuts, type Outs, writeOutput } from "./outputs.ts";
import { partitionsOf } from "./partitions.ts";
import { type Order, sidesIn } from "./places.ts";
import type { Quantized } from "./quantized/expansion.ts";
import { Rest } from "./rest.ts";
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
  private readonly memory: HostMemory;
  private readonly uses: ReadonlyMap<string, number>;
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
    memory: HostMemory,
  ) {
    this.memory = memory;
    this.uses = usesOf(stepsOf(partitions, operators, rest), graph.outputs);
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

  /**
   * Compiles for inputs of these types and shapes; `memory` is what programs of one network share on the host.
   *
   * @throws LimitError where values of a run, on the host and in the engine, would be more than the engine's `maxMemory`.
   */
  static async create(
    graph: Graph,
    operators: Operators,
    inputs: ReadonlyMap<string, Spec>,
    engine: Engine,
    quantized: Quantized = "integer",
    memory: HostMemory = new HostMemory(() => engine.room),
    signal?: Abortable,
  ): Promise<GraphProgram> {
    const { optimised, specs, partitions, halves, ...times } = await partitionsOf(graph, operators, inputs, engine, quantized, { signal }); // biome-ignore format: a line
    const again = (
      graph: Graph,
      inputs: ReadonlyMap<string, Spec>,
      signal: Abortable | undefined,
    ): Promise<GraphProgram> => GraphProgram.create(graph, operators, inputs, engine, quantized, memory, signal);
    const rest = halves && new Rest(halves, again);
    const steps = stepsOf(partitions, operators, rest);
    checkPeak(steps, usesOf(steps, graph.outputs), specs, engine.room);
    const phases: Record<string, number> = times;
    const networks = new Map<BackendPartition, Program>();
    try {
      for (const partition of partitions) {
        if (partition.kind !== "backend") continue;
        const network = await engine.prepareNetwork(partition.plan, partition.weights, signal);
        for (const [phase, time] of Object.entries(network.phases)) phases[phase] = (phases[phase] ?? 0) + time;
        networks.set(partition, network);
        // They are packed now, and would only be held twice.
        partition.weights.clear();
      }
    } catch (error) {
      for (const network of networks.values()) network.dispose();
      throw error;
    }
    const inner = new InnerPrograms(operators, again, memory);
    return new GraphProgram(optimised, specs, operators, partitions, networks, phases, rest, inner, memory);
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

  /** Bytes of the engine's memory that it uses; weights and the room for values are shared with others. */
  get bytes(): number {
    const own = [...this.networks.values(), this.inner].reduce((sum, { bytes }) => sum + bytes, 0);
    return own + (this.rest?.bytes ?? 0);
  }

  /** Those that come back when it is disposed of, whatever others hold. */
  get own(): number {
    const networks = [...this.networks.values()].reduce((sum, { bytes, shared = 0 }) => sum + bytes - shared, 0);
    return networks + this.inner.own + (this.rest?.own ?? 0);
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
    const { onTask } = options;
    let outs = checkOuts(options.out, this.graph.outputs, this.specs, inputs);
    this.given = new Map([...outs].flatMap(([name, data]) => this.asRoom(name, data)));
    const values = new RunValues(this.memory, this.uses);
    const watch = onTask && stopwatch(onTask);
    try {
      for (const [name, value] of [...this.constants, ...inputs]) values.set(name, value);
      await this.runAll(values, options, watch);
      if (this.rest) {
        await this.runRest(this.rest, values, options);
        watch?.();
        outs = checkOuts(options.out, this.graph.outputs, values, inputs);
      }
      return this.results(values, inputs, outs);
    } finally {
      values.end();
    }
  }

  private async runAll(values: RunValues, options: RunOptions, watch: (() => void) | undefined): Promise<void> {
    // Nobody knows before how long the rest takes.
    const onProgress = this.rest ? halfOf(options.onProgress) : options.onProgress;
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
  }

  private async runRest(rest: Rest, values: RunValues, options: RunOptions): Promise<void> {
    await this.runOnHost(rest.onHost, values, options);
    for (const [name, value] of await rest.run(values, options)) values.set(name, value);
    values.done(rest.reads);
  }

  /** The outputs, each in an array that nothing else holds. */
  private results(
    values: RunValues,
    inputs: ReadonlyMap<string, Value>,
    outs: ReadonlyMap<string, TypedArray>,
  ): Record<string, Tensor> {
    const taken = new Set([...inputs.values(), ...this.constants.values()].map(({ data }) => data));
    return Object.fromEntries(
      this.graph.outputs.map((info) => {
        const value = values.get(info.name)!;
        const fresh = !taken.has(value.data) && !values.isLent(value);
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
    values: RunValues,
    { signal, onProgress }: RunOptions,
    onStage?: () => void,
  ): Promise<void> {
    for (const { name } of partition.writes)
      if (!values.get(name)) values.set(name, this.room(values, name, this.specs.get(name)!));
    const bind = ({ name, id, order }: Held) => [id, callerValue(asFloats(values.get(name)!), order)] as const;
    const [reads, writes] = [partition.reads.map(bind), partition.writes.map(bind)];
    await this.networks.get(partition)!.run(reads, writes, { signal, onProgress, onStage });
    for (const [i, { name }] of partition.writes.entries()) {
      const { dtype, data } = values.get(name)!;
      if (dtype === "bool") elementsOf({ data }).set(writes[i]![1].data as unknown as Float64Array);
    }
    values.done(partition.reads.map(({ name }) => name));
    onStage?.();
  }

  private async runOnHost(
    nodes: readonly GraphNode[],
    values: RunValues,
    { signal }: RunOptions,
    onNode?: () => void,
  ): Promise<void> {
    for (const node of nodes) {
      const read = node.inputs.map((name) => values.get(name));
      const room = (spec: Spec, i: number): Value => this.room(values, node.outputs[i]!, spec);
      const { control } = this.operators.get(node.op)!;
      const results = control
        ? await this.inner.runNode(node, read, signal)
        : await inTurns(computing(node, this.operators, read, room), signal);
      for (const [i, name] of node.outputs.entries()) if (name !== "") values.set(name, results[i]!);
      values.done(node.inputs);
      onNode?.();
    }
  }

  /** Zeros for a result: the caller's array or a fresh one for the network's outputs, for others what is free. */
  private room(values: RunValues, name: string, spec: Spec): Value {
    const given = this.given.get(name);
    if (!given) return values.room(name, spec, name === "" || this.outputs.has(name));
    given.data.fill((isBig(given.dtype) ? 0n : 0) as never);
    return given;
  }
}

/** What is read and computed on the host, node by node; operators that only tell shapes make nothing. */
function stepsOf(partitions: readonly Partition[], operators: Operators, rest: Rest | undefined): HostStep[] {
  const names = (held: readonly { name: string }[]): string[] => held.map(({ name }) => name);
  const stepOf = ({ op, inputs, outputs }: GraphNode): HostStep => {
    const { run, control } = operators.get(op)!;
    return { reads: inputs, made: run || control ? outputs : [] };
  };
  const steps = partitions.flatMap((partition): HostStep[] => {
    if (partition.kind === "backend") return [{ reads: names(partition.reads), made: names(partition.writes) }];
    return partition.nodes.map(stepOf);
  });
  return rest ? [...steps, ...rest.onHost.map(stepOf), { reads: rest.reads, made: [] }] : steps;
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
  value.dtype === "bool" ? { ...value, data: new Float32Array(elementsOf(value)) } : value;

function callerValue({ shape, data }: Value, order: Order): TensorBinding {
  const [images, height, width, channels] = sidesIn(shape, order)!;
  const format = order === "plain" ? "NHWC" : "NCHW";
  return { kind: "tensor", data: data as Float32Array, format, images, height, width, channels };
}
