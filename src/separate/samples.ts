// Calibration samples: read again for each pass over them, in batches where the network's first axis is open, and divided
// into those that are fitted to and those that evaluate.
import { describe, InvalidArgumentError } from "../errors.ts";
import { checkInputs } from "../graph/evaluate.ts";
import type { Graph, Value } from "../graph/types.ts";
import { newValue, sizeOf } from "../graph/values.ts";
import type { Tensor } from "../tensor.ts";
import { Fingerprint } from "./checkpoint.ts";
import type { Values } from "./network.ts";
import { type Cut, piecesOf } from "./pieces.ts";

export type Sample = Readonly<Record<string, Tensor>>;

/** Every fifth sample evaluates what is fitted to the others; of fewer than this many all do both. */
const [everyFifth, fewest] = [5, 10];

/** Some of all samples, to be read as often as needed. */
export interface Selection extends AsyncIterable<Values> {
  count: number;
}

/** Elements of an input in one batch, fewer where these are pieces, and samples. */
const [mostElements, mostInPieces, mostSamples] = [2 ** 18, 2 ** 16, 64];

export class Samples {
  readonly count: number;
  /** The first one; shapes of others may differ. */
  readonly first: Values;
  /** Tells these samples from others. */
  readonly fingerprint: string;
  /** How samples are cut for what is fitted and measured; whole ones are read where it is undefined. */
  cut: Cut | undefined;
  /** Whether several with equal shapes are joined where the batch is open. */
  joins = true;
  private readonly graph: Graph;
  private readonly source: Iterable<Sample> | AsyncIterable<Sample>;

  private constructor(
    graph: Graph,
    source: Iterable<Sample> | AsyncIterable<Sample>,
    known: { count: number; first: Values; fingerprint: string },
  ) {
    this.graph = graph;
    this.source = source;
    this.count = known.count;
    this.first = known.first;
    this.fingerprint = known.fingerprint;
  }

  /**
   * Reads all samples once. What can be iterated over only once (a generator) is kept in memory.
   *
   * @throws InvalidArgumentError for no samples, or those that are no inputs of the network.
   */
  static async read(
    graph: Graph,
    given: Iterable<Sample> | AsyncIterable<Sample>,
    signal?: AbortSignal,
  ): Promise<Samples> {
    const source = isOneShot(given) ? await collect(given) : given;
    let count = 0;
    let first: Values | undefined;
    const fingerprint = new Fingerprint();
    for await (const sample of source) {
      signal?.throwIfAborted();
      const values = checkInputs(graph, sample);
      for (const { data } of values.values()) fingerprint.add(data);
      first ??= values;
      count++;
    }
    if (first) return new Samples(graph, source, { count, first, fingerprint: fingerprint.text });
    throw new InvalidArgumentError({ parameter: "calibration", expected: "at least one input", received: "none" });
  }

  /** Whether some are set aside to evaluate by, which nothing is fitted to. */
  get apart(): boolean {
    return this.count >= fewest;
  }

  /**
   * At most so many of the samples for a purpose, evenly spread, or so many pieces of them, `varied` as {@link piecesOf} does it.
   * Nothing is fitted to those that evaluate.
   */
  some(purpose: "fit" | "evaluate", most: number, varied = false): Selection {
    const { count, taken } = this.choice(purpose, most);
    const pieces = this.cut ? Math.min(this.cut.count, Math.max(1, Math.floor(most / count))) : 1;
    return {
      count: count * pieces,
      [Symbol.asyncIterator]: () => this.batches((index) => taken.has(index), pieces, varied),
    };
  }

  private choice(purpose: "fit" | "evaluate", most: number): { count: number; taken: ReadonlySet<number> } {
    const evaluates = (index: number): boolean => index % everyFifth === everyFifth - 1;
    const all = Array.from({ length: this.count }, (_, index) => index);
    const own = this.count < fewest ? all : all.filter((index) => evaluates(index) === (purpose === "evaluate"));
    const count = Math.min(most, own.length);
    const taken = new Set(Array.from({ length: count }, (_, i) => own[Math.floor((i * own.length) / count)]!));
    return { count, taken };
  }

