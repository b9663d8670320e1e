// Operators that make tensors of numbers, or change them by place alone: Range, EyeLike, windows of signals, Trilu, CumSum,
// ReverseSequence.
import { axisOf, knownNumbers, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, heldAs, isBig, numbersOf, sizeOf, toBig, write } from "../../graph/values.ts";
import type { DType } from "../../tensor.ts";
import { dtypeOf } from "../tensors.ts";
import { forLines, linesOf } from "./loops.ts";

type Inputs = readonly (Spec | undefined)[];

/** An element type that an attribute names by its number in ONNX. */
function typeIn(node: GraphNode, name: string, fallback: DType): DType {
  if (node.attributes[name] === undefined) return fallback;
  const number = numberOf(node, name);
  if (!Number.isInteger(number)) refuse(node, `a type as ${name}`, number);
  return heldAs(dtypeOf(BigInt(number), `node ${node.name}`));
}

function rangeOf(node: GraphNode, inputs: Inputs): { start: number; step: number; count: number } {
  const number = (index: number, what: string): number =>
    knownNumbers(node, required(node, inputs, index, [required(node, inputs, 0).dtype]), what)![0] ??
    refuse(node, `one number as ${what}`, "none");
  const [start, limit, step] = [number(0, "the start"), number(1, "the limit"), number(2, "the delta")];
  const count = Math.max(0, Math.ceil((limit - start) / step));
  return Number.isFinite(count) ? { start, step, count } : refuse(node, "a delta other than 0", step);
}

/** Elements that are computed at once. */
const partSize = 4096;

export const range: Operator = {
  name: "Range",
  infer: (node, inputs) => [{ dtype: required(node, inputs, 0).dtype, shape: [rangeOf(node, inputs).count] }],
  run: (node, inputs, [y]) => {
    const { start, step, count } = rangeOf(node, inputs);
    const part = new Float64Array(Math.min(count, partSize));
    for (let from = 0; from < count; from += partSize) {
      const length = Math.min(partSize, count - from);
      for (let i = 0; i < length; i++) part[i] = start + (from + i) * step;
      write(y!, part.subarray(0, length), from);
    }
  },
};

export const eyeLike: Operator = {
  name: "EyeLike",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    if (shape.length !== 2) refuse(node, "a matrix", shape);
    return [{ dtype: typeIn(node, "dtype", dtype), shape }];
  },
  run: (node, [x], [y]) => {
    const [rows, columns] = x!.shape as [number, number];
    const k = numberOf(node, "k", 0);
    const out = elementsOf(y!);
    const one = isBig(y!.dtype) ? toBig(1) : 1;
    for (let r = 0; r < rows; r++) if (r + k >= 0 && r + k < columns) out[r * columns + r + k] = one;
  },
};

/** Weights of the cosines of 0, 1 and 2 turns over a window. */
const windowCosines: Readonly<Record<string, readonly [number, number, number]>> = {
  HannWindow: [0.5, -0.5, 0],
  HammingWindow: [25 / 46, -21 / 46, 0],
  BlackmanWindow: [0.42, -0.5, 0.08],
};

function signalWindow(name: string, [a, b, c]: readonly [number, number, number]): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const [size = -1] = knownNumbers(node, required(node, inputs, 0, ["i32", "i64"]), "the size")!;
      if (!(size >= 0)) refuse(node, "a size of at least 0", size);
      return [{ dtype: typeIn(node, "output_datatype", "f32"), shape: [size] }];
    },
    run: (node, _inputs, [y]) => {
      const size = y!.data.length;
      const turn = (2 * Math.PI) / (numberOf(node, "periodic", 1) ? size : size - 1);
      const at = (i: number): number => a + b * Math.cos(turn * i) + c * Math.cos(2 * turn * i);
      write(
        y!,
        Float64Array.from({ length: size }, (_, i) => at(i)),
      );
    },
  };
}

export const trilu: Operator = {
  name: "Trilu",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    if (inputs[1] && sizeOf(required(node, inputs, 1, ["i64"]).shape) !== 1) refuse(node, "one k", inputs[1].shape);
    return shape.length < 2 ? refuse(node, "matrices", shape) : [{ dtype, shape }];
  },
  run: (node, [x, k], [y]) => {
    const [rows, columns] = x!.shape.slice(-2) as [number, number];
    const upper = numberOf(node, "upper", 1) !== 0;
    const diagonal = k ? numbersOf(k)[0]! : 0;
    const [data, out] = [elementsOf(x!), elementsOf(y!)];
    for (let i = 0; i < data.length; i++) {
      const beside = (i % columns) - (Math.floor(i / columns) % rows) - diagonal;
      if (upper ? beside >= 0 : beside <= 0) out[i] = data[i]!;
    }
  },
};

export const cumSum: Operator = {
  name: "CumSum",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    if (sizeOf(required(node, inputs, 1, ["i32", "i64"]).shape) !== 1) refuse(node, "one axis", inputs[1]!.shape);
    return [{ dtype, shape }];
  },
  run: (node, [x, axis], [y]) => {
    const lines = linesOf(x!, axisOf(node, numbersOf(axis!)[0]!, x!.shape.length));
    const [exclusive, reverse] = ["exclusive", "reverse"].map((name) => numberOf(node, name, 0) !== 0);
    const [data, out] = [elementsOf(x!), elementsOf(y!)];
    if (data.length === 0) return;
    forLines(lines, data.length, (start) => {
      let sum = isBig(x!.dtype) ? toBig(0) : 0;
      for (let i = 0; i < lines.length; i++) {
        const at = start + (reverse ? lines.length - 1 - i : i) * lines.inner;
        const before = sum;
        sum += data[at]!;
        out[at] = exclusive ? before : sum;
      }
    });
  },
};

/** The axes of batch and time, which are the first two. */
function timeAxis(node: GraphNode, { shape }: Spec): 0 | 1 {
  const [batch, time] = [numberOf(node, "batch_axis", 1), numberOf(node, "time_axis", 0)];
  const fits = shape.length >= 2 && batch + time === 1 && batch * time === 0;
  return fits ? (time as 0 | 1) : refuse(node, "axes 0 and 1 for batch and time", [batch, time]);
}

export const reverseSequence: Operator = {
  name: "ReverseSequence",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0);
    const batch = x.shape[1 - timeAxis(node, x)];
    const { shape } = required(node, inputs, 1, ["i64"]);
    if (`${shape}` !== `${batch}`) refuse(node, `${batch} lengths`, shape);
    return [{ dtype: x.dtype, shape: x.shape }];
  },
  run: (node, [x, lengths], [y]) => {
    const time = timeAxis(node, x!);
    const inner = sizeOf(x!.shape.slice(2));
    const [steps, count] = [x!.shape[time]!, x!.shape[1 - time]!];
    const [data, out] = [elementsOf(x!), elementsOf(y!)];
    for (const [b, length] of numbersOf(lengths!).entries()) {
      if (!(length >= 0 && length <= steps)) refuse(node, `lengths of at most ${steps}`, length);
      for (let t = 0; t < steps; t++) {
        const from = t < length ? length - 1 - t : t;
        const place = (step: number): number => (time === 0 ? step * count + b : b * steps + step) * inner;
        for (let i = 0; i < inner; i++) out[place(t) + i] = data[place(from) + i]!;
      }
    }
  },
};

export const fills: readonly Operator[] = [
  ...[range, eyeLike, trilu, cumSum, reverseSequence],
  ...Object.entries(windowCosines).map(([name, weights]) => signalWindow(name, weights)),
];
