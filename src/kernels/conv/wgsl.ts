// The WGSL of the conv family. Weights lie as `packConv` leaves them: in panels of outputs, so that a vector of weights is of four
// outputs; of up to four outputs a vector is of four inputs.
import type { ConvSpec } from "../../plan/types.ts";
import {
  each,
  gridUnits,
  gridWords,
  imageStep,
  overWindow,
  pixelsAt,
  place,
  quadsOf,
  rowStep,
  storeTile,
  targetWords,
  tileOf,
  windowWords,
} from "../layer-shader.ts";
import { type Dispatch, type Operand, partsOf, rowOf, type Shader, type WholeStep } from "../shader.ts";
import { activated, functionsFor } from "../shader-functions.ts";
import { type ConvShape, convShape, panelOutputs } from "./layout.ts";
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
} from "./mix-wgsl.ts";

/** Where the weights of an image, or of a row, begin; in vectors. */
const weightsStart = ({ packed }: ConvSpec): string =>
  packed === undefined ? "0" : `image * p.wImage${packed === "rows" ? " + row * p.rowsOut * p.wRow" : ""}`;

/** What is added before the activation, and the activation. */
const finished = (spec: ConvSpec, tile: number): string => `
  let addTo = image * p.addImage + (row * p.rowsOut + p.rowStart) * p.addRow + q;
${each(tile, (i) => {
  const added = spec.residual ? ` + x2[addTo + min(first + ${i}, p.pixels - 1) * p.addPixel]` : "";
  return `  let sum${i}all = sum${i}${added};\n  let value${i} = ${activated(spec.activation, `sum${i}all`)};`;
})}`;

/** Four outputs of a few pixels. */
function quadBody(spec: ConvSpec, shape: ConvShape, tile: number): string {
  const rest = shape.inputs % 4;
  const groups = spec.groups > 1;
  const multiply = (count: number, inputs: string): string => `
        let w = at + ${inputs} * side;
${each(count, (j) => `        let w${j} = x1[w + ${j} * side];`)}
${each(tile, (i) => {
  const products = Array.from({ length: count }, (_, j) => `v${i}.${"xyzw"[j]} * w${j}`).join(" + ");
  return `        let v${i} = select(vec4f(0.0), x0[from${i}${groups ? " + groupAt" : ""} + c], in${i});\n        sum${i} += ${products};`;
})}`;
  return `${place(tile)}
${
  groups
    ? `  let channels = q / p.groupQuads;
  let inside = q % p.groupQuads;
  let groupAt = channels * p.groupIn;
  let isHole = channels >= p.groups;`
    : "  let inside = q;\n  let channels = 0;"
}
  let panel = min(inside / ${panelOutputs / 4}, p.panels);
  let side = select(p.tail, ${panelOutputs / 4}, panel < p.panels);
  let begin = ${weightsStart(spec)} + (${groups ? "select(channels, 0, isHole)" : "channels"} * p.groupSide + panel * ${panelOutputs / 4}) * (p.sums + 1) + inside - panel * ${panelOutputs / 4};
${each(tile, (i) => `  var sum${i} = x1[begin];`)}
${overWindow(
  tile,
  `      let at = begin + (1 + (ky * p.kw + kx) * p.inputs) * side;
      for (var c = 0; c < p.inputs / 4; c++) {${multiply(4, "4 * c")}
      }
${rest ? `      { let c = p.inputs / 4;${multiply(rest, "4 * c")}\n      }` : ""}`,
)}
${finished(spec, tile)}
${groups ? each(tile, (i) => `  let kept${i} = select(value${i}, vec4f(0.0), isHole);`) : ""}
${groups ? storeTile(tile).replaceAll(/= value/g, "= kept") : storeTile(tile)}`;
}

