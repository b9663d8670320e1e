// A depthwise step and the pointwise one after it as one dispatch: what lies between them stays in the memory that a workgroup shares.
// A workgroup makes a tile of pixels and up to 128 outputs; it goes through the channels in chunks, of which it loads the input with its
// halo, and the weights, once.
import type { ConvSpec, DepthwiseSpec } from "../../plan/types.ts";
import { type ConvShape, convShape } from "../conv/layout.ts";
import {
  addProducts,
  beginSums,
  endSums,
  loadMix,
  mixBytes,
  mixPixels,
  mixShared,
  mixSide,
  mixUnits,
} from "../conv/mix-wgsl.ts";
import { depthwiseShape } from "../depthwise/layout.ts";
import { imageStep, quadsOf, rowStep, windowWords } from "../layer-shader.ts";
import { type Dispatch, type Operand, partsOf, type WholeStep } from "../shader.ts";
import { activated, functionsFor } from "../shader-functions.ts";

/** Pixels of a tile. */
export const tile = { width: 8, height: 4 };

interface Sizes {
  /** Quads of channels of a chunk, quads of outputs that a unit sums for each pixel. */
  chunk: number;
  quads: number;
  /** Pixels of the input that a tile sees. */
  columns: number;
  rows: number;
}

/** What fits the shared memory; undefined where nothing does. */
function sizesFor({ size, strides, dilations }: DepthwiseSpec, outputs: number, bytes: number): Sizes | undefined {
  const seen = (axis: 0 | 1, count: number): number =>
    (count - 1) * strides[axis] + (size[axis] - 1) * dilations[axis] + 1;
  const [rows, columns] = [seen(0, tile.height), seen(1, tile.width)];
  const quads = Math.min(4, Math.ceil(outputs / mixSide));
  const need = (chunk: number): number =>
    16 * chunk * (rows * columns + size[0] * size[1] + 1) + mixBytes(chunk, quads);
  const chunk = [4, 2, 1].find((one) => need(one) <= bytes);
  return chunk === undefined ? undefined : { chunk, quads, columns, rows };
}

const isPlain = ({ size, strides, pads, groups, packed, winograd, phase, rowsOut, rowStart }: ConvSpec): boolean =>
  [...size, ...strides, groups].every((one) => one === 1) &&
  pads.every((pad) => pad === 0) &&
  !packed &&
  !winograd &&
  !phase &&
  !rowsOut &&
  !rowStart;

/** The dispatch of both; undefined where they do not fit together. */
export function fused(
  [first, second]: readonly [DepthwiseSpec, ConvSpec],
  [before, after]: readonly [WholeStep, WholeStep],
): Dispatch | undefined {
  const [x] = before.reads as [Operand];
  const { write } = after;
  const shape = convShape(second);
  const sizes = sizesFor(first, quadsOf(write), after.sharedBytes);
  if (!sizes || !isPlain(second) || first.phase || first.rowsOut || shape.dots || before.turns < after.turns)
    return undefined;
  const [down, across] = [Math.ceil(after.turns / tile.height), Math.ceil(write.pixels / tile.width)];
  const blocks = Math.ceil(quadsOf(write) / (mixSide * sizes.quads));
  const groups = blocks * down * across * after.images;
  const added = second.residual ? after.reads[2]! : undefined;
  const body = bodyOf(first, second, sizes);
  return {
    module: { body, functions: functionsFor(body), shared: sharedOf(first, sizes), together: true, size: mixUnits },
    arrays: { x0: "vec4f", x1: "vec4f", x2: "vec4f", ...(added && ({ x3: "vec4f" } as const)), y: "vec4f" },
    words: {
      ...windowWords(first, x),
      ...{ groups, blocks, tilesAcross: across, down, between: quadsOf(x) * first.depthMultiplier },
      ...{ side: depthwiseShape(first, x.channels).side / 4, ...panelWords(shape) },
      ...{ yRows: write.rows, yPixels: write.pixels, yQuads: quadsOf(write), turns: after.turns },
      ...{
        addImage: added ? imageStep(added) : 0,
        addRow: added ? rowStep(added) : 0,
        addPixel: added ? quadsOf(added) : 0,
      },
    },
    units: groups * mixUnits,
  };
}

