// A text recogniser like those of OCR: depthwise-separable layers with gates, rows pooled away, and classes for each column.
import { attribute, big, model, node, tensor, value } from "./build.ts";

type Attributes = Parameters<typeof node>[3];

const ints = (name: string, list: number[]) => attribute(name, { type: 7n, ints: big(list) });
const int = (name: string, i: number) => attribute(name, { type: 2n, i: BigInt(i) });

/** Pseudo-random numbers in -1..1. */
function numbers(count: number, state: number): Float32Array {
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

const raw = (data: Float32Array): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Nodes that read one another. */
class Builder {
  readonly nodes: Uint8Array[] = [];
  readonly initializers: Uint8Array[] = [];
  private count = 0;

  add(op: string, inputs: string[], more: Attributes = {}): string {
    const output = `${op} ${this.count++}`;
    this.nodes.push(node(op, inputs, [output], more));
    return output;
  }

  constant(dims: number[], of: (value: number) => number): string {
    const name = `constant ${this.count++}`;
    const size = dims.reduce((a, b) => a * b, 1);
    this.initializers.push(tensor(name, dims, { rawData: raw(numbers(size, this.count).map(of)) }));
    return name;
  }

  list(values: number[]): string {
    const name = `list ${this.count++}`;
    this.initializers.push(
      tensor(name, [values.length], { dataType: 7n, rawData: new Uint8Array(BigInt64Array.from(big(values)).buffer) }),
    );
    return name;
  }

  conv(x: string, [inputs, outputs]: [number, number], kernel: number, strides = [1, 1], group = 1): string {
    const fan = Math.sqrt(3 / ((inputs / group) * kernel * kernel));
    const weight = this.constant([outputs, inputs / group, kernel, kernel], (v) => v * fan);
    const pad = (kernel - 1) / 2;
    const lists = [ints("kernel_shape", [kernel, kernel]), ints("strides", strides), ints("pads", Array(4).fill(pad))];
    return this.add("Conv", [x, weight], { attribute: [...lists, int("group", group)] });
  }

  /** With the statistics of training. */
  norm(x: string, channels: number): string {
    const around = (middle: number, by: number) => this.constant([channels], (v) => middle + by * v);
    return this.add("BatchNormalization", [x, around(1, 0.2), around(0, 0.1), around(0, 0.1), around(1, 0.2)]);
  }

  /** HardSwish as exporters write it. */
  hardSwish(x: string): string {
    const gate = this.add("HardSigmoid", [x], { attribute: [attribute("alpha", { type: 1n, f: Math.fround(1 / 6) })] });
    return this.add("Mul", [x, gate]);
  }

  squeezeExcite(x: string, channels: number): string {
    const mean = this.add("GlobalAveragePool", [x]);
    const inner = this.add("Relu", [this.conv(mean, [channels, channels / 4], 1)]);
    const gate = this.add("HardSigmoid", [this.conv(inner, [channels / 4, channels], 1)]);
    return this.add("Mul", [x, gate]);
  }

  separable(x: string, [inputs, outputs]: [number, number], kernel: number, strides: number[], gated: boolean): string {
    const depthwise = this.norm(this.conv(x, [inputs, inputs], kernel, strides, inputs), inputs);
    const inner = this.hardSwish(depthwise);
    const mixed = this.conv(gated ? this.squeezeExcite(inner, inputs) : inner, [inputs, outputs], 1);
    return this.hardSwish(this.norm(mixed, outputs));
  }
}

/** Input x [N, 3, 48, W], output y [N, W / 8, classes]. `width`: of its first layer, in channels. */
export function recogniser({ width = 16, classes = 64 } = {}): Uint8Array {
  const net = new Builder();
  const [a, b, c, d, e] = [1, 2, 4, 8, 16].map((times) => times * width) as [number, number, number, number, number];
  let x = net.hardSwish(net.norm(net.conv("x", [3, a], 3, [2, 2]), a));
  x = net.separable(x, [a, b], 3, [1, 1], false);
  x = net.separable(x, [b, c], 3, [2, 2], false);
  x = net.separable(x, [c, c], 3, [1, 1], false);
  x = net.separable(x, [c, d], 3, [2, 1], false);
  for (let i = 0; i < 4; i++) x = net.separable(x, [d, d], 5, [1, 1], false);
  x = net.separable(x, [d, e], 5, [2, 1], true);
  x = net.separable(x, [e, e], 5, [1, 2], true);
  const pooled = net.add("AveragePool", [x], { attribute: [ints("kernel_shape", [3, 1]), ints("strides", [3, 1])] });
  const squeezed = net.add("Squeeze", [pooled, net.list([2])]);
  const columns = net.add("Transpose", [squeezed], { attribute: [ints("perm", [0, 2, 1])] });
  const weight = net.constant([e, classes], (v) => v / Math.sqrt(e));
  const product = net.add("MatMul", [columns, weight]);
  const scores = net.add("Add", [product, net.constant([classes], (v) => v)]);
  const y = net.add("Softmax", [scores], { attribute: [int("axis", 2)] });
  net.nodes.push(node("Identity", [y], ["y"]));
  const inputs = [value("x", ["N", 3, 48, "W"])];
  return model({
    ...{ nodes: net.nodes, initializers: net.initializers, inputs, outputs: [value("y", ["N", "T", classes])] },
    more: { opsetImport: [{ version: 14n }] },
  });
}
