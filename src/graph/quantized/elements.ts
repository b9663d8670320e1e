// Rules of quantised operators that do not multiply inputs with each other, and of those that leave every element what it is.
import { numberOf, textOf } from "../nodes.ts";
import type { GraphNode } from "../types.ts";
import { type Expansion, ranges, type Scaled } from "./expansion.ts";
import { linearOperators, operandsOf, realNode } from "./linear.ts";
import { quantizeDynamically, type Rule, scaledBy } from "./products.ts";

const quantize: Rule = (e, node) => {
  const [x, scale, zero] = node.inputs as [string, string, string | undefined];
  const [y, step, scaled] = [node.outputs[0]!, e.scalar(scale), e.scaled.get(x)];
  const offset = e.scalar(zero || undefined, 0);
  const range = ranges[e.specs.get(y)!.dtype];
  if (step === undefined || offset === undefined || !range || e.specs.get(x)!.dtype !== "f32") return false;
  if (scaled && !scaled.range) {
    const factors = scaled.factors.map((factor) => Math.fround(factor / step));
    return e.quantize(y, scaled.name, scale, zero || undefined, { ...scaled, factors });
  }
  const [low, high] = scaled?.range ?? [-Infinity, Infinity];
  if (scaled && scaled.factors[0] === step && low >= range[0] - offset && high <= range[1] - offset) {
    e.held.set(y, { name: scaled.name, dtype: e.specs.get(y)!.dtype, zero: offset });
    return true;
  }
  return e.quantize(y, e.need(x), scale, zero || undefined);
};

const dequantize: Rule = (e, node) => {
  const [x, scale, zero] = node.inputs as [string, string, string | undefined];
  const y = node.outputs[0]!;
  if (numberOf(node, "block_size", 0) !== 0 || e.specs.get(y)!.dtype !== "f32") return false;
  if (e.known(x)) {
    e.weights.set(y, node);
    return false;
  }
  const factor = e.scalar(scale);
  if (e.quantized === "float" || factor === undefined) {
    const real = e.specs.get(scale)!.shape.length > 0 && !factor ? undefined : e.real(x, scale, zero || undefined);
    if (real) e.emit("Identity", [real], y);
    return real !== undefined;
  }
  const [offset, range] = [e.zeroOf(zero || undefined), ranges[e.specs.get(x)!.dtype]];
  const bounds = range && typeof offset === "number" && ([range[0] - offset, range[1] - offset] as [number, number]);
  const name = e.centred(x, zero || undefined);
  e.scaled.set(y, { name, factors: [factor], axis: 0, ...(bounds && { range: bounds }) });
  return true;
};

const dynamic: Rule = (e, node) => {
  const [y, scale, zero] = node.outputs as [string, string, string];
  const unnamed = (name: string | undefined, what: string): string => name || `${node.outputs.join()}: ${what}`;
  const x = e.need(node.inputs[0]!);
  quantizeDynamically(e, x, unnamed(y, "y"), unnamed(scale, "scale"), unnamed(zero, "zero"));
  return true;
};

/** To floats, where these are at hand. */
const cast: Rule = (e, node) => {
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const [held, pending] = [e.held.get(x), e.pending.get(x)];
  if (e.specs.get(y)!.dtype !== "f32") return false;
  if (pending) e.pending.set(y, pending);
  else if (held && held.zero === 0 && !held.scale) e.emit("Identity", [held.name], y);
  else return false;
  return true;
};

