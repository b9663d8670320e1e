// The Model class: the ONNX message as it was read, the network in it, and its compiled programs. Loads and saves models.
import { checkRunOptions } from "../engine/calls.ts";
import { createEngine, Engine } from "../engine/engine.ts";
import { describeValue, type EngineValue } from "../engine/values.ts";
import {
  checkFunction,
  checkOneOf,
  checkOptions,
  describe,
  InvalidArgumentError,
  type OperatorUse,
} from "../errors.ts";
import { missingIn, withInputShapes } from "../graph/evaluate.ts";
import { HostMemory } from "../graph/host-values.ts";
import type { Outs } from "../graph/outputs.ts";
import { mostFolded } from "../graph/partitions.ts";
import { prepare } from "../graph/passes/index.ts";
import { GraphProgram, type RunOptions } from "../graph/program.ts";
import type { Quantized } from "../graph/quantized/expansion.ts";
import type { Dimension, Graph, Operators, Spec, Value, ValueInfo } from "../graph/types.ts";
import { numbersOf, toValue } from "../graph/values.ts";
import type { Tensor } from "../tensor.ts";
import { inputValues, isValue, type ModelInput, type ModelRunOptions, saysSizes, withChosenOutputs } from "./choice.ts";
import { type ExternalData, externalFiles } from "./external.ts";
import { importGraph } from "./import.ts";
import { loadOperators } from "./ops/load.ts";
import { ModelProto } from "./schema.ts";
import { SharedWork } from "./shared-work.ts";
import { type ModelSource, readModelBytes } from "./source.ts";
import type { ExternalFiles } from "./tensors.ts";
import { decode, encode } from "./wire.ts";

/** How a model is loaded. */
export interface LoadOptions {
  /** Where weights are that lie outside the file. Nothing is ever read by a name that only the file knows. */
  externalData?: ExternalData;
  /**
   * Shapes of inputs by name in place of those that the file declares; sides with a name may be any. A convolutional network
   * often computes more than the one size that its file names; where a node depends on that size, a run says so.
   */
  shapes?: Readonly<Record<string, readonly Dimension[]>>;
  /**
   * How quantised operators are computed. "integer": as they say, sums of products of integers exactly. "float": with
   * dequantised weights, without rounding between operators but within the ranges of their types: faster, and not the same.
   */
  quantized?: Quantized;
  /** Runs the model, and stays the caller's. Without one the model makes its own at its first run. */
  engine?: Engine;
}

/** What a model says of itself. */
export interface ModelInfo {
  /** Milliseconds that reading the file took. */
  milliseconds: {
    /** From bytes to a network. */
    read: number;
  };
  /** One for each shape of the inputs that was run lately. */
  programs: {
    /** Shapes of the inputs by name. */
    shapes: Readonly<Record<string, readonly number[]>>;
    /** Names of the outputs that it computes. */
    outputs: readonly string[];
    /** What making it took, by phase: passes, planning, layout, code, weights, check. */
    milliseconds: Readonly<Record<string, number>>;
    /** Of the engine's memory; packed weights and the room for values are shared with the other programs. */
    bytes: number;
    /** Nodes that the host computes, since the backend has no kernel for them. */
    host: {
      /** The node's own name. */
      name: string;
      /** ONNX's name of the operator. */
      op: string;
    }[];
  }[];
}

/** Checks a value that is to take an output: before anything is computed, where its shape is known then. */
function checkValueOut(name: string, value: EngineValue, spec: Spec | undefined): void {
  if (!spec || (value.dtype === spec.dtype && value.shape.join() === spec.shape.join())) return;
  const { dtype, shape } = spec;
  const expected = `a value of [${shape.join(", ")}] in ${dtype}`;
  throw new InvalidArgumentError({ parameter: `out[${describe(name)}]`, expected, received: describeValue(value) });
}

