// The expression family: a function of up to three operands for every element, of which some may stand for all pixels of a
// row, all rows or all channels.
import type { BufferSpec, ExpressionSpec } from "../../plan/types.ts";
import { plural } from "../../words.ts";
import { type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { additionsOf, evaluate } from "./formulas.ts";
import { at, emit, hasHoles, isStill, numbersOf, vectorsOf } from "./wasm.ts";

function reference(spec: ExpressionSpec, reads: Rows[], write: Rows, rows: number): void {
  const { left = 0, channels } = write.spec;
  for (let y = 0; y < rows * (spec.rowsOut ?? 1); y++) {
    const out = write.row(y);
    const from = reads.map((read) => read.row(isStill(read.spec) ? 0 : y));
    for (let x = 0; x < pixelsOf(write.spec); x++) {
      const to = (left + x) * channels;
      for (let c = 0; c < channels; c++) {
        const operands = reads.map(({ spec: read }, i) => {
          const { pixels, channels } = spec.operands[i]!;
          return from[i]![((read.left ?? 0) + (pixels ? x : 0)) * read.channels + (channels ? c : 0)]!;
        });
        out[to + c] = c < spec.channels ? evaluate(spec, operands) : 0;
      }
    }
  }
}

/** Whether a row is one run of vectors, whatever pixels it has: nothing is masked, and operands go along or stand still. */
const isFlat = (spec: ExpressionSpec, buffers: StepBuffers): boolean =>
  !hasHoles(spec, buffers) &&
  spec.operands.every(
    ({ pixels, channels }, i) =>
      pixels === channels && (!pixels || buffers.reads[i]!.channels === buffers.write.channels),
  );

function params(spec: ExpressionSpec, buffers: StepBuffers): Uint8Array {
  const { reads, write } = buffers;
  const numbers = numbersOf(spec);
  const bytes = new Uint8Array(at.constants + 4 * (spec.constants.length + numbers.length));
  const words = new Int32Array(bytes.buffer);
  const flat = isFlat(spec, buffers);
  const [pixels, pixelBytes, lanes] = [pixelsOf(write), write.channels * 4, 4 * vectorsOf(buffers)];
  const offset = ({ left = 0, channels }: BufferSpec): number => left * channels * 4;
  words.set([flat ? 1 : pixels, flat ? pixels * pixelBytes : pixelBytes]);
  words.set([offset(write), pixelBytes, pixelBytes - 4 * lanes], at.to / 4);
  for (const [i, operand] of spec.operands.entries()) {
    const step = operand.pixels ? reads[i]!.channels * 4 : 0;
    words.set([offset(reads[i]!), step], at.operands / 4 + 2 * i);
  }
  const before = write.channels - lanes;
  for (let lane = 0; lane < lanes; lane++) words[at.masks / 4 + lane] = before + lane < spec.channels ? -1 : 0;
  words.fill(-1, at.masks / 4 + lanes, at.masks / 4 + 2 * lanes);
  new Float32Array(bytes.buffer).set(spec.constants, at.constants / 4);
  words.set(numbers, at.constants / 4 + spec.constants.length);
  return bytes;
}

export const expression: Kernel<ExpressionSpec> = {
  family: "expression",
  describe: ({ nodes }) =>
    nodes.flatMap(([name]) => (name === "operand" || name === "constant" ? [] : [name])).join(", ") || "a constant",
  reference,
  entry: (spec, buffers, { relaxed }) =>
    [
      `expression ${spec.nodes.map((node) => node.join(" ")).join(", ")}`,
      ...spec.operands.map(
        ({ channels }, i) => `${channels ? "channels" : "one"}${isStill(buffers.reads[i]!) ? " of one row" : ""}`,
      ),
      `${vectorsOf(buffers)} vectors`,
      hasHoles(spec, buffers) && "masked",
      spec.rowsOut && plural(spec.rowsOut, "row"),
      relaxed && "relaxed",
    ]
      .filter(Boolean)
      .join("; "),
  emit,
  work: ({ nodes, channels, rowsOut = 1 }, { write: { width } }) => ({
    ...{ arithmetic: "depthwise", multiplications: 0, serialAdditions: 0 },
    additions: rowsOut * channels * width * nodes.reduce((sum, node) => sum + additionsOf(node), 1),
  }),
  params,
  // Constants of channels, one after the other.
  pack: (_spec, _input, { weight }, packed) => packed.set(weight),
  overrun: { elements: 0, rows: 0 },
};