/** Up to four outputs, each the sum of dot products with four inputs. */
function dotsBody(spec: ConvSpec, tile: number): string {
  const { outputs } = spec;
  const lanes = Array.from({ length: outputs }, (_, o) => "xyzw"[o]!);
  return `${place(tile)}
${each(tile, (i) => `  var sum${i} = ${outputs === 4 ? "x1[0]" : `vec4f(${[...lanes.map((lane) => `x1[0].${lane}`), ...Array(4 - outputs).fill("0.0")].join(", ")})`};`)}
${overWindow(
  tile,
  `      for (var c = 0; c < p.inputs / 4; c++) {
        let e = (ky * p.kw + kx) * p.inputs / 4 + c;
        let w = (e / 2 * ${outputs} + 1) * 2 + e % 2;
${lanes.map((lane, o) => `        let w${lane} = x1[w + ${2 * o}];`).join("\n")}
${each(
  tile,
  (i) => `        let v${i} = select(vec4f(0.0), x0[from${i} + c], in${i});
${lanes.map((lane) => `        sum${i}.${lane} += dot(v${i}, w${lane});`).join("\n")}`,
)}
      }`,
)}
${finished(spec, tile)}
${each(tile, (i) => `  let kept${i} = vec4f(${[0, 1, 2, 3].map((o) => (o < outputs ? `value${i}.${"xyzw"[o]}` : "0.0")).join(", ")});`)}
${storeTile(tile).replaceAll(/= value/g, "= kept")}`;
}

/** One output of one pixel: of groups that are no whole vectors. */
function singleBody(spec: ConvSpec): string {
  return `${partsOf("u", ["o", "p.channels"], ["first", "p.pixels"], ["row", "p.turns"], ["image"])}
  let out = row * p.rowsOut + p.rowStart;
  if (out >= p.yRows) { return; }
  let to = ((image * p.yRows + out) * p.yPixels + p.outStart + first * p.outStep) * p.channels + o;
  if (o >= p.outputs) { y[to] = 0.0; return; }
  let channels = o / p.own;
  let inside = o % p.own;
  let panel = min(inside / ${panelOutputs}, p.panels);
  let side = select(p.tail * 4, ${panelOutputs}, panel < p.panels);
  let begin = (channels * p.groupSide * 4 + panel * ${panelOutputs}) * (p.sums + 1) + inside - panel * ${panelOutputs};
  var sum = x1[begin];
  for (var ky = 0; ky < p.kh; ky++) {
    let line = row * p.strideY + ky * p.dilationY - p.padY;
    if (line < 0 || line >= p.height) { continue; }
    for (var kx = 0; kx < p.kw; kx++) {
      let column = first * p.strideX + kx * p.dilationX - p.padX;
      if (column < 0 || column >= p.width) { continue; }
      let start = (image * p.xImage + (line * p.width + column) * p.depth) * 4 + channels * p.inputs;
      let at = begin + (1 + (ky * p.kw + kx) * p.inputs) * side;
      for (var c = 0; c < p.inputs; c++) { sum += x1[at + c * side] * x0[start + c]; }
    }
  }
${spec.residual ? "  sum += x2[(image * p.addImage + out * p.addRow + first * p.addPixel) * 4 + o];" : ""}
  let all = vec4f(sum);
  y[to] = (${activated(spec.activation, "all")}).x;`;
}

function words(spec: ConvSpec, shape: ConvShape, { reads, write }: WholeStep) {
  const [x, w, added] = reads as [Operand, Operand, Operand | undefined];
  const { panels, tail, depth: sums, inputs } = shape;
  return {
    ...windowWords(spec, x),
    ...targetWords(spec, write),
    ...{ inputs, sums, panels, tail: tail / 4, groups: spec.groups, groupSide: (panels * panelOutputs + tail) / 4 },
    ...{ groupQuads: spec.outputs / spec.groups / 4, groupIn: inputs / 4, own: spec.outputs / spec.groups },
    ...{ outputs: spec.outputs, channels: write.channels },
    ...{ wImage: imageStep(w), wRow: rowOf(w) / 4 },
    addImage: spec.residual ? imageStep(added!) : 0,
    addRow: spec.residual ? rowStep(added!) : 0,
    addPixel: spec.residual ? quadsOf(added!) : 0,
  };
}

/** Workgroups that keep a GPU busy: where there are fewer, they are made smaller. */
const busy = 256;