/** Networks of so many choices of outputs are kept. */
const mostChoices = 16;
/** Programs for so many different shapes of inputs are kept, and of those the latest that hold so many bytes together. */
const mostPrograms = 32;
const mostBytes = 2 ** 26;

interface Kept {
  program: SharedWork<GraphProgram>;
  /** Of the engine's memory, once it is made; what it shares with others does not count. */
  bytes: number;
}

/** A network and the file that it came in. */
export class Model {
  /**
   * The message, of which tensors and nodes that nobody changed are views of the bytes that were loaded.
   *
   * @internal
   */
  readonly proto: ModelProto;
  /** The network: inputs, outputs, nodes and constants by ONNX's names. */
  readonly graph: Graph;

  /**
   * All that compute the graph's nodes.
   *
   * @internal
   */
  readonly operators: Operators;
  /**
   * The caller's engine, if there is one.
   *
   * @internal
   */
  readonly givenEngine: Engine | undefined;
  /**
   * Weights that lie outside the file.
   *
   * @internal
   */
  readonly externalFiles: ExternalFiles;
  private readonly readTime: number;
  /** @internal */
  readonly quantized: Quantized;
  private ownEngine: Promise<Engine> | undefined;
  /** Some operator has to know the elements of an input before the network runs: lists of sizes, axes or scales. */
  private readonly takesSizes = new WeakMap<Graph, boolean>();
  private readonly choices = new Map<string, Graph>();
  private readonly programs = new Map<string, Kept>();
  private prepared = new WeakMap<Graph, Graph>();
  private memory: HostMemory | undefined;
  /** Runs that have begun: what they use is freed after them. */
  private readonly running = new Set<Promise<unknown>>();
  /** What was freed last: new programs take its memory. */
  private freed: Promise<void> = Promise.resolve();

  /** @internal Use {@link loadModel}. */
  constructor(
    proto: ModelProto,
    graph: Graph,
    operators: Operators,
    engine?: Engine,
    externalFiles: ExternalFiles = new Map(),
    readTime = 0,
    quantized: Quantized = "integer",
  ) {
    this.quantized = quantized;
    this.readTime = readTime;
    this.proto = proto;
    this.graph = graph;
    this.operators = operators;
    this.givenEngine = engine;
    this.externalFiles = externalFiles;
  }

  /** What a run must be given: names, types and sides, of which those that are open have a name or are undefined. */
  get inputs(): readonly ValueInfo[] {
    return this.graph.inputs;
  }

  /** What a run gives. */
  get outputs(): readonly ValueInfo[] {
    return this.graph.outputs;
  }

  /** Nodes that nobody here computes: runs are refused, except for outputs that do without them. */
  get missing(): readonly OperatorUse[] {
    return missingIn(this.graph, this.operators);
  }

  /**
   * Computes the outputs from the inputs, both by name, in the orders of ONNX (NCHW). The first run with inputs of a shape
   * compiles for it; sides that the model leaves open may be any. Inputs that chosen outputs do not need may be left out.
   *
   * @throws InvalidArgumentError for inputs that are missing, not known, or of another shape or type; UnsupportedOpError
   * for operators that are missing. Both before anything is computed.
   */
  async run(inputs: Readonly<Record<string, ModelInput>>, options?: ModelRunOptions): Promise<Record<string, Tensor>> {
    const known = ["signal", "onProgress", "onTask", "out", "outputs"] as const;
    const { signal, onProgress, onTask, out, outputs } = checkOptions<ModelRunOptions>("options", options, known);
    checkRunOptions({ signal, onProgress });
    if (onTask !== undefined) checkFunction("onTask", onTask);
    const graph = this.choosing(outputs);
    const given = checkOptions<Outs>(
      "out",
      out,
      graph.outputs.map(({ name }) => name),
    );
    const arrays = Object.fromEntries(Object.entries(given).filter((entry) => !isValue(entry))) as Outs;
    const outs = Object.entries(given).filter(isValue);
    const read = inputValues(this.graph, inputs, graph.inputs);
    const values = read instanceof Promise ? await read : read;
    const run = this.programFor(values, graph, signal).then(async (program) => {
      for (const [name, value] of outs) checkValueOut(name, value, program.specOf(name));
      const results = await program.run(values, { signal, onProgress, onTask, out: arrays });
      for (const [name, value] of outs) {
        checkValueOut(name, value, toValue(results[name]!));
        await value.write(results[name]!);
      }
      return results;
    });
    this.running.add(run);
    return run.finally(() => this.running.delete(run));
  }

