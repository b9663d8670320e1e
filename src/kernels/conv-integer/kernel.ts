// The conv-integer family: convolutions across channels of 16-bit integers, exactly. Reads an input in i16, and its weights as
// `packIntegers` lays them out; gives integers in i16, or numbers in f32.
import type { ConvIntegerSpec } from "../../plan/types.ts";
import { plural } from "../../words.ts";
import { roundEven } from "../expression/formulas.ts";
import { type Kernel, pixelsOf, type Rows } from "../kernel.ts";
import {
  floatOf,
  integerParams,
  integerShape,
  integerTile,
  integerUnitBytes,
  integerUnits,
  packIntegers,
  wordIndex,
} from "./layout.ts";
import { emitInteger, integerVariant } from "./wasm.ts";

function reference(spec: ConvIntegerSpec, reads: Rows[], write: Rows, rows: number): void {
  const [input, constants] = reads as [Rows, Rows];
  const [kh, kw] = spec.size;
  const { each } = integerShape(spec);
  const words = constants.row(0);
  const { left = 0, channels } = write.spec;
  const start = (input.spec.left ?? 0) - spec.pads[1];
  for (let y = 0; y < rows; y++) {
    const window = Array.from({ length: kh }, (_, ky) => input.row(y * spec.strides[0] + ky * spec.dilations[0]));
    const out = write.row(y);
    for (let x = 0; x < pixelsOf(write.spec); x++) {
      for (let o = 0; o < spec.outputs; o++) {
        let sum = words[wordIndex(spec, o, 0)]!;
        for (let tap = 0; tap < kh * kw; tap++) {
          const column = start + x * spec.strides[1] + (tap % kw) * spec.dilations[1];
          const row = window[Math.floor(tap / kw)]!;
          for (let pair = 0; pair < each; pair++) {
            const word = words[wordIndex(spec, o, 2 + tap * each + pair)]!;
            const at = column * input.spec.channels + 2 * pair;
            sum += ((word << 16) >> 16) * row[at]! + (word >> 16) * row[at + 1]!;
          }
        }
        const value = Math.fround(Math.fround(sum) * floatOf(words[wordIndex(spec, o, 1)]!));
        const [low, high] = spec.round ?? [];
        out[(left + x) * channels + o] = spec.round ? roundEven(Math.min(high!, Math.max(low!, value))) : value;
      }
    }
  }
}

export const convInteger: Kernel<ConvIntegerSpec> = {
  family: "conv-integer",
  describe: ({ size, inputs, outputs }) =>
    `${size.join(" x ")}, ${inputs} -> ${plural(outputs, "channel")} of integers`,
  reference,
  entry: (spec, buffers, mode) => {
    const { panels, tail } = integerShape(spec);
    return `${integerVariant(spec, buffers, mode)} of ${[panels > 0 && 16, tail].filter(Boolean).join("+")}`;
  },
  emit: emitInteger,
  work: (spec, { write }) => {
    const { depth, panels, tail } = integerShape(spec);
    const multiplications = 2 * pixelsOf(write) * depth * (panels * 16 + tail);
    return { arithmetic: "matrix", multiplications, additions: 0, serialAdditions: 0 };
  },
  params: integerParams,
  units: integerUnits,
  unitBytes: integerUnitBytes,
  pack: (spec, _input, weights, packed) => packIntegers(spec, weights, packed),
  scratch: (spec, write, rows) => (rows * pixelsOf(write) + integerTile(write)) * (spec.size[0] + 2) * 4,
  overrun: { elements: 0, rows: 0 },
};
