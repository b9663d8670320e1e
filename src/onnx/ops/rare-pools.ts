// LpPool and GlobalLpPool, MaxUnpool, which puts the elements of a MaxPool back where they were, and Col2Im, which adds up
// the columns of unfolded windows.
import { LimitError } from "../../errors.ts";
import { floats, integersOf, listOf, nameOf, numberOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, newValue, numbersOf, sizeOf, stridesOf, write } from "../../graph/values.ts";
import { elementsIn, runsOf, type WindowAxes, windowOf } from "../../graph/window.ts";
import { plural } from "../../words.ts";
import { forWindows, poolOf, shapeOf } from "./pool.ts";

type Inputs = readonly (Spec | undefined)[];

/** The pth root of the sums of pth powers. */
export const lpOf = (node: GraphNode): number => {
  const p = numberOf(node, "p", 2);
  return p > 0 ? p : refuse(node, "a p above 0", p);
};

export const lpPool: Operator = {
  name: "LpPool",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0, floats);
    lpOf(node);
    return [{ dtype: x.dtype, shape: shapeOf(x, poolOf(node, x)) }];
  },
  run: (node, [x], [y]) => {
    const window = poolOf(node, x!);
    const [runs, stride, p] = [runsOf(window), window[2].stride, lpOf(node)];
    const [plane, outPlane] = [elementsIn(window, "input"), elementsIn(window, "output")];
    const data = numbersOf(x!);
    for (let start = 0, at = 0; start < data.length; start += plane, at += outPlane) {
      const sums = new Float64Array(outPlane);
      forWindows(runs, stride, (from, to) => (sums[to]! += Math.abs(data[start + from]!) ** p));
      write(
        y!,
        sums.map((sum) => sum ** (1 / p)),
        at,
      );
    }
  },
};

export const globalLpPool: Operator = {
  name: "GlobalLpPool",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0, floats);
    lpOf(node);
    if (shape.length < 3) refuse(node, "a batch of channels with at least one axis more", shape);
    return [{ dtype, shape: shape.map((side, axis) => (axis < 2 ? side : 1)) }];
  },
  run: (node, [x], [y]) => {
    const p = lpOf(node);
    const data = numbersOf(x!);
    const plane = sizeOf(x!.shape.slice(2));
    const sums = Float64Array.from({ length: y!.data.length }, (_, i) => {
      const own = data.subarray(i * plane, (i + 1) * plane);
      return own.reduce((sum, value) => sum + Math.abs(value) ** p, 0) ** (1 / p);
    });
    write(y!, sums);
  },
};

/** The shape of what was pooled, as the window says it. */
function unpooledSides(node: GraphNode, { shape }: Spec): number[] {
  const size = listOf(node, "kernel_shape") ?? refuse(node, "an attribute kernel_shape", "none");
  const axes = shape.length - 2;
  const list = (name: string, fill: number, count: number): readonly number[] => {
    const given = listOf(node, name) ?? Array<number>(count).fill(fill);
    return given.length === count ? given : refuse(node, `${plural(count, "number")} as ${name}`, given);
  };
  const [strides, pads] = [list("strides", 1, axes), list("pads", 0, 2 * axes)];
  if (size.length !== axes) refuse(node, `${axes} sides as kernel_shape`, size);
  const sides = shape.slice(2).map((side, i) => (side - 1) * strides[i]! + size[i]! - pads[i]! - pads[i + axes]!);
  return [...shape.slice(0, 2), ...sides.map((side) => (side > 0 ? side : refuse(node, "sides above 0", sides)))];
}

export const maxUnpool: Operator = {
  name: "MaxUnpool",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0, floats);
    const indices = required(node, inputs, 1, ["i64"]).shape;
    if (`${indices}` !== `${x.shape}`) refuse(node, `indices [${x.shape}]`, indices);
    const own = unpooledSides(node, x);
    const shape = integersOf(node, inputs[2], "output_shape") ?? own;
    const fits = shape.length === own.length && shape.every((side) => side >= 0);
    return fits ? [{ dtype: x.dtype, shape }] : refuse(node, `an output_shape of ${own.length} sides`, shape);
  },
  run: (node, inputs, [y]) => {
    const x = inputs[0]!;
    // Indices are of the shape that the window says; another one is larger, and holds that one at its front.
    const own = unpooledSides(node, x);
    const [from, to] = [stridesOf(own), stridesOf(y!.shape)];
    const [data, out] = [elementsOf(x), elementsOf(y!)];
    for (const [i, index] of numbersOf(inputs[1]!).entries()) {
      const at = from.reduce((sum, stride, axis) => sum + (Math.floor(index / stride) % own[axis]!) * to[axis]!, 0);
      if (!(index >= 0 && index < sizeOf(own) && at < out.length)) refuse(node, `indices below ${sizeOf(own)}`, index);
      out[at] = data[i]!;
    }
  },
};

interface Unfolded {
  window: WindowAxes;
  images: number;
  channels: number;
  sides: readonly number[];
}

function unfoldedOf(node: GraphNode, inputs: Inputs): Unfolded {
  const { shape } = required(node, inputs, 0);
  const sides = integersOf(node, required(node, inputs, 1, ["i64"]), "image_shape")!;
  const block = integersOf(node, required(node, inputs, 2, ["i64"]), "block_shape")!;
  if (sizeOf(block) > mostTaps) {
    const [expected, received] = [`a block of at most ${plural(mostTaps, "element")}`, `[${block}]`];
    throw new LimitError({ parameter: nameOf(node), expected, received });
  }
  const [images = 0, rows = 0, columns] = shape;
  const window = windowOf(node, [images, 1, ...sides], block);
  const channels = rows / sizeOf(block);
  const fits = shape.length === 3 && Number.isInteger(channels) && columns === elementsIn(window, "output");
  if (!fits) refuse(node, `[n, c · ${sizeOf(block)}, ${elementsIn(window, "output")}] as input`, shape);
  return { window, images, channels, sides };
}

const mostTaps = 2 ** 16;

export const col2Im: Operator = {
  name: "Col2Im",
  infer: (node, inputs) => {
    const { images, channels, sides } = unfoldedOf(node, inputs);
    return [{ dtype: inputs[0]!.dtype, shape: [images, channels, ...sides] }];
  },
  run: (node, inputs, [y]) => {
    const { window } = unfoldedOf(node, inputs);
    const data = numbersOf(inputs[0]!);
    const [plane, columns] = [elementsIn(window, "input"), elementsIn(window, "output")];
    const runs = runsOf(window);
    const sums = numbersOf(newValue("f64", y!.shape));
    for (let start = 0, from = 0; start < sums.length; start += plane) {
      for (const list of runs) {
        forWindows([list], window[2].stride, (to, at) => (sums[start + to]! += data[from + at]!));
        from += columns;
      }
    }
    write(y!, sums);
  },
};

export const rarePools: readonly Operator[] = [lpPool, globalLpPool, maxUnpool, col2Im];