  /**
   * Runs on inputs that are checked, of any shape: that the file declares another one does not matter.
   *
   * @internal
   */
  compute(graph: Graph, values: ReadonlyMap<string, Value>, options: RunOptions): Promise<Record<string, Tensor>> {
    const run = this.programFor(values, graph, options.signal).then((program) => program.run(values, options));
    this.running.add(run);
    return run.finally(() => this.running.delete(run));
  }

  /** What loading took, and what was compiled for which shapes of inputs. */
  async info(): Promise<ModelInfo> {
    const made = await Promise.allSettled([...this.programs.values()].map(({ program }) => program.result));
    const programs = made.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    return {
      milliseconds: { read: this.readTime },
      programs: programs.map(({ shapes, outputs, phases: milliseconds, bytes, hostNodes }) => {
        const host = hostNodes.map(({ name, op }) => ({ name, op }));
        return { shapes, outputs: [...outputs], milliseconds, bytes, host };
      }),
    };
  }

  /**
   * The network with some of its outputs alone. The same object for the same names, as long as few choices are made.
   *
   * @internal
   */
  choosing(outputs: readonly string[] | undefined): Graph {
    const key = JSON.stringify(outputs) ?? "";
    const graph = this.choices.get(key) ?? withChosenOutputs(this.graph, outputs);
    if (this.choices.size >= mostChoices) this.choices.clear();
    this.choices.set(key, graph);
    return graph;
  }

  /**
   * The compiled network for inputs of these types and shapes; where some say sizes, for their elements, too. `graph` is
   * the whole one, or one of {@link choosing}.
   *
   * @internal
   */
  async programFor(
    inputs: ReadonlyMap<string, Spec>,
    graph: Graph = this.graph,
    signal?: AbortSignal,
  ): Promise<GraphProgram> {
    const shapes = new Map([...inputs].map(([name, { dtype, shape }]): [string, Spec] => [name, { dtype, shape }]));
    const lists = new Map([...inputs].map(([name, spec]) => [name, spec.shape.length < 2 ? spec : shapes.get(name)!]));
    const known = this.takesSizes.get(graph) ?? saysSizes(graph, this.operators, shapes, lists);
    this.takesSizes.set(graph, known);
    return this.compiled(graph, known ? lists : shapes).wait(signal);
  }

  private compiled(graph: Graph, specs: ReadonlyMap<string, Spec>): SharedWork<GraphProgram> {
    const key = JSON.stringify([
      graph.outputs.map(({ name }) => name),
      [...specs].map(([name, { dtype, shape, data }]) => [name, dtype, shape, data && Array.from(numbersOf({ data }))]),
    ]);
    const known = this.programs.get(key);
    if (known && !known.program.isOver) {
      // What was used last is the last to go.
      this.programs.delete(key);
      this.programs.set(key, known);
      return known.program;
    }
    this.dropOldest();
    const ready = this.freed.then(() => this.engine());
    const program = new SharedWork(async (signal) => {
      const engine = await ready;
      this.memory ??= new HostMemory(() => engine.room);
      const network = this.network(graph, mostFolded(engine.room));
      return GraphProgram.create(network, this.operators, specs, engine, this.quantized, this.memory, signal);
    });
    const kept: Kept = { program, bytes: 0 };
    this.programs.set(key, kept);
    program.result.then(
      ({ own }) => {
        kept.bytes = own;
      },
      // What failed is tried again at the next run.
      () => this.programs.get(key) === kept && this.programs.delete(key),
    );
    return program;
  }

