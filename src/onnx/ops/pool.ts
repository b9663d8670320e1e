// MaxPool and AveragePool.
import { floats, listOf, numberOf, refuse, required, unsupported } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, numbersOf, sizeOf, toBig, write } from "../../graph/values.ts";
import { type Axis, elementsIn, runsOf, type WindowAxes, windowOf } from "../../graph/window.ts";
import { plural } from "../../words.ts";

/** Pads may make a window fit that is larger than any input: it must not cost more than inputs do. */
const largestWindow = 2 ** 20;

export function poolOf(node: GraphNode, { shape }: Spec): WindowAxes {
  const size = listOf(node, "kernel_shape") ?? refuse(node, "an attribute kernel_shape", "none");
  if (sizeOf(size) > largestWindow)
    unsupported(node, `a window of at most ${plural(largestWindow, "element")}`, `${sizeOf(size)}`);
  return windowOf(node, shape, size, numberOf(node, "ceil_mode", 0) !== 0);
}

export function shapeOf({ shape }: Spec, window: WindowAxes): number[] {
  return [...shape.slice(0, 2), ...window.slice(5 - shape.length).map(({ output }) => output)];
}

/** Visits every element that a window holds: where it stands in the input, and the output of the window. */
export function forWindows(runs: number[][], stride: number, visit: (from: number, to: number) => void): void {
  for (const list of runs) {
    for (let r = 0; r < list.length; r += 3) {
      for (let i = 0; i < list[r + 2]!; i++) visit(list[r + 1]! + i * stride, list[r]! + i);
    }
  }
}

/** Where an element stands in a plane that is stored column by column. */
function columnMajor(at: number, [{ input: depth }, { input: height }, { input: width }]: WindowAxes): number {
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
    const [runs, stride] = [runsOf(window), window[2].stride];
    const [plane, outPlane] = [elementsIn(window, "input"), elementsIn(window, "output")];
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
      const place = (from: number): number => p * plane + (byColumn ? columnMajor(from, window) : from);
      elementsOf(indices).set(
        Array.from(places, (from) => toBig(place(from))),
        p * outPlane,
      );
    }
  },
};

/** How many elements each window holds, of the input and, if the node says so, of its pads. */
function countsOf(node: GraphNode, window: WindowAxes): Float64Array {
  const counts = new Float64Array(elementsIn(window, "output"));
  const whole = ({ input, before, after, ...axis }: Axis): Axis => ({
    ...axis,
    input: before + input + after,
    before: 0,
    after: 0,
  });
  const seen = numberOf(node, "count_include_pad", 0) ? (window.map(whole) as unknown as WindowAxes) : window;
  forWindows(runsOf(seen), window[2].stride, (_, to) => counts[to]!++);
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
    const [runs, stride, counts] = [runsOf(window), window[2].stride, countsOf(node, window)];
    const plane = elementsIn(window, "input");
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
