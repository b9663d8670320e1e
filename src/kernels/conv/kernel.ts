// The conv family: every convolution across channels, pointwise ones among them, as a matrix product. Reads an input, its
// weights as `packConv` lays them out, optionally a value to add, and room for a list of pointers.
import type { ConvSpec } from "../../plan/types.ts";
import { plural } from "../../words.ts";
import { activate } from "../activation.ts";
import { type Kernel, pixelsOf, type Rows } from "../kernel.ts";
import { transformWeights } from "../winograd/kernel.ts";
import {
  convIndex,
  convParams,
  convShape,
  convUnits,
  dotBytes,
  dotLanes,
  mostTile,
  packConv,
  storedInput,
  unitBytes,
} from "./layout.ts";
import { convVariant, emitConv } from "./wasm.ts";

function reference(spec: ConvSpec, reads: Rows[], write: Rows, rows: number): void {
  const [input, constants, added] = reads as [Rows, Rows, Rows];
  const [kh, kw] = spec.size;
  const shape = convShape(spec);
  const [each, outputs] = [spec.inputs / spec.groups, spec.outputs / spec.groups];
  const { left = 0, channels } = write.spec;
  const start = (input.spec.left ?? 0) - spec.pads[1];
  for (let y = 0; y < rows; y++) {
    const window = Array.from({ length: kh }, (_, ky) => input.row(y * spec.strides[0] + ky * spec.dilations[0]));
    const out = write.row(y * (spec.rowsOut ?? 1));
    const weights = constants.row(spec.packed === "rows" ? y * (spec.rowsOut ?? 1) : 0);
    const { step, start: at, count } = spec.phase ?? { step: 1, start: 0, count: pixelsOf(write.spec) };
    for (let x = 0; x < count; x++) {
      for (let o = 0; o < spec.outputs; o++) {
        const [group, output] = [Math.floor(o / outputs), o % outputs];
        let sum = weights[convIndex(spec, shape, group, output, -1)]!;
        for (let tap = 0; tap < kh * kw; tap++) {
          const column = start + x * spec.strides[1] + (tap % kw) * spec.dilations[1];
          const from = column * input.spec.channels + group * each;
          const row = window[Math.floor(tap / kw)]!;
          for (let c = 0; c < each; c++) {
            const stored = storedInput(spec, c);
            sum += weights[convIndex(spec, shape, group, output, tap * shape.inputs + stored)]! * row[from + stored]!;
          }
        }
        if (spec.residual) sum += added.row(y)[((added.spec.left ?? 0) + x) * added.spec.channels + o]!;
        out[(left + at + x * step) * channels + o] = activate(spec.activation, sum);
      }
    }
  }
}

export const conv: Kernel<ConvSpec> = {
  family: "conv",
  describe: ({ size, inputs, outputs }) => `${size.join(" x ")}, ${inputs} -> ${plural(outputs, "channel")}`,
  reference,
  entry: (spec, buffers, mode) => {
    const { panels, tail } = convShape(spec);
    const parts = [panels > 0 && 16, tail].filter(Boolean).join("+");
    const [flat, packed] = [spec.size[0] === 1 ? " flat" : "", spec.packed === "rows" ? " by rows" : ""];
    return `${convVariant(spec, buffers, mode)} of ${parts}${flat}${packed}`;
  },
  emit: emitConv,
  work: (spec, { write }) => {
    const { depth, panels, tail, dots } = convShape(spec);
    const pixels = spec.phase?.count ?? pixelsOf(write);
    const multiplications = pixels * spec.groups * depth * (dots ? spec.outputs : panels * 16 + tail);
    return { arithmetic: "matrix", multiplications, additions: dots ? pixels * dotLanes * 4 : 0, serialAdditions: 0 };
  },
  params: convParams,
  units: convUnits,
  unitBytes,
  pack(spec, _input, given, packed) {
    const { winograd, inputs, outputs } = spec;
    const weights = winograd
      ? transformWeights(given, [winograd.inputs, inputs / 16], [winograd.outputs, outputs / 16])
      : given;
    packConv(spec, weights, packed);
  },
  scratch: (spec, write, rows) => (rows * pixelsOf(write) + mostTile) * (spec.size[0] + 2) * 4 + dotBytes(spec),
  overrun: { elements: 0, rows: 0 },
};
