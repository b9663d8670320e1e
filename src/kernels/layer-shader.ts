// What the WGSL of layers shares: which pixel of which row a unit is at, and where a window reads.
import type { LayerWindow } from "../plan/types.ts";
import { type Operand, partsOf, rowOf, type WholeStep } from "./shader.ts";

/** Vectors of four channels of a pixel. */
export const quadsOf = ({ channels }: Operand): number => channels / 4;

/** Vectors from image to image, or none where one stands for all. */
export const imageStep = (operand: Operand): number => (operand.images === 1 ? 0 : (operand.rows * rowOf(operand)) / 4);
/** Vectors from row to row, or none where one stands for all. */
export const rowStep = (operand: Operand): number => (operand.rows === 1 ? 0 : rowOf(operand) / 4);

/** Units of `tile` pixels of a row, and so many of them for each. */
export interface Grid {
  quads: number;
  pixels: number;
  tile: number;
}

export const gridWords = ({ quads, pixels, tile }: Grid, { turns }: WholeStep) => ({
  quads,
  tiles: Math.ceil(pixels / tile),
  turns,
  pixels,
});

export const gridUnits = ({ quads, pixels, tile }: Grid, { turns, images }: WholeStep): number =>
  quads * Math.ceil(pixels / tile) * turns * images;

/** Sets q, first (pixel), row (of the grid) and image. */
export const place = (tile: number): string =>
  [
    partsOf("u", ["q", "p.quads"], ["at", "p.tiles"], ["row", "p.turns"], ["image"]),
    `  let first = at * ${tile};`,
  ].join("\n");

/** Where the window reads x0. */
export function windowWords({ size, strides, dilations, pads }: LayerWindow, x: Operand) {
  return {
    ...{ kh: size[0], kw: size[1], strideY: strides[0], strideX: strides[1] },
    ...{ dilationY: dilations[0], dilationX: dilations[1], padY: pads[0], padX: pads[1] },
    ...{ height: x.rows, width: x.pixels, depth: quadsOf(x), xImage: imageStep(x) },
  };
}

/** Where results go: every so many pixels and rows. */
export function targetWords({ phase, rowsOut = 1, rowStart = 0 }: LayerWindow, y: Operand) {
  return {
    ...{ rowsOut, rowStart, outStep: phase?.step ?? 1, outStart: phase?.start ?? 0 },
    ...{ yRows: y.rows, yPixels: y.pixels, yQuads: quadsOf(y) },
  };
}

/** The pixels that a window stands at along a row. */
export const pixelsAt = ({ phase }: LayerWindow, { pixels }: Operand): number => phase?.count ?? pixels;

export const each = (tile: number, line: (i: number) => string): string =>
  Array.from({ length: tile }, (_, i) => line(i)).join("\n");

/** Runs statements for every tap inside the input: `in0` … say which pixels have it, `from0` … where they stand, in vectors. */
export const overWindow = (tile: number, body: string): string => `
  for (var ky = 0; ky < p.kh; ky++) {
    let line = row * p.strideY + ky * p.dilationY - p.padY;
    if (line < 0 || line >= p.height) { continue; }
    let start = image * p.xImage + line * p.width * p.depth;
    for (var kx = 0; kx < p.kw; kx++) {
${each(
  tile,
  (i) => `      let column${i} = (first + ${i}) * p.strideX + kx * p.dilationX - p.padX;
      let in${i} = column${i} >= 0 && column${i} < p.width;
      let from${i} = start + select(0, column${i}, in${i}) * p.depth;`,
)}
${body}
    }
  }`;

/** Stores vectors `value0` … of the quad `q` of the pixels of a unit; `quad` is where among the pixel's vectors. */
export const storeTile = (tile: number, quad = "q"): string => `
  let out = row * p.rowsOut + p.rowStart;
  if (out >= p.yRows) { return; }
  let to = (image * p.yRows + out) * p.yPixels * p.yQuads + p.outStart * p.yQuads + ${quad};
${each(tile, (i) => `  if (first + ${i} < p.pixels) { y[to + (first + ${i}) * p.outStep * p.yQuads] = value${i}; }`)}`;

/** Pixels of a unit: four share what they read of the weights. */
export const tileOf = (pixels: number): number => (pixels >= 4 ? 4 : 1);
