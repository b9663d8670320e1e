// The pointwise family: a 1×1 convolution, so a matrix product. Weights are [inChannels, outChannels padded to lanes],
// then a bias of the padded length.
import type { PointwiseSpec } from "../../plan/types.ts";
import { activate } from "../activation.ts";
import { type Kernel, type Rows, rowElements } from "../kernel.ts";
import { emitPointwise, paddedOutputs, pointwiseLayout } from "./wasm.ts";

function reference(spec: PointwiseSpec, [input, constants]: Rows[], write: Rows, rows: number): void {
  const [inputs, outputs] = [input!.spec.channels, write.spec.channels];
  const weights = constants!.row(0);
  const padded = paddedOutputs(outputs);
  for (let y = 0; y < rows; y++) {
    const source = input!.row(y);
    const out = write.row(y);
    for (let x = 0; x < write.spec.width; x++) {
      for (let o = 0; o < outputs; o++) {
        let sum = weights[inputs * padded + o]!;
        for (let c = 0; c < inputs; c++) sum += weights[c * padded + o]! * source[x * inputs + c]!;
        out[x * outputs + o] = activate(spec.activation, sum);
      }
    }
  }
}

/** Weights [inChannels · outChannels] and bias in the order that the kernel reads. */
export function packPointwise(
  weights: ArrayLike<number>,
  bias: ArrayLike<number> | undefined,
  inputs: number,
  outputs: number,
): Float32Array {
  const padded = paddedOutputs(outputs);
  const packed = new Float32Array((inputs + 1) * padded);
  for (let c = 0; c < inputs; c++) for (let o = 0; o < outputs; o++) packed[c * padded + o] = weights[c * outputs + o]!;
  for (let o = 0; o < outputs; o++) packed[inputs * padded + o] = bias?.[o] ?? 0;
  return packed;
}

export const pointwise: Kernel<PointwiseSpec> = {
  family: "pointwise",
  reference,
  entry: ({ activation }, _buffers, { relaxed }) => `pointwise f32 ${activation}${relaxed ? " relaxed" : ""}`,
  emit: (module, name, spec, _buffers, mode) => emitPointwise(module, name, spec, mode),
  work: (_spec, { reads, write }) => {
    const multiplications = reads[0]!.channels * rowElements(write);
    return { arithmetic: "f32", multiplications, additions: 0, serialAdditions: 0 };
  },
  params(_spec, { reads, write }) {
    const block = new Int32Array(pointwiseLayout.bytes / 4);
    block[pointwiseLayout.outBytes / 4] = rowElements(write) * 4;
    block[pointwiseLayout.outPixel / 4] = write.channels * 4;
    block[pointwiseLayout.weightRow / 4] = paddedOutputs(write.channels) * 4;
    block[pointwiseLayout.inPixel / 4] = reads[0]!.channels * 4;
    return new Uint8Array(block.buffer);
  },
  overrun: { elements: 4, rows: 0 },
};
