// What each place of a node's results sees of its inputs, along the rows and the columns of a picture: whether a network can
// be run by tiles follows from that. What sees all of a picture is refused, by the node's name.
import { expressionOperators } from "../expressions.ts";
import { axisOf, integersOf, listOf, numberOf } from "../nodes.ts";
import type { GraphNode } from "../types.ts";
import { numbersOf } from "../values.ts";
import { type Axis, transposedWindow, windowOf } from "../window.ts";
import { sightsOfCopies } from "./copies.ts";
import { type Field, noTiles, type Reader, type Seen, type Sight } from "./seen.ts";

/** Where values differ from place to place and the picture does not say how, tiles cannot tell which place they are. */
function checkPlain(seen: Seen, input: number, axes: readonly number[]): void {
  const spec = seen.inputs[input];
  if (!spec || seen.fields[input]) return;
  const numbers = spec.data && numbersOf({ data: spec.data });
  const isSame = axes.every((axis) => (spec.shape[axis] ?? 1) === 1) || numbers?.every((one) => one === numbers[0]);
  if (!isSame) noTiles(seen, "a second operand that differs from place to place and is no picture");
}

type Rule = (seen: Seen) => readonly (Sight | undefined)[];

const same = [undefined, undefined] as const;
const seeing = (field: Field, inputs: readonly number[] = [0]): Sight => ({
  field,
  reads: inputs.map((input) => ({ input, along: same })),
});

/** Elements meet as NumPy broadcasts them: counted from the last axis. */
const elementwise: Rule = (seen) => {
  const { node, inputs, fields, outputs } = seen;
  const rank = outputs[0]!.shape.length;
  const isOld = node.opset < 7 && node.attributes.axis !== undefined;
  const shiftOf = (i: number): number =>
    isOld && i === 1 ? axisOf(node, numberOf(node, "axis"), rank) : rank - inputs[i]!.shape.length;
  const shown = fields.flatMap((field, i) => (field ? [i] : []));
  const field = fields[shown[0]!]!.map((axis) => axis + shiftOf(shown[0]!)) as unknown as Field;
  for (const [i, spec] of inputs.entries()) {
    if (!spec) continue;
    const own = field.map((axis) => axis - shiftOf(i));
    const given = fields[i];
    if (!given) checkPlain(seen, i, own);
    else if (given.some((axis, d) => axis !== own[d])) noTiles(seen, "rows and columns that meet other axes");
  }
  return [seeing(field, shown)];
};

/** Only the first input shows the picture, and each element of it becomes one. Others belong to channels or to all. */
const ofFirst: Rule = (seen) => {
  const { node, inputs, fields, outputs } = seen;
  if (!fields[0] || fields.slice(1).some(Boolean)) noTiles(seen, "parameters that are computed from the picture");
  const isQuantizing = /Quantize/.test(node.op) && (inputs[1]?.shape.length ?? 0) > 0;
  const axis = isQuantizing ? axisOf(node, numberOf(node, "axis", 1), inputs[0]!.shape.length) : 1;
  const perAxis = isQuantizing ? inputs[1]!.shape.some((side) => side > 1) : channelwise.has(node.op);
  if (perAxis && fields[0].includes(axis)) noTiles(seen, "parameters that differ from place to place");
  return outputs.map((_, i) => (i === 0 ? seeing(fields[0]!) : undefined));
};

/** Before operator set 7 the slope is one number a channel. */
const prelu: Rule = (seen) => (seen.node.opset < 7 ? ofFirst : elementwise)(seen);

/** Whose parameters or neighbours lie along axis 1. */
const channelwise = new Set(["BatchNormalization", "ImageScaler", "LRN", "PRelu"]);

const windowReader =
  ({ input, stride, dilation, size, before }: Axis): Reader =>
  (place) => {
    const taps: [number, number][] = [];
    for (let k = 0; k < size; k++) {
      const at = place * stride - before + k * dilation;
      if (at >= 0 && at < input) taps.push([at, k]);
    }
    return taps;
  };