  /** Samples for a purpose one by one, kept: evenly spread, and as many as so many bytes hold. */
  async keep(purpose: "fit" | "evaluate", bytes: number): Promise<Values[]> {
    const size = [...this.first.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    const kept: Values[] = [];
    const { taken } = this.choice(purpose, Math.max(1, Math.floor(bytes / size)));
    let index = 0;
    for await (const sample of this.source) if (taken.has(index++)) kept.push(checkInputs(this.graph, sample));
    return this.cut ? kept.flatMap((values, i) => piecesOf(values, this.cut!, this.cut!.count, i)) : kept;
  }

  /**
   * Those samples whose index is taken, or so many pieces of each: several with equal shapes joined along their first axis where
   * that is open.
   */
  private async *batches(takes: (index: number) => boolean, pieces: number, varied: boolean): AsyncGenerator<Values> {
    let waiting: Values[] = [];
    for await (const values of this.taken(takes, pieces, varied)) {
      if (waiting.length > 0 && (waiting.length === this.mostJoined(values) || !agree(waiting[0]!, values))) {
        yield join(waiting);
        waiting = [];
      }
      waiting.push(values);
    }
    if (waiting.length > 0) yield join(waiting);
  }

  private async *taken(takes: (index: number) => boolean, pieces: number, varied: boolean): AsyncGenerator<Values> {
    let index = 0;
    for await (const sample of this.source) {
      if (takes(index)) {
        const values = checkInputs(this.graph, sample);
        yield* this.cut ? piecesOf(values, this.cut, pieces, index, varied) : [values];
      }
      index++;
    }
  }

  /** How many samples like this one the network takes at once. */
  mostJoined(values: Values): number {
    // A network whose inputs can be cut takes any number, too.
    const open = this.cut ?? (this.joins && takesSeveral(this.graph));
    const elements = Math.max(...[...values.values()].map(({ shape }) => sizeOf(shape)));
    const most = this.cut ? mostInPieces : mostElements;
    return open ? Math.min(mostSamples, Math.max(1, Math.floor(most / elements))) : 1;
  }
}

/** Whether the first axis of all inputs is open. */
export const takesSeveral = ({ inputs }: Graph): boolean =>
  inputs.every(({ shape }) => shape && shape.length > 0 && typeof shape[0] !== "number");

function isOneShot(source: Iterable<Sample> | AsyncIterable<Sample>): boolean {
  if (typeof source !== "object" || source === null || !(Symbol.iterator in source || Symbol.asyncIterator in source)) {
    const expected = "an iterable of inputs by name";
    throw new InvalidArgumentError({ parameter: "calibration", expected, received: describe(source) });
  }
  return "next" in source;
}

async function collect(source: Iterable<Sample> | AsyncIterable<Sample>): Promise<Sample[]> {
  const all: Sample[] = [];
  for await (const sample of source) all.push(sample);
  return all;
}

/** Whether samples can be joined. */
export const agree = (a: Values, b: Values): boolean =>
  [...a].every(([name, { shape }]) => `${shape.slice(1)}` === `${b.get(name)!.shape.slice(1)}`);

/** Samples of equal shapes, one after the other along the first axis. */
export function join(all: readonly Values[]): Values {
  const [first] = all;
  if (all.length === 1) return first!;
  return new Map(
    [...first!].map(([name, { dtype, shape }]): [string, Value] => {
      const parts = all.map((values) => values.get(name)!);
      const whole = newValue(dtype, [parts.reduce((sum, part) => sum + part.shape[0]!, 0), ...shape.slice(1)]);
      let at = 0;
      for (const { data } of parts) {
        (whole.data as Float32Array).set(data as Float32Array, at);
        at += data.length;
      }
      return [name, whole];
    }),
  );
}