  /** Makes room for one program more. */
  private dropOldest(): void {
    const dropped: Promise<GraphProgram>[] = [];
    let bytes = [...this.programs.values()].reduce((sum, one) => sum + one.bytes, 0);
    for (const [key, kept] of this.programs) {
      if (this.programs.size < mostPrograms && bytes <= mostBytes) break;
      this.programs.delete(key);
      dropped.push(kept.program.result);
      bytes -= kept.bytes;
    }
    if (dropped.length > 0) this.freed = this.free(dropped);
  }

  /** The network as programs of all shapes begin with it. */
  private network(graph: Graph, most: number): Graph {
    const known = this.prepared.get(graph) ?? prepare(graph, this.operators, most);
    this.prepared.set(graph, known);
    return known;
  }

  /** Frees what runs have made; a later run makes it anew. */
  dispose(): void {
    const own = this.ownEngine;
    const dispose = () => own?.then((engine) => engine.dispose()).catch(() => {});
    const programs = [...this.programs.values()].map(({ program }) => program.result);
    this.freed = this.free(programs, dispose);
    this.programs.clear();
    this.prepared = new WeakMap();
    this.memory = undefined;
    this.ownEngine = undefined;
  }

  /** Disposes of programs, and then of more, when the runs that have begun are over. */
  private async free(programs: readonly Promise<GraphProgram>[], more?: () => void): Promise<void> {
    await Promise.allSettled(this.running);
    for (const program of await Promise.allSettled(programs))
      if (program.status === "fulfilled") program.value.dispose();
    more?.();
  }

  /** What runs the model; made at the first call where the caller gave none. */
  engine(): Promise<Engine> {
    if (this.givenEngine) return Promise.resolve(this.givenEngine);
    this.ownEngine ??= createEngine();
    return this.ownEngine;
  }
}

/**
 * Reads an ONNX model. Weights are views of bytes that are given: they must not change while the model is in use. Operators
 * that nobody here computes are no error yet: `model.missing` names them, and runs are refused.
 *
 * @throws InvalidArgumentError for what is no intact ONNX model, which says what it is instead where that can be told;
 * UnsupportedError for sparse weights and those that are no numbers.
 */
export async function loadModel(model: ModelSource, options: LoadOptions = {}): Promise<Model> {
  const known = ["externalData", "shapes", "engine", "quantized"] as const;
  const checked = checkOptions<LoadOptions>("options", options, known);
  const { externalData, shapes = {}, engine, quantized = "integer" } = checked;
  if (engine !== undefined && !(engine instanceof Engine)) {
    const [expected, received] = ["an engine made by createEngine", describe(engine)];
    throw new InvalidArgumentError({ parameter: "engine", expected, received });
  }
  checkOneOf("quantized", quantized, ["integer", "float"]);
  const start = performance.now();
  const bytes = await readModelBytes(model);
  const { proto, graph, files } = await read(bytes, externalData).catch(async (cause) => {
    const { whatItIs } = await import("./not-a-model.ts");
    throw whatItIs(bytes, cause);
  });
  const names = graph.inputs.map(({ name }) => name);
  checkOptions<Record<string, unknown>>("shapes", shapes, names);
  const operators = await loadOperators(graph);
  return new Model(
    proto,
    withInputShapes(graph, shapes),
    operators,
    engine,
    files,
    performance.now() - start,
    quantized,
  );
}

async function read(bytes: Uint8Array, externalData: ExternalData | undefined) {
  const proto = decode(ModelProto, bytes, "model");
  const files = await externalFiles(proto, externalData);
  return { proto, files, graph: importGraph(proto, files) };
}

/** The bytes of an ONNX file. What was loaded and not changed comes out as it went in. */
export function saveModel(model: Model): Uint8Array {
  return encode(ModelProto, model.proto);
}
