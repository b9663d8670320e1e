// The Model class: the ONNX message as it was read, the network in it, and its compiled programs. Loads and saves models.
import { checkRunOptions } from "../engine/calls.ts";
import { createEngine, Engine } from "../engine/engine.ts";
import { describeValue, EngineValue } from "../engine/values.ts";
import { checkFunction, checkOptions, describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { checkInputs, withInputShapes } from "../graph/evaluate.ts";
import { HostMemory } from "../graph/host-values.ts";
import { prepare } from "../graph/passes/index.ts";
import { GraphProgram, type Outs, type RunOptions } from "../graph/program.ts";
import type { Dimension, Graph, Operators, Spec } from "../graph/types.ts";
import { numbersOf } from "../graph/values.ts";
import type { Tensor, TensorLike } from "../tensor.ts";
import { importGraph } from "./import.ts";
import { loadOperators } from "./ops/load.ts";
import { ModelProto, TensorProto } from "./schema.ts";
import { type ExternalFiles, externalLocation } from "./tensors.ts";
import { decode, encode } from "./wire.ts";

/** Files outside the model by the names that it gives them, or a way to get one. */
export type ExternalData =
  | Readonly<Record<string, Uint8Array>>
  | ((location: string) => Uint8Array | Promise<Uint8Array>);

/** How a model is loaded. */
export interface LoadOptions {
  /** Where weights are that lie outside the file. Nothing is ever read by a name that only the file knows. */
  externalData?: ExternalData;
  /**
   * Shapes of inputs by name in place of those that the file declares; sides with a name may be any. A convolutional network
   * often computes more than the one size that its file names; where a node depends on that size, a run says so.
   */
  shapes?: Readonly<Record<string, readonly Dimension[]>>;
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

/** A tensor in ONNX's order, ONNX Runtime's `{ data, dims }`, or a value of `engine.alloc`, which is copied out. */
export type ModelInput = TensorLike | EngineValue;

const isValue = (entry: [string, unknown]): entry is [string, EngineValue] => entry[1] instanceof EngineValue;

/** What engine values hold, as tensors; all else is checked later. */
async function withArrays(inputs: Readonly<Record<string, ModelInput>>): Promise<Record<string, TensorLike>> {
  const values = Object.entries(inputs).filter(isValue);
  const read = values.map(async ([name, value]) => [name, { shape: value.shape, data: await value.read() }] as const);
  return { ...(inputs as Record<string, TensorLike>), ...Object.fromEntries(await Promise.all(read)) };
}

/** Checks a value that is to take an output, before anything is computed. */
function checkValueOut(name: string, value: EngineValue, { dtype, shape }: Spec): void {
  if (value.dtype === dtype && value.shape.join() === shape.join()) return;
  const expected = `a value of [${shape.join(", ")}] in ${dtype}`;
  throw new InvalidArgumentError({ parameter: `out[${describe(name)}]`, expected, received: describeValue(value) });
}

/** Programs for so many different shapes of inputs are kept, and of those the latest that hold so many bytes together. */
const mostPrograms = 32;
const mostBytes = 2 ** 26;

interface Kept {
  program: Promise<GraphProgram>;
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
  private ownEngine: Promise<Engine> | undefined;
  /** Some operator has to know the elements of an input before the network runs: lists of sizes, axes or scales. */
  private takesSizes = false;
  private prepared: Graph | undefined;
  private readonly programs = new Map<string, Kept>();
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
  ) {
    this.readTime = readTime;
    this.proto = proto;
    this.graph = graph;
    this.operators = operators;
    this.givenEngine = engine;
    this.externalFiles = externalFiles;
  }

  /**
   * Computes the outputs from the inputs, both by name, in the orders of ONNX (NCHW). The first run with inputs of a shape
   * compiles for it; sides that the model leaves open may be any.
   *
   * @throws InvalidArgumentError for inputs that are missing, not known, or of another shape or type; UnsupportedOpError
   * for operators that are missing. Both before anything is computed.
   */
  async run(inputs: Readonly<Record<string, ModelInput>>, options?: RunOptions): Promise<Record<string, Tensor>> {
    const known = ["signal", "onProgress", "onTask", "out"] as const;
    const { signal, onProgress, onTask, out } = checkOptions<RunOptions>("options", options, known);
    checkRunOptions({ signal, onProgress });
    if (onTask !== undefined) checkFunction("onTask", onTask);
    const given = checkOptions<Outs>(
      "out",
      out,
      this.graph.outputs.map(({ name }) => name),
    );
    const arrays = Object.fromEntries(Object.entries(given).filter((entry) => !isValue(entry))) as Outs;
    const outs = Object.entries(given).filter(isValue);
    // At once where nothing has to be waited for: a run that has begun is waited for when the model is disposed of.
    const isRead = Object.entries(inputs ?? {}).some(isValue);
    const values = checkInputs(this.graph, isRead ? await withArrays(inputs) : (inputs as Record<string, TensorLike>));
    const run = this.programFor(values).then(async (program) => {
      for (const [name, value] of outs) checkValueOut(name, value, program.specOf(name));
      const results = await program.run(values, { signal, onProgress, onTask, out: arrays });
      for (const [name, value] of outs) await value.write(results[name]!);
      return results;
    });
    this.running.add(run);
    return run.finally(() => this.running.delete(run));
  }

  /** What loading took, and what was compiled for which shapes of inputs. */
  async info(): Promise<ModelInfo> {
    const made = await Promise.allSettled([...this.programs.values()].map(({ program }) => program));
    const programs = made.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    return {
      milliseconds: { read: this.readTime },
      programs: programs.map((program) => {
        const host = program.partitions.flatMap((partition) => (partition.kind === "host" ? partition.nodes : []));
        const { shapes, phases: milliseconds, bytes } = program;
        return { shapes, milliseconds, bytes, host: host.map(({ name, op }) => ({ name, op })) };
      }),
    };
  }

  /**
   * The compiled network for inputs of these types and shapes; where some say sizes, for their elements, too.
   *
   * @internal
   */
  async programFor(inputs: ReadonlyMap<string, Spec>): Promise<GraphProgram> {
    // What is freed from now on may wait for the run that asks.
    const { freed } = this;
    if (this.takesSizes) return this.compiled(inputs);
    const shapes = [...inputs].map(([name, { dtype, shape }]): [string, Spec] => [name, { dtype, shape }]);
    try {
      return await this.compiled(new Map(shapes));
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
      this.takesSizes = true;
      return this.compiled(inputs, freed);
    }
  }

  /** `before`: what it has to wait for, where that is not all that is being freed. */
  private compiled(inputs: ReadonlyMap<string, Spec>, before?: Promise<void>): Promise<GraphProgram> {
    const specs = new Map(
      [...inputs].map(([name, spec]) => [name, spec.shape.length < 2 ? spec : { ...spec, data: undefined }]),
    );
    const key = JSON.stringify(
      [...specs].map(([name, { dtype, shape, data }]) => [name, dtype, shape, data && Array.from(numbersOf({ data }))]),
    );
    const known = this.programs.get(key);
    if (known) {
      // What was used last is the last to go.
      this.programs.delete(key);
      this.programs.set(key, known);
      return known.program;
    }
    this.dropOldest();
    const ready = (before ?? this.freed).then(() => this.engine());
    const program = ready.then((engine) => {
      this.memory ??= new HostMemory(() => engine.room);
      return GraphProgram.create(this.network(), this.operators, specs, engine, this.memory);
    });
    const kept = { program, bytes: 0 };
    this.programs.set(key, kept);
    program.then(
      ({ own }) => {
        kept.bytes = own;
      },
      // What failed is tried again at the next run.
      () => this.programs.delete(key),
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
      dropped.push(kept.program);
      bytes -= kept.bytes;
    }
    if (dropped.length > 0) this.freed = this.free(dropped);
  }

  /** The network as programs of all shapes begin with it. */
  private network(): Graph {
    this.prepared ??= prepare(this.graph, this.operators);
    return this.prepared;
  }

  /** Frees what runs have made; a later run makes it anew. */
  dispose(): void {
    const own = this.ownEngine;
    const dispose = () => own?.then((engine) => engine.dispose()).catch(() => {});
    const programs = [...this.programs.values()].map(({ program }) => program);
    this.freed = this.free(programs, dispose);
    this.programs.clear();
    this.prepared = undefined;
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
 * Reads an ONNX model from its bytes, or on Node from a file. Weights are views of the bytes: they must not change while
 * the model is in use.
 *
 * @throws InvalidArgumentError for what is no intact ONNX model, UnsupportedError for subgraphs, sparse and other weights
 * than numbers.
 */
export async function loadModel(model: Uint8Array | ArrayBuffer | string, options: LoadOptions = {}): Promise<Model> {
  const known = ["externalData", "shapes", "engine"] as const;
  const { externalData, shapes = {}, engine } = checkOptions<LoadOptions>("options", options, known);
  if (engine !== undefined && !(engine instanceof Engine)) {
    const [expected, received] = ["an engine made by createEngine", describe(engine)];
    throw new InvalidArgumentError({ parameter: "engine", expected, received });
  }
  const start = performance.now();
  const bytes = typeof model === "string" ? await readFile(model) : model;
  const data = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  if (!(data instanceof Uint8Array) || data.length === 0) {
    const received = data instanceof Uint8Array ? "no bytes" : describe(bytes);
    throw new InvalidArgumentError({ parameter: "model", expected: "the bytes of an ONNX file", received });
  }
  const proto = decode(ModelProto, data, "model");
  const files = await externalFiles(proto, externalData);
  const graph = importGraph(proto, files);
  const names = graph.inputs.map(({ name }) => name);
  checkOptions<Record<string, unknown>>("shapes", shapes, names);
  const operators = await loadOperators(graph);
  return new Model(proto, withInputShapes(graph, shapes), operators, engine, files, performance.now() - start);
}

interface Files {
  readFile(path: string): Promise<Uint8Array>;
}

/** Node's module is asked for at run time: a static import would break bundles for browsers. */
async function readFile(path: string): Promise<Uint8Array> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => Files } };
  const files = process?.getBuiltinModule?.("node:fs/promises");
  const expected = files ? "a readable file" : "the bytes of an ONNX file (in browsers there are no paths)";
  try {
    return await files!.readFile(path);
  } catch (cause) {
    const received = files ? (cause as Error).message : describe(path);
    throw new InvalidArgumentError({ parameter: "model", expected, received, cause });
  }
}

/** The bytes of an ONNX file. What was loaded and not changed comes out as it went in. */
export function saveModel(model: Model): Uint8Array {
  return encode(ModelProto, model.proto);
}

/** Every file that initializers name, once each. */
async function externalFiles({ graph }: ModelProto, source: ExternalData = {}): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [i, bytes] of (graph?.initializer ?? []).entries()) {
    const location = externalLocation(decode(TensorProto, bytes, `initializer ${i}`));
    if (location === undefined || files.has(location)) continue;
    const own = typeof source === "function" || Object.hasOwn(source, location);
    const file = own ? await (typeof source === "function" ? source(location) : source[location]) : undefined;
    if (file) files.set(location, file);
  }
  return files;
}
