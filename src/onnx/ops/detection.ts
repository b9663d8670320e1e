// What detectors end in and their second stages begin with: NonMaxSuppression, RoiAlign and MaxRoiPool.
import { finished, type Steps } from "../../engine/turns.ts";
import { LimitError } from "../../errors.ts";
import { computed, countOf, floats, listOf, nameOf, numberOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { asFloat64, elementsOf, newValue, numbersOf, write } from "../../graph/values.ts";

type Inputs = readonly (Spec | undefined)[];

/** Corners [y1, x1, y2, x2], the smaller first, of all boxes. */
function cornersOf(node: GraphNode, boxes: Float64Array): Float64Array {
  const centres = numberOf(node, "center_point_box", 0) !== 0;
  const corners = new Float64Array(boxes.length);
  for (let i = 0; i < boxes.length; i += 4) {
    // Centre and size, or two corners, along either axis.
    for (let k = 0; k < 2; k++) {
      const [a, b] = [boxes[i + k]!, boxes[i + 2 + k]!];
      const at = i + (centres ? 1 - k : k);
      corners[at] = centres ? a - b / 2 : Math.min(a, b);
      corners[at + 2] = centres ? a + b / 2 : Math.max(a, b);
    }
  }
  return corners;
}

const areaAt = (corners: Float64Array, at: number): number =>
  (corners[at + 2]! - corners[at]!) * (corners[at + 3]! - corners[at + 1]!);

/** Boxes that stay, as they are compared with others: corners and areas, one after the other. */
class Kept {
  readonly boxes: number[] = [];
  private readonly threshold: number;
  private corners = new Float64Array(4 * 64);
  private areas = new Float64Array(64);

  constructor(threshold: number) {
    this.threshold = threshold;
  }

  /** Keeps a box, whose corners stand at `at`. */
  add(box: number, corners: Float64Array, at: number): void {
    const count = this.boxes.push(box);
    if (count > this.areas.length) {
      this.corners = grown(this.corners);
      this.areas = grown(this.areas);
    }
    for (let k = 0; k < 4; k++) this.corners[4 * count - 4 + k] = corners[at + k]!;
    this.areas[count - 1] = areaAt(corners, at);
  }

  /** Whether a box shares more with one of them than a part of what both cover. */
  hide(all: Float64Array, at: number): boolean {
    const { corners, areas, threshold, boxes } = this;
    const [top, left, bottom, right] = [all[at]!, all[at + 1]!, all[at + 2]!, all[at + 3]!];
    const area = areaAt(all, at);
    if (!(area > 0)) return false;
    for (let i = 0, k = 0; i < boxes.length; i++, k += 4) {
      const height = Math.min(corners[k + 2]!, bottom) - Math.max(corners[k]!, top);
      const width = Math.min(corners[k + 3]!, right) - Math.max(corners[k + 1]!, left);
      if (!(height > 0 && width > 0)) continue;
      const shared = height * width;
      const both = areas[i]! + area - shared;
      if (areas[i]! > 0 && both > 0 && shared / both > threshold) return true;
    }
    return false;
  }
}

function grown(list: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * list.length);
  larger.set(list);
  return larger;
}

/** Batch, class and box of each box that stays. */
function* selected(node: GraphNode, inputs: readonly (Value | undefined)[]): Steps<number[]> {
  const [boxes, scores] = [inputs[0]!, inputs[1]!];
  const [batch, classes, count] = scores.shape as [number, number, number];
  const scalar = (index: number, fallback: number): number => {
    const value = inputs[index];
    return value ? numbersOf(value)[0]! : fallback;
  };
  const [most, threshold, least] = [scalar(2, 0), scalar(3, 0), scalar(4, Number.NEGATIVE_INFINITY)];
  const all = asFloat64(scores);
  const corners = cornersOf(node, asFloat64(boxes));
  const found: number[] = [];
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < classes; c++) {
      const own = all.subarray((b * classes + c) * count, (b * classes + c + 1) * count);
      const order: number[] = [];
      for (let i = 0; i < count; i++) if (!inputs[4] || own[i]! > least) order.push(i);
      order.sort((i, j) => own[j]! - own[i]! || i - j);
      const kept = new Kept(threshold);
      // Comparisons since others had a turn.
      let compared = count;
      for (const i of order) {
        if (kept.boxes.length >= most) break;
        compared += kept.boxes.length;
        if (compared > mostCompared) {
          yield;
          compared = 0;
        }
        const at = 4 * (b * count + i);
        if (!kept.hide(corners, at)) kept.add(i, corners, at);
      }
      for (const i of kept.boxes) found.push(b, c, i);
    }
  }
  return found;
}

