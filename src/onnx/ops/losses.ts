// NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: what networks were trained with.
import { floats, numberOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { numbersOf, sizeOf, write } from "../../graph/values.ts";

function checked(node: GraphNode, inputs: readonly (Spec | undefined)[]): Spec[] {
  const { dtype, shape } = required(node, inputs, 0, floats);
  const target = required(node, inputs, 1, ["i32", "i64"]).shape;
  if (`${target}` !== `${shape.toSpliced(1, 1)}`) refuse(node, `a target [${shape.toSpliced(1, 1)}]`, target);
  const weight = inputs[2] && required(node, inputs, 2, [dtype]).shape;
  if (weight && `${weight}` !== `${shape[1]}`) refuse(node, `${shape[1]} weights`, weight);
  const reduction = textOf(node, "reduction", ["mean", "sum", "none"]);
  return [
    { dtype, shape: reduction === "none" ? target : [] },
    { dtype, shape },
  ];
}

/** Losses by the logarithms of probabilities [n, classes, ...]. */
function lossOf(node: GraphNode, logs: Float64Array, inputs: readonly (Value | undefined)[], y: Value): void {
  const [, target, weight] = inputs;
  const classes = inputs[0]!.shape[1]!;
  const places = sizeOf(inputs[0]!.shape.slice(2));
  const ignored = node.attributes.ignore_index === undefined ? undefined : numberOf(node, "ignore_index");
  const weights = weight && numbersOf(weight);
  let total = 0;
  const losses = Float64Array.from(numbersOf(target!), (kind, i) => {
    if (kind === ignored) return 0;
    if (!(kind >= 0 && kind < classes)) return refuse(node, `classes below ${classes}`, kind);
    const own = weights ? weights[kind]! : 1;
    total += own;
    return -own * logs[(Math.floor(i / places) * classes + kind) * places + (i % places)]!;
  });
  const reduction = textOf(node, "reduction", ["mean", "sum", "none"]);
  const sum = losses.reduce((all, loss) => all + loss, 0);
  write(y, reduction === "none" ? losses : [reduction === "sum" ? sum : sum / total]);
}

function logSoftmax(x: Value): Float64Array {
  const [data, classes, places] = [numbersOf(x), x.shape[1]!, sizeOf(x.shape.slice(2))];
  const logs = new Float64Array(data.length);
  for (let first = 0; first < data.length; first += classes * places) {
    for (let start = first; start < first + places; start++) {
      let [most, sum] = [Number.NEGATIVE_INFINITY, 0];
      for (let c = 0; c < classes; c++) most = Math.max(most, data[start + c * places]!);
      for (let c = 0; c < classes; c++) sum += Math.exp(data[start + c * places]! - most);
      for (let c = 0; c < classes; c++) logs[start + c * places] = data[start + c * places]! - most - Math.log(sum);
    }
  }
  return logs;
}

export const losses: readonly Operator[] = [
  {
    name: "NegativeLogLikelihoodLoss",
    infer: (node, inputs) => checked(node, inputs).slice(0, 1),
    run: (node, inputs, [y]) => lossOf(node, numbersOf(inputs[0]!), inputs, y!),
  },
  {
    name: "SoftmaxCrossEntropyLoss",
    infer: checked,
    run: (node, inputs, [y, logs]) => {
      const all = logSoftmax(inputs[0]!);
      lossOf(node, all, inputs, y!);
      if (logs) write(logs, all);
    },
  },
];