/** A pointwise convolution as products of workgroups; undefined where it is none, or a small one. */
function pointwise(
  spec: ConvSpec,
  shape: ConvShape,
  step: WholeStep,
  wholes: Record<string, number>,
): Dispatch | undefined {
  const { size, strides, pads, groups, packed, phase, rowsOut, rowStart, residual, outputs } = spec;
  const { write, turns, images, sharedBytes } = step;
  const isPointwise = [...size, ...strides].every((one) => one === 1) && pads.every((pad) => pad === 0);
  if (!isPointwise || packed === "rows" || phase || rowsOut || rowStart) return undefined;
  const tiles = Math.ceil((turns * write.pixels) / mixPixels);
  const own = groups === 1 ? quadsOf(write) : outputs / groups / 4;
  // Holes beyond the last group would stay as they are.
  if (turns * write.pixels < mixPixels || own < 4 || (groups > 1 && own * groups !== quadsOf(write))) return undefined;
  const blocksOf = (quads: number): number => Math.ceil(own / (mixSide * quads));
  const groupsOf = (quads: number): number => blocksOf(quads) * groups * tiles * images;
  const quads = [4, 2].find((one) => own > (mixSide * one) / 2 && groupsOf(one) >= busy) ?? 1;
  const chunk = [8, 4, 2].find((one) => mixBytes(one, quads) <= sharedBytes);
  if (chunk === undefined) return undefined;
  const mix = { array: "x1", start: "weights", outputs: "p.ownQuads" };
  const added = residual
    ? " + x2[image * p.addImage + line * p.addRow + column * p.addPixel + part * p.ownQuads + q]"
    : "";
  const body = `  if (group >= p.workgroups) { return; }
${partsOf("group", ["block", "p.blocks"], ["part", "p.groups"], ["tile", "p.tiles"], ["image"])}
  let weights = ${weightsStart(spec)} + part * p.groupSide * (p.sums + 1);
  let firstQuad = block * ${mixSide * quads};
${beginSums(quads, mix)}
  for (var base = 0; base < p.ownIn; base += ${chunk}) {
    workgroupBarrier();
    for (var i = lane; i < ${mixPixels * chunk}; i += ${mixUnits}) {
      let c = base + i % ${chunk};
      let at = tile * ${mixPixels} + i / ${chunk};
      var v = vec4f(0.0);
      if (c < p.ownIn && at < p.turns * p.yPixels) { v = x0[image * p.xImage + at * p.depth + part * p.groupIn + c]; }
      middle[i] = v;
    }
${loadMix(chunk, quads, mix)}
    workgroupBarrier();
${addProducts(chunk, quads)}
  }
${endSums(
  quads,
  (sum, pixel) => `    let at = tile * ${mixPixels} + ${pixel};
    if (q < p.ownQuads && at < p.turns * p.yPixels) {
      let line = at / p.yPixels;
      let column = at % p.yPixels;
      let all = ${sum}${added};
      y[((image * p.yRows + line) * p.yPixels + column) * p.yQuads + part * p.ownQuads + q] = ${activated(spec.activation, "all")};
    }`,
)}`;
  const workgroups = groupsOf(quads);
  return {
    module: { body, functions: functionsFor(body), shared: mixShared(chunk, quads), together: true, size: mixUnits },
    arrays: { x0: "vec4f", x1: "vec4f", ...(residual && ({ x2: "vec4f" } as const)), y: "vec4f" },
    words: {
      ...wholes,
      workgroups,
      blocks: blocksOf(quads),
      tiles,
      turns,
      ownQuads: own,
      ownIn: Math.ceil(shape.inputs / 4),
    },
    units: workgroups * mixUnits,
  };
}

export const conv: Shader<ConvSpec> = {
  dispatches(spec, step): Dispatch[] {
    const shape = convShape(spec);
    const pixels = pixelsAt(spec, step.write);
    const isWhole = spec.groups === 1 || (shape.inputs % 4 === 0 && (spec.outputs / spec.groups) % 4 === 0);
    const all = words(spec, shape, step);
    const wholes = Object.fromEntries(Object.entries(all).map(([name, value]) => [name, Math.floor(value)]));
    if (!isWhole) {
      const body = singleBody(spec);
      const { residual } = spec;
      return [
        {
          module: { body, functions: functionsFor(body) },
          arrays: { x0: "f32", x1: "f32", ...(residual && ({ x2: "f32" } as const)), y: "f32" },
          words: { pixels, turns: step.turns, ...wholes },
          units: step.write.channels * pixels * step.turns * step.images,
        },
      ];
    }
    const tiled = shape.dots ? undefined : pointwise(spec, shape, step, wholes);
    if (tiled) return [tiled];
    const tile = tileOf(pixels);
    const grid = { quads: shape.dots ? 1 : quadsOf(step.write), pixels, tile };
    const body = shape.dots ? dotsBody(spec, tile) : quadBody(spec, shape, tile);
    return [
      {
        module: { body, functions: functionsFor(body) },
        arrays: { x0: "vec4f", x1: "vec4f", ...(spec.residual && ({ x2: "vec4f" } as const)), y: "vec4f" },
        words: { ...gridWords(grid, step), ...wholes },
        units: gridUnits(grid, step),
      },
    ];
  },
};