/** Of the adjoint: the window's outputs are what is read. */
const transposedReader =
  ({ output, stride, dilation, size, before }: Axis): Reader =>
  (place) => {
    const taps: [number, number][] = [];
    for (let k = size - 1; k >= 0; k--) {
      const at = (place + before - k * dilation) / stride;
      if (Number.isInteger(at) && at >= 0 && at < output) taps.push([at, k]);
    }
    return taps;
  };

/** Convolutions and pools; `weight` is the input that has the size of the window, where no attribute has it. */
const windows =
  (x: number, weight?: number): Rule =>
  (seen) => {
    const { node, inputs, fields } = seen;
    const field = fields[x];
    if (!field || fields.some((one, i) => one && i !== x && i !== residual(node)))
      noTiles(seen, "weights that are computed from the picture");
    const { shape } = inputs[x]!;
    if (field.some((axis) => axis < 2)) noTiles(seen, "windows along other axes than the picture's");
    const isTransposed = node.op === "ConvTranspose";
    const size = weight === undefined ? listOf(node, "kernel_shape")! : inputs[weight]!.shape.slice(2);
    const axes = isTransposed
      ? transposedWindow(node, shape, size)
      : windowOf(node, shape, size, numberOf(node, "ceil_mode", 0) !== 0);
    const reader = isTransposed ? transposedReader : windowReader;
    const along = field.map((axis) => reader(axes[3 - shape.length + axis]!)) as unknown as Sight["reads"][0]["along"];
    const more = fields.flatMap((one, i) => (one && i !== x ? [{ input: i, along: same }] : []));
    if (more.some(({ input }) => fields[input]!.join() !== field.join())) noTiles(seen, "a residual of other axes");
    return [{ field, reads: [{ input: x, along }, ...more] }];
  };

/** The input that is added to a convolution's result. */
const residual = ({ op }: GraphNode): number | undefined => (op === "Conv" || op === "ConvTranspose" ? 3 : undefined);

/** What the operator itself says: which elements of each axis, and their weights. These are listed when somebody asks. */
const sampled: Rule = (seen) => {
  const { node, operators, inputs, fields } = seen;
  const field = fields[0];
  const say = operators.get(node.op)!.samples;
  if (!say || (node.op === "Pad" && (node.attributes.mode ?? "constant") === "constant")) return copied(seen);
  if (!field || fields.slice(1).some(Boolean)) noTiles(seen, "sizes that are computed from the picture");
  let samples: ReturnType<typeof say>;
  const along = field.map((axis): Reader => {
    return (place) => {
      samples ??= say(node, inputs) ?? noTiles(seen, "places that are computed");
      const list = samples[axis];
      return list ? (list[place] ?? []) : [[place, 0]];
    };
  });
  return [{ field, reads: [{ input: 0, along: along as unknown as Sight["reads"][0]["along"] }] }];
};

const copied: Rule = (seen) => {
  const sights = sightsOfCopies(seen);
  // What stands beside the picture's channels.
  if (seen.node.op === "Concat") for (const i of seen.inputs.keys()) checkPlain(seen, i, sights[0]?.field ?? []);
  return sights;
};

/** Along some axes all elements are seen; the rest see themselves. The result may be without these axes. */
function alongOthers(seen: Seen, axes: readonly number[], keeps: boolean, what: string): readonly Sight[] {
  const { fields, outputs } = seen;
  const field = fields[0];
  if (!field || fields.slice(1).some(Boolean)) noTiles(seen, "parameters that are computed from the picture");
  if (field.some((axis) => axes.includes(axis))) noTiles(seen, what);
  const shifted = keeps ? field : field.map((axis) => axis - axes.filter((one) => one < axis).length);
  return outputs.map(() => seeing(shifted as unknown as Field));
}

const rankOf = ({ inputs }: Seen): number => inputs[0]!.shape.length;

const reduced: Rule = (seen) => {
  const { node, inputs } = seen;
  const rank = rankOf(seen);
  const given = listOf(node, "axes") ?? integersOf(node, inputs[1], "axes") ?? [];
  const isNoop = given.length === 0 && numberOf(node, "noop_with_empty_axes", 0) !== 0;
  const axes = given.length > 0 || isNoop ? given.map((axis) => axisOf(node, axis, rank)) : [...inputs[0]!.shape.keys()];
  return alongOthers(seen, axes, numberOf(node, "keepdims", 1) !== 0, "one number of the whole picture");
}; // biome-ignore format: a line

