// Makes a rewritten network as sure of its answers as it should be: the errors of its scores make it too sure where it is
// wrong. The layer that gives the scores is divided by one number, the temperature that loses least (Guo et al. 2017, "On
// Calibration of Modern Neural Networks"; here without labels). The answers stay the same.
import type { Graph, GraphNode } from "../graph/types.ts";
import { numbersOf } from "../graph/values.ts";
import type { Tensor } from "../tensor.ts";
import { affordable, type SeparationContext } from "./context.ts";
import type { DecomposedLayer, DividedLayer } from "./decomposition.ts";
import type { Rewritten } from "./fits.ts";
import { logProbabilities, rowsOf } from "./heads.ts";
import { Runner, replaceNode } from "./network.ts";
import { isWritten } from "./write.ts";

/** Inputs that temperatures are found by, at most. */
const mostSamples = 600;
/** Temperatures are between these. */
const [least, most] = [0.5, 4];
/** Each makes that range shorter by a third and more. */
const steps = 24;
/** Below this share of the divergence a gain is not worth changing a layer. */
const leastGain = 0.01;
/** Operators between a layer and the scores that pass a factor on, or whose results tell no common offset. */
const passing = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Dropout", "Softmax"]);
const averaging = new Set(["LogSoftmax", "GlobalAveragePool", "AveragePool", "ReduceMean"]);

/** Scores of one input, and the probabilities that the original gives. */
interface Row {
  scores: Float64Array;
  wanted: Float64Array;
}

/** The network with the layers that give scores of classes divided by the temperature that loses least. */
export async function withConfidence(context: SeparationContext, rewritten: Rewritten): Promise<Rewritten> {
  const written = isWritten(context.model);
  const layers = [...context.heads].flatMap(([output, head]) => {
    const node = head.function === "divergence" ? scoringNode(rewritten.graph, output) : undefined;
    return node && written(node) ? [{ output, axis: head.axis, node }] : [];
  });
  if (!context.samples || layers.length === 0 || rewritten.decomposed.size === 0) return rewritten;
  const rows = await rowsOfRuns(context, rewritten.graph, layers);
  let { graph } = rewritten;
  const scaled = new Map<string, DividedLayer>();
  for (const { output, node } of layers) {
    const [y = ""] = node.outputs;
    const temperature = temperatureOf(rows.get(output)!);
    if (temperature === 1) continue;
    const layer = dividedBy(node, graph, temperature);
    scaled.set(y, { ...layer, output, temperature });
    graph = replaceNode(graph, y, layer.nodes, layer.constants);
  }
  return { ...rewritten, graph, scaled };
}

/** The dense layer of constant weights that an output's scores come from, if nothing else reads what is in between. */
function scoringNode({ nodes, outputs, constants }: Graph, output: string): GraphNode | undefined {
  for (let name = output; ; ) {
    const node = nodes.find((one) => one.outputs.includes(name));
    if (!node) return undefined;
    const readers = nodes.filter(({ inputs }) => inputs.includes(name)).length;
    const isOutput = outputs.some((one) => one.name === name);
    if (readers + Number(isOutput) !== 1) return undefined;
    if (node.op === "Gemm")
      return node.inputs.slice(1).every((one) => one === "" || constants.has(one)) ? node : undefined;
    if (!passing.has(node.op) && !averaging.has(node.op)) return undefined;
    name = node.inputs[0]!;
  }
}

async function rowsOfRuns(
  context: SeparationContext,
  graph: Graph,
  layers: readonly { output: string; axis: number }[],
): Promise<Map<string, Row[]>> {
  const { engine, samples, options } = context;
  const [before, after] = [new Runner(context.graph, engine), new Runner(graph, engine)];
  const rows = new Map(layers.map(({ output }) => [output, [] as Row[]]));
  try {
    for await (const inputs of samples!.some("fit", affordable(context, 1e11, 4, mostSamples))) {
      const [wanted, found] = [await before.run(inputs, options.signal), await after.run(inputs, options.signal)];
      for (const { output, axis } of layers) {
        const originals = rowsOf(wanted.get(output)!, axis);
        for (const [i, scores] of rowsOf(found.get(output)!, axis).entries())
          rows
            .get(output)!
            .push({ scores: logProbabilities(scores), wanted: logProbabilities(originals[i]!).map(Math.exp) });
      }
    }
  } finally {
    await before.dispose();
    await after.dispose();
  }
  return rows;
}

/**
 * The temperature of least divergence: 1 where another gains little. In its logarithm the divergence has one minimum, which is
 * searched for by the golden section. A few inputs say little: far from 1 it costs something.
 */
function temperatureOf(rows: readonly Row[]): number {
  const lossAt = (log: number): number => {
    const all = rows.reduce((sum, { scores, wanted }) => {
      const logs = logProbabilities(scores.map((score) => score / Math.exp(log)));
      return sum + wanted.reduce((own, p, i) => own + (p > 0 ? p * (Math.log(p) - logs[i]!) : 0), 0);
    }, 0);
    return (all + log ** 2) / rows.length;
  };
  let [from, to] = [Math.log(least), Math.log(most)];
  const ratio = (Math.sqrt(5) - 1) / 2;
  for (let i = 0; i < steps; i++) {
    const [a, b] = [to - ratio * (to - from), from + ratio * (to - from)];
    if (lossAt(a) < lossAt(b)) to = b;
    else from = a;
  }
  const found = (from + to) / 2;
  return lossAt(found) < (1 - leastGain) * lossAt(0) ? Math.exp(found) : 1;
}

/** A dense layer whose result is divided by a number. */
function dividedBy(node: GraphNode, { constants }: Graph, by: number): DecomposedLayer {
  const { alpha = 1, beta = 1, ...attributes } = node.attributes as { alpha?: number; beta?: number };
  const [x = "", weight = "", bias] = node.inputs;
  const [y = ""] = node.outputs;
  const times = (name: string, factor: number): Tensor => {
    const tensor = constants.get(name)!;
    return { shape: tensor.shape, data: Float32Array.from(numbersOf(tensor), (value) => value * factor) };
  };
  const made = new Map([[`${y}/divided.weight`, times(weight, alpha / by)]]);
  if (bias) made.set(`${y}/divided.bias`, times(bias, beta / by));
  return { nodes: [{ ...node, inputs: [x, ...made.keys()], attributes }], constants: made };
}