/** Comparisons of boxes between two turns of others: about a millisecond. */
const mostCompared = 2 ** 17;

function checkBoxes(node: GraphNode, inputs: Inputs): void {
  const { shape } = required(node, inputs, 0, floats);
  const scores = required(node, inputs, 1, floats).shape;
  const fits = shape.length === 3 && shape[2] === 4 && scores.length === 3;
  if (!fits || scores[0] !== shape[0] || scores[2] !== shape[1]) {
    refuse(node, "boxes [batch, boxes, 4] and scores [batch, classes, boxes]", `[${shape}] and [${scores}]`);
  }
}

function* suppressed(node: GraphNode, inputs: Inputs): Steps<Value[]> {
  checkBoxes(node, inputs);
  const found = yield* selected(node, computed(node, inputs));
  const value = newValue("i64", [found.length / 3, 3]);
  write(value, found);
  return [value];
}

export const nonMaxSuppression: Operator = {
  name: "NonMaxSuppression",
  infer: (node, inputs) => finished(suppressed(node, inputs)),
  find: suppressed,
};

/** Samples of one bin; more than any picture has in a row are no use. */
const mostSamples = 2 ** 14;

export interface RoiAlignment {
  height: number;
  width: number;
  /** Samples along each side of a bin; 0 for one a pixel. */
  ratio: number;
  scale: number;
  max: boolean;
  /** Pixels are at half places, and regions may be smaller than a pixel. */
  half: boolean;
}

export function roiAlignOf(node: GraphNode): RoiAlignment {
  const mode = textOf(node, "coordinate_transformation_mode", ["half_pixel", "output_half_pixel"]);
  return {
    height: countOf(node, "output_height", 1),
    width: countOf(node, "output_width", 1),
    ratio: numberOf(node, "sampling_ratio", 0),
    scale: numberOf(node, "spatial_scale", 1),
    max: textOf(node, "mode", ["avg", "max"]) === "max",
    half: node.opset >= 16 && mode === "half_pixel",
  };
}

/** Two neighbours along an axis and their weights; undefined outside of the picture. */
type Taps = readonly [low: number, high: number, lowWeight: number, highWeight: number] | undefined;

/** Of all samples of all bins along one axis of a region. */
function tapsAlong(
  node: GraphNode,
  start: number,
  end: number,
  bins: number,
  side: number,
  of: RoiAlignment,
): Taps[][] {
  const offset = of.half ? 0.5 : 0;
  const first = start * of.scale - offset;
  const length = of.half ? end * of.scale - offset - first : Math.max(1, end * of.scale - offset - first);
  const bin = length / bins;
  const samples = of.ratio > 0 ? of.ratio : Math.ceil(bin);
  if (!(samples <= mostSamples)) {
    const [expected, received] = [`at most ${mostSamples} samples along a side of a bin`, `${samples}`];
    throw new LimitError({ parameter: nameOf(node), expected, received });
  }
  return Array.from({ length: bins }, (_, b) =>
    Array.from({ length: Math.max(0, samples) }, (_, i): Taps => {
      const at = first + b * bin + ((i + 0.5) * bin) / samples;
      if (!(at >= -1 && at <= side)) return undefined;
      const inside = Math.max(0, at);
      const low = Math.min(side - 1, Math.floor(inside));
      const share = low >= side - 1 ? 0 : inside - low;
      return [low, Math.min(side - 1, low + 1), 1 - share, share];
    }),
  );
}

function checkRois(node: GraphNode, inputs: Inputs, columns: number): [x: Spec, rois: Spec] {
  const x = required(node, inputs, 0, floats);
  const rois = required(node, inputs, 1, [x.dtype]);
  if (x.shape.length !== 4 || x.shape.includes(0)) refuse(node, "an input of four axes", x.shape);
  if (rois.shape.length !== 2 || rois.shape[1] !== columns) refuse(node, `regions [n, ${columns}]`, rois.shape);
  return [x, rois];
}

/** The picture that a region is of. */
function imageOf(node: GraphNode, index: number, images: number): number {
  return index >= 0 && index < images ? index : refuse(node, `pictures below ${images}`, index);
}

/** Mean or maximum of the samples of one bin. */
function binOf(
  plane: Float64Array,
  width: number,
  rows: readonly Taps[],
  columns: readonly Taps[],
  max: boolean,
): number {
  let [sum, most] = [0, Number.NEGATIVE_INFINITY];
  for (const row of rows) {
    for (const column of columns) {
      if (!row || !column) {
        most = Math.max(most, 0);
        continue;
      }
      const [[top, bottom, up, down], [left, right, before, after]] = [row, column];
      const a = up * before * plane[top * width + left]!;
      const b = up * after * plane[top * width + right]!;
      const c = down * before * plane[bottom * width + left]!;
      const d = down * after * plane[bottom * width + right]!;
      sum += a + b + c + d;
      most = Math.max(most, a, b, c, d);
    }
  }
  const count = rows.length * columns.length;
  if (count === 0) return 0;
  return max ? most : sum / count;
}

