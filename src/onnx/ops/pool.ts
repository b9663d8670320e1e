// MaxPool and AveragePool: the largest element or the mean of each window.
import { floats, listOf, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, numbersOf, sizeOf, toBig, write } from "../../graph/values.ts";
import { runsOf, type Triple, type Window, windowOf } from "./window.ts";

function poolOf(node: GraphNode, { shape }: Spec): Window {
  const size = listOf(node, "kernel_shape") ?? refuse(node, "an attribute kernel_shape", "none");
  return windowOf(node, shape, size, numberOf(node, "ceil_mode", 0) !== 0);
}

function shapeOf({ shape }: Spec, { output }: Window): number[] {
  return [...shape.slice(0, 2), ...output.slice(5 - shape.length)];
}

/** Visits every element that a window holds: where it stands in the input, and the output of the window. */
function forWindows(runs: number[][], stride: number, visit: (from: number, to: number) => void): void {
  for (const list of runs) {
    for (let r = 0; r < list.length; r += 3) {
      for (let i = 0; i < list[r + 2]!; i++) visit(list[r + 1]! + i * stride, list[r]! + i);
    }
  }
}

/** Where an element stands in a plane that is stored column by column. */
function columnMajor(at: number, [depth, height, width]: Triple): number {
  const [z, y, x] = [Math.floor(at / (height * width)), Math.floor(at / width) % height, at % width];
  return (x * height + y) * depth + z;
}

export const maxPool: Operator = {
  name: "MaxPool",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0, [...floats, "u8", "i8"]);
    const shape = shapeOf(x, poolOf(node, x));
    return [
      { dtype: x.dtype, shape },
      { dtype: "i64", shape },
    ];
  },
  run: (node, [x], [y, indices]) => {
    const window = poolOf(node, x!);
    const [runs, stride] = [runsOf(window), window.strides[2]];
    const [plane, outPlane] = [sizeOf(window.input), sizeOf(window.output)];
    const byColumn = numberOf(node, "storage_order", 0) !== 0;
    const data = numbersOf(x!);
    const largest = new Float64Array(outPlane);
    const places = new Float64Array(outPlane);
    for (let p = 0; p * plane < data.length; p++) {
      largest.fill(Number.NEGATIVE_INFINITY);
      places.fill(-1);
      forWindows(runs, stride, (from, to) => {
        const value = data[p * plane + from]!;
        if (places[to]! >= 0 && !(value > largest[to]! || Number.isNaN(value))) return;
        largest[to] = value;
        places[to] = from;
      });
      write(y!, largest, p * outPlane);
      if (!indices) continue;
      const place = (from: number): number => p * plane + (byColumn ? columnMajor(from, window.input) : from);
      elementsOf(indices).set(
        Array.from(places, (from) => toBig(place(from))),
        p * outPlane,
      );
    }
  },
};

/** How many elements each window holds, of the input and, if the node says so, of its pads. */
function countsOf(node: GraphNode, window: Window): Float64Array {
  const counts = new Float64Array(sizeOf(window.output));
  const { before, after, input } = window;
  const padded = input.map((side, axis) => before[axis]! + side + after[axis]!) as unknown as Triple;
  const whole = numberOf(node, "count_include_pad", 0)
    ? { ...window, input: padded, before: [0, 0, 0] as const }
    : window;
  forWindows(runsOf(whole), window.strides[2], (_, to) => counts[to]!++);
  return counts;
}

export const averagePool: Operator = {
  name: "AveragePool",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0, floats);
    return [{ dtype: x.dtype, shape: shapeOf(x, poolOf(node, x)) }];
  },
  run: (node, [x], [y]) => {
    const window = poolOf(node, x!);
    const [runs, stride, counts] = [runsOf(window), window.strides[2], countsOf(node, window)];
    const plane = sizeOf(window.input);
    const data = numbersOf(x!);
    for (let p = 0; p * plane < data.length; p++) {
      const sums = new Float64Array(counts.length);
      forWindows(runs, stride, (from, to) => (sums[to]! += data[p * plane + from]!));
      write(
        y!,
        sums.map((sum, i) => sum / counts[i]!),
        p * sums.length,
      );
    }
  },
};