/** A sum whose factor is that of its scales is one of real numbers. */
const multiply: Rule = (e, { inputs, outputs: [y] }) => {
  const [a, b] = inputs as [string, string];
  for (const [x, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (e.dynamicScales.has(x)) e.scaleProducts.set(y!, { scale: x, by: other });
    const [pending, product] = [e.pending.get(x), e.scaleProducts.get(other)];
    const by = e.known(product?.by);
    if (!pending || !by || product!.scale !== pending.scale) continue;
    const axis = pending.op === "Conv" ? 0 : 1;
    if (by.length > 1 && (by.length !== pending.weight.shape[axis] || pending.op === "Conv")) continue;
    e.constants.set(`${y}: weights`, scaledBy(pending.weight, by, axis));
    e.emit(pending.op, [pending.from, `${y}: weights`], y!, pending.attributes);
    return true;
  }
  return false;
};

/** By ONNX Runtime's definition: on the real numbers, and back. */
const linear: Rule = (e, node) => {
  const y = node.outputs[0]!;
  const [scale, zero] = linearOperators[node.op]!.result.map((i) => node.inputs[i] || undefined);
  const triples = operandsOf(node).map((triple) => triple.map((i) => node.inputs[i] || undefined));
  const known = [[y, scale, zero], ...triples].every(
    ([, scale, zero]) => e.scalar(scale) !== undefined && e.scalar(zero, 0) !== undefined,
  );
  if (!known) return false;
  const reals = triples.map(([x, scale, zero]) => e.real(x!, scale!, zero, `${y}: of ${x}`)!);
  const plain = realNode(node, reals, `${y}: computed`);
  e.emitAs(plain, plain.inputs, plain.outputs);
  return e.quantize(y, `${y}: computed`, scale!, zero);
};

/** How many first inputs are values; the others say how they are moved. */
const movers: Readonly<Record<string, (node: GraphNode) => number>> = {
  ...Object.fromEntries(
    ["Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Split", "Gather", "Identity"]
      .concat(["DepthToSpace", "SpaceToDepth", "Expand", "Tile", "MaxPool"])
      .map((op) => [op, () => 1]),
  ),
  Resize: (node) => (textOf(node, "mode", ["nearest", "linear", "cubic"]) === "nearest" ? 1 : 0),
  Concat: ({ inputs }) => inputs.length,
};

/** What only moves elements, or takes the largest, moves those that stand for them. */
const move: Rule = (e, node) => {
  const count = movers[node.op]!(node);
  if (count === 0 || (node.op === "MaxPool" && node.outputs.length > 1)) return false;
  const values = node.inputs.slice(0, count);
  const known = e.specs.get(node.outputs[0]!)?.data !== undefined;
  if (known || !(moveHeld(e, node, values) || moveScaled(e, node, values))) return false;
  return true;
};

function moved(e: Expansion, node: GraphNode, names: readonly string[]): void {
  const others = node.inputs.slice(names.length);
  for (const name of others) if (name !== "") e.need(name);
  const outputs = node.outputs.map((name) => name && `${name}: moved`);
  e.emitAs(node, [...names, ...others], outputs);
}

function moveHeld(e: Expansion, node: GraphNode, values: readonly string[]): boolean {
  const all = values.map((name) => e.held.get(name));
  const [first] = all;
  if (!first || all.some((one) => one?.zero !== first.zero || one.scale !== first.scale)) return false;
  moved(
    e,
    node,
    all.map((one) => one!.name),
  );
  for (const name of node.outputs) if (name) e.held.set(name, { ...first, name: `${name}: moved` });
  return true;
}

function moveScaled(e: Expansion, node: GraphNode, values: readonly string[]): boolean {
  const all = values.map((name) => e.scaled.get(name));
  const [first] = all;
  if (first?.factors.length !== 1 || !first.range) return false;
  if (all.some((one) => one?.factors.join() !== first.factors.join() || one.range?.join() !== first.range!.join()))
    return false;
  moved(
    e,
    node,
    all.map((one) => one!.name),
  );
  for (const name of node.outputs) if (name) e.scaled.set(name, { ...first, name: `${name}: moved` });
  return true;
}

/** Scales are above 0: what is above 0 stays so. */
const relu: Rule = (e, node) => {
  const [scaled, y] = [e.scaled.get(node.inputs[0]!), node.outputs[0]!];
  if (!scaled) return false;
  if (!scaled.range) {
    e.scaled.set(y, { ...scaled, positive: true });
    return true;
  }
  e.emitAs(node, [scaled.name], [`${y}: held`]);
  const range = scaled.range.map((bound) => Math.max(0, bound)) as unknown as Scaled["range"];
  e.scaled.set(y, { ...scaled, name: `${y}: held`, range });
  return true;
};

export const elementRules: Readonly<Record<string, Rule>> = {
  ...{ QuantizeLinear: quantize, DequantizeLinear: dequantize, DynamicQuantizeLinear: dynamic },
  ...{ "com.microsoft.QuantizeLinear": quantize, "com.microsoft.DequantizeLinear": dequantize },
  ...{ Cast: cast, Mul: multiply, Relu: relu },
  ...Object.fromEntries(Object.keys(linearOperators).map((op) => [op, linear])),
  ...Object.fromEntries(Object.keys(movers).map((op) => [op, move])),
};
