// The rest of a network: nodes whose shapes depend on elements that a run computes, and all that follows them. It runs when
// the partitions before it have computed what it reads. Where it holds layers, it is compiled as a program of its own for the
// shapes that came.
import type { CallHooks } from "../engine/calls.ts";
import type { Tensor } from "../tensor.ts";
import { plural } from "../words.ts";
import type { Known } from "./infer.ts";
import { layerRules } from "./lower-layers.ts";
import type { Task } from "./tasks.ts";
import type { Graph, GraphNode, Spec, Value } from "./types.ts";
import { numbersOf, sizeOf, toValue } from "./values.ts";

/** Programs of the rest for so many different shapes are kept. */
const mostPrograms = 4;

/** Longer lists say no sizes: programs are found again by their elements. */
const longestList = 64;

/** A network in two halves. */
export interface Halves {
  /** Whose shapes are known; gives the outputs that are, and what the others read. */
  before: Graph;
  /** Nodes of the other half that the host computes as soon as their inputs are there. */
  onHost: readonly GraphNode[];
  /** What is compiled when those are done; without nodes where all of it stays on the host. */
  after: Graph;
  /** Inputs of `after` whose elements say sizes. */
  sizes: ReadonlySet<string>;
}

/** The halves of a network of which something is known only at run time; undefined of others. */
export function restOf(graph: Graph, specs: ReadonlyMap<string, Spec>, open: Known["open"]): Halves | undefined {
  const isKnown = (name: string): boolean => name === "" || specs.has(name);
  const later = graph.nodes.filter(({ outputs }) => !outputs.every(isKnown));
  if (later.length === 0) return undefined;
  const sizes = new Set([...open].flatMap(([node, { sizes }]) => (sizes ? listsOf(node, sizes, specs) : [])));
  const stays = (node: GraphNode): boolean => open.has(node) && !node.inputs.some((name) => sizes.has(name));
  const onHost = later.some(({ op }) => op in layerRules) ? later.filter(stays) : later;
  const nodes = later.filter((node) => !onHost.includes(node));
  const made = new Set(later.flatMap(({ outputs }) => outputs));
  const readBy = (some: readonly GraphNode[]) => [...new Set(some.flatMap(({ inputs }) => inputs))].filter(Boolean);
  const given = graph.outputs.filter(({ name }) => !made.has(name));
  const wanted = graph.outputs.filter(({ name }) => made.has(name));
  const own = new Set(nodes.flatMap(({ outputs }) => outputs));
  const crossing = readBy(nodes).filter((name) => !own.has(name) && !graph.constants.has(name));
  const named = (names: readonly string[]) => names.map((name) => ({ name }));
  return {
    before: {
      ...graph,
      nodes: graph.nodes.filter((node) => !later.includes(node)),
      outputs: [...given, ...named(readBy(later).filter((name) => specs.has(name) && !graph.constants.has(name)))],
    },
    onHost,
    after: {
      inputs: named(crossing),
      outputs: wanted.filter(({ name }) => own.has(name)),
      nodes,
      constants: new Map(readBy(nodes).flatMap((name) => [...entryOf(graph.constants, name)])),
    },
    sizes,
  };
}

/** What says sizes, of a node's inputs, if it is short enough to compile for: the one that its error names, and lists beside it. */
function listsOf({ inputs }: GraphNode, sizes: Spec, specs: ReadonlyMap<string, Spec>): string[] {
  const isShort = ({ shape, data }: Spec): boolean => !data && shape.length < 2 && sizeOf(shape) <= longestList;
  if (!isShort(sizes) || !inputs.some((name) => specs.get(name) === sizes)) return [];
  return inputs.filter((name, i) => {
    const spec = specs.get(name);
    return spec && (spec === sizes || (i > 0 && isShort(spec)));
  });
}

function entryOf(constants: Graph["constants"], name: string): [string, Tensor][] {
  const tensor = constants.get(name);
  return tensor ? [[name, tensor]] : [];
}

/** What the rest asks of a compiled network. */
export interface RestProgram {
  readonly bytes: number;
  readonly own: number;
  readonly hostNodes: readonly GraphNode[];
  run(inputs: ReadonlyMap<string, Value>, options: CallHooks): Promise<Record<string, Tensor>>;
  dispose(): void;
}

type Values = Pick<ReadonlyMap<string, Value>, "get">;

/** Runs what is compiled of the second half. Calls must not overlap. */
export class Rest {
  private readonly halves: Halves;
  private readonly create: (
    graph: Graph,
    inputs: ReadonlyMap<string, Spec>,
    signal: CallHooks["signal"],
  ) => Promise<RestProgram>;
  private readonly programs = new Map<string, RestProgram>();

  constructor(halves: Halves, create: Rest["create"]) {
    this.halves = halves;
    this.create = create;
  }

  /** All of it as one task: a run alone knows more. */
  get task(): Task {
    const { onHost, after } = this.halves;
    const count = onHost.length + after.nodes.length;
    return {
      name: `${plural(count, "node")} whose shapes a run finds`,
      op: "rest",
      place: "host",
      steps: [],
      kernels: [],
    };
  }

  get bytes(): number {
    return [...this.programs.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Those of the programs' bytes that come back when it is disposed of, whatever others hold. */
  get own(): number {
    return [...this.programs.values()].reduce((sum, { own }) => sum + own, 0);
  }

  /** Nodes that the host computes first, one after the other. */
  get onHost(): readonly GraphNode[] {
    return this.halves.onHost;
  }

  /** Names of the values that the compiled part reads. */
  get reads(): string[] {
    return this.halves.after.inputs.map(({ name }) => name);
  }

  /** Those that the host has computed; before the first run, those of which it is known. */
  get hostNodes(): GraphNode[] {
    return [...this.halves.onHost, ...([...this.programs.values()].at(-1)?.hostNodes ?? [])];
  }

  dispose(): void {
    for (const program of this.programs.values()) program.dispose();
    this.programs.clear();
  }

  /** What the compiled part computes, of `values`, where the nodes on the host have been computed. */
  async run(values: Values, { signal, onProgress }: CallHooks): Promise<[string, Value][]> {
    const { after } = this.halves;
    if (after.nodes.length === 0) return [];
    const inputs = new Map(after.inputs.map(({ name }) => [name, values.get(name)!]));
    const program = await this.programFor(inputs, signal);
    const results = await program.run(inputs, { signal, onProgress: onProgress && ((d) => onProgress((1 + d) / 2)) });
    return Object.entries(results).map(([name, one]): [string, Value] => [name, toValue(one)!]);
  }

  /** The program for inputs of these shapes and, of those that say sizes, of these elements. */
  private async programFor(inputs: ReadonlyMap<string, Value>, signal: CallHooks["signal"]): Promise<RestProgram> {
    const specs = new Map(
      [...inputs].map(([name, { dtype, shape, data }]): [string, Spec] => {
        return [name, { dtype, shape, data: this.halves.sizes.has(name) ? data.slice() : undefined }];
      }),
    );
    const key = JSON.stringify(
      [...specs].map(([name, { dtype, shape, data }]) => [name, dtype, shape, data && [...numbersOf({ data })]]),
    );
    const known = this.programs.get(key);
    if (!known && this.programs.size >= mostPrograms) {
      const [oldest, program] = this.programs.entries().next().value!;
      this.programs.delete(oldest);
      program.dispose();
      // It frees its memory after this turn.
      await undefined;
    }
    // What was used last is the last to go.
    this.programs.delete(key);
    const program = known ?? (await this.create(this.halves.after, specs, signal));
    this.programs.set(key, program);
    return program;
  }
}