const panelWords = ({ depth, panels, tail }: ConvShape) => ({ sums: depth, panels, tail: tail / 4 });

const sharedOf = ({ size }: DepthwiseSpec, { chunk, quads, columns, rows }: Sizes): string[] => [
  `var<workgroup> seen: array<vec4f, ${rows * columns * chunk}>;`,
  `var<workgroup> taps: array<vec4f, ${(size[0] * size[1] + 1) * chunk}>;`,
  ...mixShared(chunk, quads),
];

function bodyOf(first: DepthwiseSpec, second: ConvSpec, { chunk, quads, columns, rows }: Sizes): string {
  const taps = first.size[0] * first.size[1];
  const mix = { array: "x2", start: "0", outputs: "p.yQuads" };
  return `  if (group >= p.groups) { return; }
${partsOf("group", ["block", "p.blocks"], ["right", "p.tilesAcross"], ["lower", "p.down"], ["image"])}
  let firstColumn = right * ${tile.width} * p.strideX - p.padX;
  let firstLine = lower * ${tile.height} * p.strideY - p.padY;
  let firstQuad = block * ${mixSide * quads};
${beginSums(quads, mix)}
  for (var base = 0; base < p.between; base += ${chunk}) {
    workgroupBarrier();
    for (var i = lane; i < ${rows * columns * chunk}; i += ${mixUnits}) {
      let c = base + i % ${chunk};
      let line = firstLine + i / ${chunk * columns};
      let column = firstColumn + i / ${chunk} % ${columns};
      var v = vec4f(0.0);
      if (c < p.between && line >= 0 && line < p.height && column >= 0 && column < p.width) {
        v = x0[image * p.xImage + (line * p.width + column) * p.depth + c % p.depth];
      }
      seen[i] = v;
    }
    for (var i = lane; i < ${(taps + 1) * chunk}; i += ${mixUnits}) {
      let c = min(base + i % ${chunk}, p.between - 1);
      taps[i] = x1[c / p.side * ${taps + 1} * p.side + c % p.side + i / ${chunk} * p.side];
    }
${loadMix(chunk, quads, mix)}
    workgroupBarrier();
    for (var i = lane; i < ${mixPixels * chunk}; i += ${mixUnits}) {
      let c = i % ${chunk};
      let at = i / ${chunk};
      let corner = (at / ${tile.width} * p.strideY * ${columns} + at % ${tile.width} * p.strideX) * ${chunk} + c;
      var sum = taps[c];
      for (var ky = 0; ky < ${first.size[0]}; ky++) {
        for (var kx = 0; kx < ${first.size[1]}; kx++) {
          sum += taps[(1 + ky * ${first.size[1]} + kx) * ${chunk} + c] * seen[corner + (ky * p.dilationY * ${columns} + kx * p.dilationX) * ${chunk}];
        }
      }
      middle[i] = ${activated(first.activation, "sum")};
    }
    workgroupBarrier();
${addProducts(chunk, quads)}
  }
${endSums(quads, (sum, pixel) => {
  const added = second.residual ? ` + x3[image * p.addImage + line * p.addRow + column * p.addPixel + q]` : "";
  return `    let line = lower * ${tile.height} + ${pixel} / ${tile.width};
    let column = right * ${tile.width} + ${pixel} % ${tile.width};
    if (q < p.yQuads && line < p.turns && column < p.yPixels) {
      let all = ${sum}${added};
      y[((image * p.yRows + line) * p.yPixels + column) * p.yQuads + q] = ${activated(second.activation, "all")};
    }`;
})}`;
}