/** Along one axis, or, where `toEnd`, along it and all that follow. */
const along =
  (fallback: number, { toEnd = () => false, keeps = () => true }: Lines = {}): Rule =>
  (seen) => {
    const [first, rank] = [numberOf(seen.node, "axis", fallback), rankOf(seen)];
    const axis = axisOf(seen.node, first, rank);
    const axes = toEnd(seen.node) ? Array.from({ length: rank - axis }, (_, i) => axis + i) : [axis];
    return alongOthers(seen, axes, keeps(seen.node), "lines along the rows or columns of the picture");
  };

interface Lines {
  toEnd?: (node: GraphNode) => boolean;
  keeps?: (node: GraphNode) => boolean;
}

const isBefore13 = ({ opset }: GraphNode): boolean => opset < 13;
const softmax: Rule = (seen) => along(isBefore13(seen.node) ? 1 : -1, { toEnd: isBefore13 })(seen);
const extreme = along(0, { keeps: (node) => numberOf(node, "keepdims", 1) !== 0 });

/** Products with a matrix that is given: places are rows of the other. */
const product: Rule = (seen) => {
  const { inputs, fields } = seen;
  const [field, other] = fields;
  if (!field || other || inputs[1]!.shape.length !== 2 || field.includes(rankOf(seen) - 1))
    noTiles(seen, "a product over places of the picture");
  return [seeing(field)];
};

const list = (names: string, rule: Rule): [string, Rule][] => names.split(" ").map((name) => [name, rule]);

const rules: ReadonlyMap<string, Rule> = new Map([
  ...expressionOperators.map((op): [string, Rule] => [op, elementwise]),
  ...list("BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitShift", elementwise),
  ...list("Identity Dropout Cast CastLike Clip BatchNormalization ImageScaler Affine LRN Shrink", ofFirst),
  ["PRelu", prelu],
  ...list("QuantizeLinear DequantizeLinear com.microsoft.QuantizeLinear com.microsoft.DequantizeLinear", ofFirst),
  ...list("com.microsoft.QLinearSigmoid com.microsoft.QLinearLeakyRelu", ofFirst),
  ...list("Conv ConvTranspose ConvInteger", windows(0, 1)),
  ...list("QLinearConv", windows(0, 3)),
  ...list("MaxPool AveragePool LpPool", windows(0)),
  ...list("Resize Upsample Pad", sampled),
  ...list("Transpose Reshape Squeeze Unsqueeze Flatten Concat Slice Split Expand Tile Gather", copied),
  ...list("DepthToSpace SpaceToDepth Crop CenterCropPad", copied),
  ...list("ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2", reduced),
  ...list("ReduceSumSquare ReduceLogSum ReduceLogSumExp", reduced),
  ...list("Softmax LogSoftmax Hardmax", softmax),
  ...list("ArgMax ArgMin", extreme),
  ...list("LpNormalization TopK", along(-1)),
  ...list("LayerNormalization RMSNormalization SimplifiedLayerNormalization", along(-1, { toEnd: () => true })),
  ...list("MatMul", product),
]);

/** What nodes see that are known not to fit. */
const reasons: readonly (readonly [RegExp, string])[] = [
  [/^Global/, "one number of the whole picture"],
  [/^(Instance|Group|MeanVariance)Norm/, "a norm over the whole picture"],
  [/^Dynamic/, "a range of the whole picture"],
  [/Attention|^Gemm|^Einsum/, "a product over places of the picture"],
  [/^(LSTM|GRU|RNN|Scan|Loop|If)$/, "networks inside it, or steps one after another"],
  [/^(GridSample|DeformConv|RoiAlign|MaxUnpool|Gather|Scatter)/, "places that are computed"],
];

/** How each result of a node sees its inputs; undefined of one that nobody may read. */
export function sightsOf(seen: Seen): readonly (Sight | undefined)[] {
  const { node } = seen;
  const rule = rules.get(node.op);
  if (!rule) noTiles(seen, reasons.find(([names]) => names.test(node.op))?.[1] ?? "an operator of which that is not known"); // biome-ignore format: a line
  return rule(seen);
}
