// Attention: softmax(Q Kᵀ · scale + bias) V for each head, after ONNX's sets 23 and 24, and the window of set 25.
import type { Steps } from "../../engine/turns.ts";
import { Nodes } from "../../graph/expand.ts";
import { countOf, floats, numberOf, refuse, required, reshaped, unsupported } from "../../graph/nodes.ts";
import type { Expanded, GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { asFloat64, numbersOf, sizeOf, write } from "../../graph/values.ts";
import { broadcastShape, broadcastStrides } from "./loops.ts";
import { permuted } from "./pick.ts";
import { copyView } from "./words.ts";

type Inputs<T extends Spec = Spec> = readonly (T | undefined)[];

interface Heads {
  batch: number;
  /** Of queries; each `group` of them shares one head of keys and values. */
  heads: number;
  keyHeads: number;
  group: number;
  queries: number;
  /** With those of the past. */
  keys: number;
  past: number;
  size: number;
  valueSize: number;
}

/** [batch, heads, rows, size] of an input; in three axes heads lie beside each other in a row. */
function sidesOf(node: GraphNode, { shape }: Spec, name: string): number[] {
  if (shape.length === 4) return [...shape];
  const heads = countOf(node, name);
  const [batch, rows, width] = shape as [number, number, number];
  return width % heads === 0 ? [batch, heads, rows, width / heads] : refuse(node, `rows of ${heads} heads`, shape);
}

function headsOf(node: GraphNode, inputs: Inputs): Heads {
  const q = required(node, inputs, 0, floats);
  const [k, v] = [1, 2].map((i) => required(node, inputs, i, [q.dtype])) as [Spec, Spec];
  const [mask, pastKey, pastValue, lengths] = inputs.slice(3);
  const rank = q.shape.length;
  if (rank < 3 || rank > 4 || k.shape.length !== rank || v.shape.length !== rank)
    refuse(
      node,
      "queries, keys and values of three axes each, or four",
      [q, k, v].map(({ shape }) => `[${shape}]`).join(", "),
    );
  const [batch, heads, queries, size] = sidesOf(node, q, "q_num_heads") as [number, number, number, number];
  const [, keyHeads, own] = sidesOf(node, k, "kv_num_heads") as [number, number, number];
  const valueSize = sidesOf(node, v, "kv_num_heads")[3]!;
  const expect = (input: Spec, name: string, shape: readonly number[]): void => {
    if (`${sidesOf(node, input, "kv_num_heads")}` !== `${shape}`) refuse(node, `${name} of [${shape}]`, input.shape);
  };
  expect(k, "keys", [batch, keyHeads, own, size]);
  expect(v, "values", [batch, keyHeads, own, valueSize]);
  if (heads % keyHeads !== 0) refuse(node, "as many heads of queries for each head of keys", [heads, keyHeads]);
  if (!pastKey !== !pastValue) refuse(node, "past keys and past values together", "one of them");
  const past = pastKey?.shape[2] ?? 0;
  if (pastKey) expect(required(node, inputs, 4, [q.dtype]), "past keys", [batch, keyHeads, past, size]);
  if (pastValue) expect(required(node, inputs, 5, [q.dtype]), "past values", [batch, keyHeads, past, valueSize]);
  const keys = past + own;
  if (mask) checkMask(node, required(node, inputs, 3, [q.dtype, "bool"]), [batch, heads, queries, keys]);
  if (lengths && pastKey) refuse(node, "a past or lengths of keys", "both");
  if (lengths && `${required(node, inputs, 6, ["i64"]).shape}` !== `${batch}`)
    refuse(node, `${batch} lengths of keys`, lengths.shape);
  checkAttributes(node);
  return { batch, heads, keyHeads, group: heads / keyHeads, queries, keys, past, size, valueSize };
}

/** A mask may be of fewer keys than there are: the rest is hidden. */
function checkMask(node: GraphNode, mask: Spec, shape: readonly number[]): void {
  const wide = reshaped(mask, mask.shape.with(-1, Math.max(1, shape.at(-1)!)));
  const fits = mask.shape.length > 0 && mask.shape.at(-1)! <= shape.at(-1)!;
  if (!fits || `${broadcastShape(node, [{ dtype: mask.dtype, shape }, wide])}` !== `${shape}`)
    refuse(node, `a mask that fits [${shape}]`, mask.shape);
}

/** f32, f16, f64 and bf16, by their numbers in ONNX. */
const precisions = [1, 10, 11, 16];

function checkAttributes(node: GraphNode): void {
  const { softmax_precision: precision } = node.attributes;
  if (precision !== undefined && !precisions.includes(numberOf(node, "softmax_precision")))
    unsupported(node, "softmax_precision as a type of floats", String(precision));
  const mode = numberOf(node, "qk_matmul_output_mode", 0);
  if (![0, 1, 2, 3].includes(mode)) refuse(node, "0, 1, 2 or 3 as qk_matmul_output_mode", mode);
  for (const name of ["left_window_size", "right_window_size"]) {
    const side = numberOf(node, name, -1);
    if (!Number.isInteger(side) || side < -1) refuse(node, `-1 or a count as ${name}`, side);
  }
}

/** Whether a query may look at a key, by their positions; undefined where all may look at all. */
function reachOf(node: GraphNode): ((query: number, key: number) => boolean) | undefined {
  const causal = numberOf(node, "is_causal", 0) !== 0;
  const [left, right] = ["left", "right"].map((side) => {
    const count = numberOf(node, `${side}_window_size`, -1);
    return count < 0 ? Number.POSITIVE_INFINITY : count;
  }) as [number, number];
  const ahead = causal ? 0 : right;
  if (ahead === Number.POSITIVE_INFINITY && left === ahead) return undefined;
  return (query, key) => query - key <= left && key - query <= ahead;
}

const hidden = Number.NEGATIVE_INFINITY;

/** What is added to the product of a query and a key: of `mask`, of how far queries see, and of `lengths` of keys. */
function biasOf(node: GraphNode, { batch, heads, queries, past }: Heads, mask?: Value, lengths?: Value) {
  const own = mask ? numbersOf(mask) : undefined;
  const width = mask?.shape.at(-1) ?? 0;
  const [s0, s1, s2, s3] = mask ? broadcastStrides(mask.shape, [batch, heads, queries, width]) : [0, 0, 0, 0];
  const counts = lengths && numbersOf(lengths);
  const reach = reachOf(node);
  return (b: number, h: number, query: number, key: number): number => {
    const first = counts ? counts[b]! - queries : past;
    if ((counts && key >= counts[b]!) || (reach && !reach(first + query, key))) return hidden;
    if (!own) return 0;
    if (key >= width) return hidden;
    const value = own[b * s0! + h * s1! + query * s2! + key * s3!]!;
    return mask!.dtype !== "bool" ? value : value ? 0 : hidden;
  };
}

/** The elements with heads before rows. */
function byHeads(value: Value, [batch, heads, rows, size]: readonly number[]): Float64Array {
  const data = asFloat64(value);
  if (value.shape.length === 4) return data;
  const found = new Float64Array(data.length);
  copyView(found, data, permuted([batch!, rows!, heads!, size!], [0, 2, 1, 3]));
  return found;
}

/** Rows of each head after those of its past. */
function afterPast(past: Value | undefined, now: Float64Array, each: number): Float64Array {
  if (!past || past.data.length === 0) return now;
  const before = asFloat64(past);
  const own = each - (each * before.length) / (before.length + now.length);
  const found = new Float64Array(before.length + now.length);
  for (let at = 0, h = 0; at < found.length; at += each, h++) {
    found.set(before.subarray(h * (each - own), (h + 1) * (each - own)), at);
    found.set(now.subarray(h * own, (h + 1) * own), at + each - own);
  }
  return found;
}

const scaleOf = (node: GraphNode, { size }: Heads): number => numberOf(node, "scale", 1 / Math.sqrt(size));

function* run(node: GraphNode, inputs: Inputs<Value>, outputs: readonly Value[]): Steps {
  const sizes = headsOf(node, inputs);
  const { batch, heads, keyHeads, group, queries, keys, past, size, valueSize } = sizes;
  const [q, k, v, mask, pastKey, pastValue, lengths] = inputs as [Value, Value, Value, ...(Value | undefined)[]];
  const query = byHeads(q, [batch, heads, queries, size]);
  const key = afterPast(pastKey, byHeads(k, [batch, keyHeads, keys - past, size]), keys * size);
  const value = afterPast(pastValue, byHeads(v, [batch, keyHeads, keys - past, valueSize]), keys * valueSize);
  const [bias, scale, softcap] = [
    biasOf(node, sizes, mask, lengths),
    scaleOf(node, sizes),
    numberOf(node, "softcap", 0),
  ];
  const [y, presentKey, presentValue, products] = outputs;
  const found = new Float64Array(batch * heads * queries * valueSize);
  const stages = [0, 1, 2, 3].map(() => new Float64Array(keys));
  const [plain, capped, biased, shares] = stages as [Float64Array, Float64Array, Float64Array, Float64Array];
  const mode = numberOf(node, "qk_matmul_output_mode", 0);
  for (let row = 0; row < batch * heads * queries; row++) {
    if (row % 16 === 0) yield;
    const [i, h, b] = [row % queries, Math.floor(row / queries) % heads, Math.floor(row / queries / heads)];
    const first = (b * keyHeads + Math.floor(h / group)) * keys;
    let [most, seen] = [hidden, false];
    for (let j = 0; j < keys; j++) {
      let sum = 0;
      for (let d = 0; d < size; d++) sum += query[row * size + d]! * key[(first + j) * size + d]!;
      plain[j] = sum * scale;
      capped[j] = softcap > 0 ? softcap * Math.tanh(plain[j]! / softcap) : plain[j]!;
      const added = bias(b, h, i, j);
      biased[j] = capped[j]! + added;
      most = Math.max(most, biased[j]!);
      seen ||= added !== hidden;
    }
    let total = 0;
    for (let j = 0; j < keys; j++) total += shares[j] = seen ? Math.exp(biased[j]! - most) : 0;
    for (let j = 0; j < keys; j++) {
      shares[j] = seen ? shares[j]! / total : 0;
      for (let d = 0; d < valueSize; d++)
        found[row * valueSize + d]! += shares[j]! * value[(first + j) * valueSize + d]!;
    }
    if (products) write(products, stages[mode]!, row * keys);
  }
  write(y!, y!.shape.length === 4 ? found : byRows(found, [batch, heads, queries, valueSize]));
  if (presentKey) write(presentKey, key);
  if (presentValue) write(presentValue, value);
}

/** The elements with rows before heads. */
function byRows(data: Float64Array, sides: readonly number[]): Float64Array {
  const found = new Float64Array(data.length);
  copyView(found, data, permuted(sides, [0, 2, 1, 3]));
  return found;
}

/** Products, sums and a softmax. Lengths of keys are left to the host. */
function expand(node: GraphNode, inputs: Inputs): Expanded | undefined {
  const sizes = headsOf(node, inputs);
  const { batch, heads, keyHeads, group, queries, keys, past, size, valueSize } = sizes;
  const flat = inputs[0]!.shape.length === 3;
  if (inputs[0]!.dtype !== "f32" || inputs[6] || sizeOf([batch, heads, queries, keys, size, valueSize]) === 0)
    return undefined;
  const n = new Nodes(node);
  const [q, k, v, mask, pastKey, pastValue] = node.inputs as [string, string, string, string?, string?, string?];
  const apart = (from: string, sides: readonly number[], output?: number): string => {
    if (!flat) return output === undefined ? from : n.add("Identity", [from], {}, output);
    const [images, each, rows, width] = sides as [number, number, number, number];
    return n.add("Transpose", [n.reshape(from, [images, rows, each, width])], { perm: [0, 2, 1, 3] }, output);
  };
  const present = (name: string, before: string | undefined, output: number, width: number): string => {
    const own = n.wants(output) ? output : undefined;
    const sides = [batch, keyHeads, keys - past, width];
    return before ? n.add("Concat", [before, apart(name, sides)], { axis: 2 }, own) : apart(name, sides, own);
  };
  const key = present(k, pastKey, 1, size);
  const value = present(v, pastValue, 2, valueSize);
  const scaled = n.add("Mul", [q, n.constant([scaleOf(node, sizes)], [])]);
  // All heads of a group are rows of one matrix.
  const together = (from: string, width: number): string =>
    group === 1 ? from : n.reshape(from, [batch, keyHeads, group * queries, width]);
  const each = (from: string, width: number): string =>
    group === 1 ? from : n.reshape(from, [batch, heads, queries, width]);
  const query = together(apart(scaled, [batch, heads, queries, size]), size);
  const stages = [each(n.add("MatMul", [query, n.add("Transpose", [key], { perm: [0, 1, 3, 2] })]), keys)];
  const softcap = numberOf(node, "softcap", 0);
  const cap = n.constant([softcap], []);
  const inCap = (from: string): string => n.add("Mul", [n.add("Tanh", [n.add("Div", [from, cap])]), cap]);
  stages.push(softcap > 0 ? inCap(stages[0]!) : stages[0]!);
  const bias = addBias(n, node, sizes, mask ? { name: mask, spec: inputs[3]! } : undefined);
  stages.push(bias ? n.add("Add", [stages[1]!, bias.name]) : stages[1]!);
  const shares = n.add("Softmax", [stages[2]!], { axis: -1 });
  stages.push(bias?.hides ? n.add("Where", [bias.hides, n.constant([0], []), shares]) : shares);
  if (n.wants(3)) n.add("Identity", [stages[numberOf(node, "qk_matmul_output_mode", 0)]!], {}, 3);
  const product = [together(stages[3]!, keys), value];
  if (group === 1 && !flat) n.add("MatMul", product, {}, 0);
  else if (!flat) n.reshape(n.add("MatMul", product), [batch, heads, queries, valueSize], 0);
  else {
    const rows = n.add("Transpose", [each(n.add("MatMul", product), valueSize)], { perm: [0, 2, 1, 3] });
    n.reshape(rows, [batch, queries, heads * valueSize], 0);
  }
  return n;
}

interface Bias {
  name: string;
  /** Says of each row whether all keys are hidden, where that may be. */
  hides?: string;
}

function addBias(n: Nodes, node: GraphNode, sizes: Heads, mask?: { name: string; spec: Spec }): Bias | undefined {
  const { queries, keys, past } = sizes;
  const parts: string[] = [];
  const infinity = n.constant([hidden], []);
  if (mask) {
    const { name, spec } = mask;
    const rank = spec.shape.length;
    const floats = spec.dtype === "bool" ? n.add("Where", [name, n.constant([0], []), infinity]) : name;
    const pads = Array.from({ length: 2 * rank }, (_, i) => (i === 2 * rank - 1 ? keys - spec.shape.at(-1)! : 0));
    const whole = spec.shape.at(-1) === keys;
    parts.push(whole ? floats : n.add("Pad", [floats, n.constant(pads, [2 * rank], "i64"), infinity]));
  }
  const reach = reachOf(node);
  if (reach) {
    const at = (i: number): number => (reach(past + Math.floor(i / keys), i % keys) ? 0 : hidden);
    parts.push(
      n.constant(
        Float32Array.from({ length: queries * keys }, (_, i) => at(i)),
        [queries, keys],
      ),
    );
  }
  if (parts.length === 0) return undefined;
  const name = parts.length > 1 ? n.add("Add", parts) : parts[0]!;
  if (!mayHideAll(node, sizes, mask?.spec)) return { name };
  const most = n.add("ReduceMax", [name], { axes: [-1], keepdims: 1 });
  return { name, hides: n.add("Equal", [most, infinity]) };
}

/** Whether no key may be seen by some query: a mask that is computed may be so. */
function mayHideAll(node: GraphNode, sizes: Heads, mask?: Spec): boolean {
  if (mask && !mask.data) return true;
  const { batch, heads, queries, keys } = sizes;
  const bias = biasOf(node, sizes, mask as Value | undefined);
  // Only axes along which the mask differs.
  const [images = 1, each = 1] = mask ? [...[1, 1, 1, 1], ...mask.shape].slice(-4) : [];
  for (let b = 0; b < Math.min(batch, images); b++)
    for (let h = 0; h < Math.min(heads, each); h++)
      for (let i = 0; i < queries; i++) {
        let j = 0;
        while (j < keys && bias(b, h, i, j) === hidden) j++;
        if (j === keys) return true;
      }
  return false;
}

export const attention: Operator = {
  name: "Attention",
  infer: (node, inputs) => {
    const { batch, heads, keyHeads, queries, keys, size, valueSize } = headsOf(node, inputs);
    const { dtype, shape } = inputs[0]!;
    const y = shape.length === 4 ? [batch, heads, queries, valueSize] : [batch, queries, heads * valueSize];
    const others = [
      [batch, keyHeads, keys, size],
      [batch, keyHeads, keys, valueSize],
      [batch, heads, queries, keys],
    ];
    return [y, ...others].map((sides) => ({ dtype, shape: sides }));
  },
  run,
  expand,
};