export const roiAlign: Operator = {
  name: "RoiAlign",
  infer: (node, inputs) => {
    const [x, rois] = checkRois(node, inputs, 4);
    const { height, width } = roiAlignOf(node);
    const batches = required(node, inputs, 2, ["i64", "i32"]).shape;
    if (`${batches}` !== `${rois.shape[0]}`) refuse(node, `the pictures of ${rois.shape[0]} regions`, batches);
    return [{ dtype: x.dtype, shape: [rois.shape[0]!, x.shape[1]!, height, width] }];
  },
  *run(node, inputs, [y]) {
    const [images, channels, height, width] = inputs[0]!.shape as [number, number, number, number];
    const [data, rois, batches] = inputs.map((input) => numbersOf(input!)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const of = roiAlignOf(node);
    const results = new Float64Array(of.height * of.width);
    for (const [r, batch] of batches.entries()) {
      const [x1, y1, x2, y2] = rois.subarray(4 * r, 4 * r + 4) as unknown as [number, number, number, number];
      const rows = tapsAlong(node, y1, y2, of.height, height, of);
      const columns = tapsAlong(node, x1, x2, of.width, width, of);
      const image = imageOf(node, batch, images);
      for (let c = 0; c < channels; c++) {
        const start = (image * channels + c) * height * width;
        const plane = data.subarray(start, start + height * width);
        yield;
        for (let i = 0; i < results.length; i++)
          results[i] = binOf(plane, width, rows[Math.floor(i / of.width)]!, columns[i % of.width]!, of.max);
        write(y!, results, (r * channels + c) * results.length);
      }
    }
  },
};

/** Halves go away from zero. */
const rounded = (x: number): number => Math.sign(x) * Math.round(Math.abs(x));

/** First and last place + 1 of each bin along an axis of a region. */
function binsAlong(first: number, last: number, bins: number, side: number): [number, number][] {
  const size = Math.max(last - first + 1, 1) / bins;
  const inside = (at: number): number => Math.min(side, Math.max(0, at));
  return Array.from({ length: bins }, (_, b) => [
    inside(Math.floor(b * size) + first),
    inside(Math.ceil((b + 1) * size) + first),
  ]);
}

const pooledOf = (node: GraphNode): [number, number] => {
  const sides = listOf(node, "pooled_shape");
  const fits = sides?.length === 2 && sides.every((side) => Number.isInteger(side) && side > 0);
  return fits ? (sides as [number, number]) : refuse(node, "two sides as pooled_shape", sides);
};

export const maxRoiPool: Operator = {
  name: "MaxRoiPool",
  infer: (node, inputs) => {
    const [x, rois] = checkRois(node, inputs, 5);
    return [{ dtype: x.dtype, shape: [rois.shape[0]!, x.shape[1]!, ...pooledOf(node)] }];
  },
  *run(node, inputs, [y]) {
    const [images, channels, height, width] = inputs[0]!.shape as [number, number, number, number];
    const [data, rois] = [numbersOf(inputs[0]!), numbersOf(inputs[1]!)];
    const [bins, scale] = [pooledOf(node), numberOf(node, "spatial_scale", 1)];
    const out = elementsOf(y!);
    let at = 0;
    for (let r = 0; r < rois.length; r += 5) {
      const image = imageOf(node, rois[r]!, images);
      const [x1, y1, x2, y2] = [...rois.subarray(r + 1, r + 5)].map((c) => rounded(Math.fround(c * scale))) as [
        number,
        number,
        number,
        number,
      ];
      const [rows, columns] = [binsAlong(y1, y2, bins[0], height), binsAlong(x1, x2, bins[1], width)];
      for (let c = 0; c < channels; c++) {
        const start = (image * channels + c) * height * width;
        yield;
        for (const [top, bottom] of rows) {
          for (const [left, right] of columns) {
            let most = top < bottom && left < right ? Number.NEGATIVE_INFINITY : 0;
            for (let i = top; i < bottom; i++)
              for (let j = left; j < right; j++) most = Math.max(most, data[start + i * width + j]!);
            out[at++] = most;
          }
        }
      }
    }
  },
};

export const detection: readonly Operator[] = [nonMaxSuppression, roiAlign, maxRoiPool];
