// Says in seconds what separating a network would give here: every layer loses the same share of its multiplications, and the
// networks are timed with any numbers as weights. What the outputs would lose only a separation tells.
import type { Signal } from "../engine/platform.ts";
import { checkNumber, checkOptions } from "../errors.ts";
import { decompositions } from "../factor/decompositions.ts";
import { inferKnown, inputSpecs } from "../graph/infer.ts";
import { layersOf } from "../graph/layers.ts";
import { computablePart, partOf } from "../graph/passes/index.ts";
import { newValue } from "../graph/values.ts";
import type { Model } from "../onnx/model.ts";
import { operators } from "../onnx/ops/index.ts";
import type { Choice } from "./context.ts";
import { decompositionCost, decompositionsOf, type NetworkCost, networkCost, targetCost } from "./decomposition.ts";
import { compareTimes, prepareGraph } from "./network.ts";
import { refuseQuantized } from "./refusals.ts";
import { type Target, targetsOf } from "./targets.ts";
import { comparing, unfitted } from "./timing.ts";

/** What is forecast of a separation, and for which inputs. */
export interface ForecastOptions {
  /** Divide the multiplications by this: 2 unless given. */
  reduce?: number;
  /** Shapes of inputs by name, where the model leaves sides open. An open batch is 1 unless given. */
  shapes?: Readonly<Record<string, readonly number[]>>;
  /** Stops the work; the call then rejects with the signal's reason. */
  signal?: Signal;
}

/** What a separation would give here. What the outputs would lose is not in it. */
export interface Forecast {
  /** Multiplications before over those after: as wanted, or the most that is in reach with every layer faster. */
  reduction: number;
  /** Time before over time after, of one input on one thread. */
  speedup: number;
  /** Whether that was measured on this machine; if not, by the cost model: of networks that take a second and more. */
  measured: boolean;
  /** The share of all multiplications that depthwise and pointwise layers have already: 0 to 1. */
  thin: number;
  /** Convolutions that would be replaced. */
  layers: number;
}

/** Nanoseconds of a run, as planned, up to which networks are timed. */
const mostPlanned = 1e9;
/** Multiplications of a layer over those of its form: as far as separations go. */
const strongest = 12;

/** {@link forecastSeparation}, with the model's types. */
export async function forecast(model: Model, given: ForecastOptions): Promise<Forecast> {
  const options = checkOptions<ForecastOptions>("options", given, ["reduce", "shapes", "signal"]);
  const wanted = checkNumber("reduce", options.reduce ?? 2, { min: 1 });
  refuseQuantized(model.graph);
  const computable = prepareGraph(computablePart(model.graph, operators));
  const inputs = inputSpecs(computable, options.shapes);
  const { specs } = inferKnown(computable, operators, inputs);
  const graph = partOf(computable, ({ outputs }) => outputs.every((name) => name === "" || specs.has(name)));
  const engine = await model.engine();
  const context = { engine };
  const whole = networkCost(graph, inputs, context);
  const layers = targetsOf(graph, specs).map((target): Layer => {
    const x = specs.get(target.x)!;
    const stay = targetCost(graph, target, x, context);
    const costAt = (decomposition: Form, rank: number): NetworkCost =>
      decompositionCost(target, decomposition, rank, x, context);
    return { target, stay, costAt };
  });
  const small = layersOf(graph, specs).filter(({ kind }) => /depthwise|pointwise/.test(kind));
  const thin = small.reduce((sum, layer) => sum + layer.multiplications, 0) / Math.max(1, whole.multiplications);
  const { choices, saved } = weakestThat(layers, wanted, whole);
  const reduction = whole.multiplications / (whole.multiplications - saved);
  const targets = layers.map(({ target }) => target);
  const base = { reduction, thin, layers: choices.filter(Boolean).length };
  if (base.layers === 0) return { ...base, speedup: 1, measured: false };
  const after = unfitted({ targets, graph }, choices);
  if (whole.time > mostPlanned) {
    return { ...base, speedup: whole.time / networkCost(after, inputs, context).time, measured: false };
  }
  const values = new Map([...inputs].map(([name, { dtype, shape }]) => [name, newValue(dtype, shape)]));
  const times = await compareTimes(graph, after, values, engine, { ...comparing, signal: options.signal });
  return { ...base, speedup: times.before / times.after, measured: true };
}

type Form = NonNullable<Choice>["decomposition"];

interface Layer {
  target: Target;
  stay: NetworkCost;
  costAt(decomposition: Form, rank: number): NetworkCost;
}

/** The choices of the least share for each layer that divide the multiplications as wanted, or of the largest share. */
function weakestThat(layers: readonly Layer[], wanted: number, whole: NetworkCost) {
  const most = whole.multiplications * (1 - 1 / wanted);
  const at = (share: number) => {
    const found = layers.map((layer) => choiceAt(layer, share));
    return { choices: found.map((one) => one?.choice), saved: found.reduce((sum, one) => sum + (one?.saved ?? 0), 0) };
  };
  let [low, high] = [1, strongest];
  if (at(high).saved < most) return at(high);
  for (let i = 0; i < 12; i++) {
    const middle = Math.sqrt(low * high);
    if (at(middle).saved < most) low = middle;
    else high = middle;
  }
  return at(high);
}

/** The layer in the form of which separations use most, where that is planned to take less time. */
function choiceAt({ target, stay, costAt }: Layer, share: number): { choice: Choice; saved: number } | undefined {
  const [decomposition] = decompositionsOf(target);
  if (!decomposition) return undefined;
  const unit = costAt(decomposition, 1).multiplications;
  const most = decompositions[decomposition].mostRank(target.sizes);
  const rank = Math.min(most, Math.max(1, Math.floor(stay.multiplications / share / unit)));
  const cost = costAt(decomposition, rank);
  const saved = stay.multiplications - cost.multiplications;
  return saved > 0 && cost.time < stay.time ? { choice: { decomposition, rank }, saved } : undefined;
}
