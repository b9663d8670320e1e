// The depthwise family: each stored channel with filters of its own, on pixels that are whole vectors. Output channel
// m · stored + c, m being the member of the depth multiplier: members stand one after the other, each padded.
import type { DepthwiseSpec } from "../../plan/types.ts";
import { activate, activationName } from "../activation.ts";
import { type CodeMode, type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { depthwiseParams, depthwiseShape, packDepthwise } from "./layout.ts";
import { depthwiseVariant, emitDepthwise } from "./wasm.ts";

function reference(spec: DepthwiseSpec, [input, constants]: Rows[], write: Rows, rows: number): void {
  const [kh, kw] = spec.size;
  const stored = input!.spec.channels;
  const { index } = depthwiseShape(spec, stored);
  const weights = constants!.row(0);
  const { left = 0, channels } = write.spec;
  const { step, start: first, count } = spec.phase ?? { step: 1, start: 0, count: pixelsOf(write.spec) };
  const start = (input!.spec.left ?? 0) - spec.pads[1];
  for (let y = 0; y < rows; y++) {
    const window = Array.from({ length: kh }, (_, ky) => input!.row(y * spec.strides[0] + ky * spec.dilations[0]));
    const out = write.row(y * (spec.rowsOut ?? 1));
    for (let x = 0; x < count; x++) {
      for (let o = 0; o < stored * spec.depthMultiplier; o++) {
        let sum = weights[index(o, -1)]!;
        for (let tap = 0; tap < kh * kw; tap++) {
          const column = start + x * spec.strides[1] + (tap % kw) * spec.dilations[1];
          sum += weights[index(o, tap)]! * window[Math.floor(tap / kw)]![column * stored + (o % stored)]!;
        }
        out[(left + first + x * step) * channels + o] = activate(spec.activation, sum);
      }
    }
  }
}

const entry = (spec: DepthwiseSpec, buffers: StepBuffers, mode: CodeMode): string => {
  const { vectors, tile, side } = depthwiseVariant(spec, buffers, mode);
  const { size, strides, dilations, activation } = spec;
  const across = `${size[1]}/${strides[1]}/${dilations[1]}`;
  const parts = ["depthwise f32", `${side}/${vectors}x${tile}`, size[0] <= 5 ? `${size[0]} x` : "n x", across];
  return [...parts, activationName(activation), mode.relaxed && "relaxed", mode.wide && "wide"]
    .filter(Boolean)
    .join(" ");
};

export const depthwise: Kernel<DepthwiseSpec> = {
  family: "depthwise",
  describe: ({ size, depthMultiplier }) => `${size.join(" x ")}, depth multiplier ${depthMultiplier}`,
  reference,
  entry,
  emit: emitDepthwise,
  work: ({ size, phase }, { write }) => {
    const multiplications = size[0] * size[1] * write.channels * (phase?.count ?? pixelsOf(write));
    return { arithmetic: "depthwise", multiplications, additions: 0, serialAdditions: 0 };
  },
  params: depthwiseParams,
  pack: (spec, input, weights, packed) => packDepthwise(spec, input.channels, weights, packed),
  overrun: { elements: 0, rows: 0 },
};
