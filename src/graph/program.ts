// A compiled network: runs its partitions in turn, and keeps the values that pass between them.
import type { Program, TensorBinding } from "../backend/backend.ts";
import { type CallHooks, overlap } from "../engine/calls.ts";
import type { Engine } from "../engine/engine.ts";
import type { EngineValue } from "../engine/values.ts";
import { checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { checkSidesIn, type Tensor, type TensorLike, type TypedArray } from "../tensor.ts";
import { type BackendPartition, compile, type Partition } from "./compile.ts";
import { compute, outputsOf } from "./evaluate.ts";
import { checkPeak, HostMemory, type HostStep, RunValues, usesOf } from "./host-values.ts";
import { specialize } from "./passes/index.ts";
import { type Order, sidesIn } from "./places.ts";
import { type Task, tasksOf } from "./tasks.ts";
import type { Graph, Operators, Spec, Value } from "./types.ts";
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
  private readonly memory: HostMemory;
  private readonly uses: ReadonlyMap<string, number>;
  private readonly constants: ReadonlyMap<string, Value>;
  private readonly outputs: ReadonlySet<string>;
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
    memory: HostMemory,
  ) {
    this.phases = phases;
    this.memory = memory;
    this.uses = usesOf(stepsOf(partitions, operators), graph.outputs);
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
    memory: HostMemory = new HostMemory(() => engine.room),
  ): Promise<GraphProgram> {
    const start = performance.now();
    const { graph: optimised, specs } = specialize(graph, operators, inputs);
    const passed = performance.now();
    const partitions = compile(optimised, operators, specs, engine);
    const steps = stepsOf(partitions, operators);
    checkPeak(steps, usesOf(steps, graph.outputs), specs, engine.room);
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
    return new GraphProgram(optimised, specs, operators, partitions, networks, phases, memory);
  }

  /** Shapes of the inputs that it is for, by name. */
  get shapes(): Record<string, readonly number[]> {
    return Object.fromEntries(this.graph.inputs.map(({ name }) => [name, this.specs.get(name)!.shape]));
  }

  /** The tasks of each partition, in the order in which they run. */
  get tasks(): Task[][] {
    return this.partitions.map((partition) => tasksOf(partition, this.specs));
  }

  /** Type and shape of a value. */
  specOf(name: string): Spec {
    return this.specs.get(name)!;
  }

  /** Bytes of the engine's memory that it uses; weights and the room for values are shared with others. */
  get bytes(): number {
    return [...this.networks.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Those that come back when it is disposed of, whatever others hold. */
  get own(): number {
    return [...this.networks.values()].reduce((sum, { bytes, shared = 0 }) => sum + bytes - shared, 0);
  }

  /** Gives the engine's memory back, after the runs that have begun. */
  dispose(): void {
    this.queue.then(() => this.free());
  }

  private free(): void {
    for (const network of this.networks.values()) network.dispose();
  }

  /** Runs on checked inputs by name; outputs are fresh arrays, or those that are given for them. */
  run(inputs: ReadonlyMap<string, Value>, options: RunOptions = {}): Promise<Record<string, Tensor>> {
    const run = this.queue.then(() => this.execute(inputs, options));
    this.queue = run.catch(() => {});
    return run;
  }

  private async execute(inputs: ReadonlyMap<string, Value>, options: RunOptions): Promise<Record<string, Tensor>> {
    this.given = checkOuts(options.out, this.graph.outputs, this.specs, inputs);
    const values = new RunValues(this.memory, this.uses);
    try {
      for (const [name, value] of [...this.constants, ...inputs]) values.set(name, value);
      await this.runAll(values, options);
      return this.results(values, inputs);
    } finally {
      values.end();
    }
  }

  private async runAll(values: RunValues, options: RunOptions): Promise<void> {
    const { onProgress, onTask } = options;
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
  }

  /** The outputs, each in an array that nothing else holds. */
  private results(values: RunValues, inputs: ReadonlyMap<string, Value>): Record<string, Tensor> {
    const taken = new Set([...inputs.values(), ...this.constants.values()].map(({ data }) => data));
    return Object.fromEntries(
      this.graph.outputs.map(({ name }) => {
        const value = values.get(name)!;
        const fresh = !taken.has(value.data) && !values.isLent(value);
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
    values: RunValues,
    { signal, onProgress }: RunOptions,
    onStage?: () => void,
  ): Promise<void> {
    for (const { name } of partition.writes)
      if (!values.get(name)) values.set(name, this.room(values, name, this.specs.get(name)!));
    const reads = partition.reads.map(({ name, id, order }) => [id, callerValue(values.get(name)!, order)] as const);
    const writes = partition.writes.map(({ name, id, order }) => [id, callerValue(values.get(name)!, order)] as const);
    await this.networks.get(partition)!.run(reads, writes, { signal, onProgress, onStage });
    values.done(partition.reads.map(({ name }) => name));
    onStage?.();
  }

  private runOnHost(
    nodes: readonly Graph["nodes"][number][],
    values: RunValues,
    { signal }: RunOptions,
    onNode?: () => void,
  ): void {
    for (const node of nodes) {
      signal?.throwIfAborted();
      const read = node.inputs.map((name) => values.get(name));
      const room = (spec: Spec, i: number): Value => this.room(values, node.outputs[i]!, spec);
      const results = compute(node, this.operators, read, outputsOf(node, this.operators, read), room);
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

/** What partitions read and compute on the host, node by node; operators that only tell shapes make nothing. */
function stepsOf(partitions: readonly Partition[], operators: Operators): HostStep[] {
  const names = (held: readonly { name: string }[]): string[] => held.map(({ name }) => name);
  return partitions.flatMap((partition): HostStep[] => {
    if (partition.kind === "backend") return [{ reads: names(partition.reads), made: names(partition.writes) }];
    return partition.nodes.map(({ op, inputs, outputs }) => ({
      reads: inputs,
      made: operators.get(op)!.run ? outputs : [],
    }));
  });
}

/** The arrays for outputs, of the types and lengths that these have. */
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
    Object.entries(given).map(([name, out]) => {
      const { dtype, shape } = specs.get(name)!;
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
      return [name, { dtype, shape, data }];
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

function callerValue({ shape, data }: Value, order: Order): TensorBinding {
  const [images, height, width, channels] = sidesIn(shape, order)!;
  const format = order === "plain" ? "NHWC" : "NCHW";
  return { kind: "tensor", data: data as Float32Array, format, images, height, width, channels };
}
