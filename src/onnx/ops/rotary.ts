// RotaryEmbedding: pairs of elements of each head, turned by an angle that depends on where in the sequence they stand.
import { Nodes } from "../../graph/expand.ts";
import { countOf, floats, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { Expanded, GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { asFloat64, numbersOf, sizeOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";

type Inputs<T extends Spec = Spec> = readonly (T | undefined)[];

interface Turned {
  batch: number;
  heads: number;
  rows: number;
  size: number;
  /** Elements of each head that are turned, two by two. */
  turned: number;
  /** Heads lie beside each other in a row. */
  flat: boolean;
  interleaved: boolean;
}

function turnedOf(node: GraphNode, inputs: Inputs): Turned {
  const { dtype, shape } = required(node, inputs, 0, floats);
  const flat = shape.length === 3;
  if (!flat && shape.length !== 4) refuse(node, "three axes, or four", shape);
  const heads = flat ? countOf(node, "num_heads") : shape[1]!;
  const [batch, rows] = flat ? [shape[0]!, shape[1]!] : [shape[0]!, shape[2]!];
  const size = flat ? shape[2]! / heads : shape[3]!;
  if (!Number.isInteger(size)) refuse(node, `rows of ${heads} heads`, shape);
  const turned = numberOf(node, "rotary_embedding_dim", 0) || size;
  if (turned % 2 !== 0 || turned < 0 || turned > size)
    refuse(node, `an even number of up to ${plural(size, "element")}`, turned);
  const [cos, sin] = [1, 2].map((i) => required(node, inputs, i, [dtype])) as [Spec, Spec];
  const [places, half] = [inputs[3], turned / 2];
  const expected = places ? [cos.shape[0], half] : [batch, rows, half];
  for (const one of [cos, sin])
    if (`${one.shape}` !== `${expected}`) refuse(node, `cosines and sines of [${expected}]`, one.shape);
  if (places && `${required(node, inputs, 3, ["i64"]).shape}` !== `${[batch, rows]}`)
    refuse(node, `positions of [${[batch, rows]}]`, places.shape);
  return { batch, heads, rows, size, turned, flat, interleaved: numberOf(node, "interleaved", 0) !== 0 };
}

function run(node: GraphNode, inputs: Inputs<Value>, [y]: readonly Value[]): void {
  const { batch, heads, rows, size, turned, flat, interleaved } = turnedOf(node, inputs);
  const [x, cos, sin] = inputs.slice(0, 3).map((input) => asFloat64(input!)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const places = inputs[3] && numbersOf(inputs[3]);
  const [half, count] = [turned / 2, inputs[1]!.shape[0]!];
  const out = Float64Array.from(x);
  for (let row = 0; row < batch * heads * rows; row++) {
    const b = Math.floor(row / heads / rows);
    const s = flat ? Math.floor(row / heads) % rows : row % rows;
    const place = places ? places[b * rows + s]! : b * rows + s;
    if (places && (place < 0 || place >= count)) refuse(node, `positions below ${count}`, place);
    for (let i = 0; i < half; i++) {
      const first = row * size + (interleaved ? 2 * i : i);
      const second = first + (interleaved ? 1 : half);
      const [c, s] = [cos[place * half + i]!, sin[place * half + i]!];
      out[first] = c * x[first]! - s * x[second]!;
      out[second] = s * x[first]! + c * x[second]!;
    }
  }
  write(y!, out);
}

/** Slices, products and sums; where positions say which angles, if they are known. */
function expand(node: GraphNode, inputs: Inputs): Expanded | undefined {
  const { batch, heads, rows, size, turned, flat, interleaved } = turnedOf(node, inputs);
  const places = inputs[3];
  if (inputs[0]!.dtype !== "f32" || (places && !places.data) || sizeOf(inputs[0]!.shape) === 0) return undefined;
  if (places?.data && numbersOf(places as Value).some((place) => place < 0 || place >= inputs[1]!.shape[0]!))
    return undefined;
  const n = new Nodes(node);
  const [x, cosines, sines, positions] = node.inputs as [string, string, string, string?];
  const half = turned / 2;
  const angles = (name: string): string => {
    const own = places ? n.add("Gather", [name, positions!], { axis: 0 }) : name;
    return n.reshape(own, flat ? [batch, rows, 1, half] : [batch, 1, rows, half]);
  };
  const [cos, sin] = [angles(cosines), angles(sines)];
  const list = (value: number): string => n.constant([value], [1], "i64");
  const slice = (from: string, start: number, end: number, step = 1): string =>
    n.add("Slice", [from, list(start), list(end), list(3), list(step)]);
  const whole = flat ? n.reshape(x, [batch, rows, heads, size]) : x;
  const [first, second] = interleaved
    ? [slice(whole, 0, turned, 2), slice(whole, 1, turned, 2)]
    : [slice(whole, 0, half), slice(whole, half, turned)];
  const product = (a: string, b: string): string => n.add("Mul", [a, b]);
  const turnedParts = [
    n.add("Sub", [product(cos, first), product(sin, second)]),
    n.add("Add", [product(sin, first), product(cos, second)]),
  ];
  const sides = flat ? [batch, rows, heads] : [batch, heads, rows];
  const pair = (name: string): string => n.reshape(name, [...sides, half, 1]);
  const parts = interleaved
    ? [n.reshape(n.add("Concat", turnedParts.map(pair), { axis: 4 }), [...sides, turned])]
    : turnedParts;
  if (turned < size) parts.push(slice(whole, turned, size));
  const last = flat || parts.length === 1 ? undefined : 0;
  const joined = parts.length === 1 ? parts[0]! : n.add("Concat", parts, { axis: 3 }, last);
  if (last === undefined) n.reshape(joined, inputs[0]!.shape, 0);
  return n;
}

export const rotaryEmbedding: Operator = {
  name: "RotaryEmbedding",
  infer: (node, inputs) => {
    turnedOf(node, inputs);
    const { dtype, shape } = inputs[0]!;
    return [{ dtype, shape }];
  },
  run,
  expand,
};
