// The depthwise family: each input channel with its own filters. Weights are [kh, kw, channels · multiplier] and then a
// bias of channels · multiplier; output channel c · multiplier + m, as in TensorFlow.
import type { Activation, DepthwiseSpec } from "../../plan/types.ts";
import { activate } from "../activation.ts";
import { type Kernel, type Rows, rowElements } from "../kernel.ts";
import { depthwiseLayout, emitDepthwise } from "./wasm.ts";

function reference(spec: DepthwiseSpec, [input, constants]: Rows[], write: Rows, rows: number): void {
  const [kh, kw] = spec.size;
  const { width, channels } = write.spec;
  const weights = constants!.row(0);
  const bias = kh * kw * channels;
  for (let y = 0; y < rows; y++) {
    const window = Array.from({ length: kh }, (_, ky) => input!.row(y * spec.strides[0] + ky * spec.dilations[0]));
    const out = write.row(y);
    for (let x = 0; x < width; x++) {
      for (let o = 0; o < channels; o++) {
        const c = Math.floor(o / spec.depthMultiplier);
        let sum = weights[bias + o]!;
        for (let ky = 0; ky < kh; ky++) {
          for (let kx = 0; kx < kw; kx++) {
            const column = x * spec.strides[1] + kx * spec.dilations[1];
            sum += weights[(ky * kw + kx) * channels + o]! * window[ky]![column * input!.spec.channels + c]!;
          }
        }
        out[x * channels + o] = activate(spec.activation, sum);
      }
    }
  }
}

export const depthwise: Kernel<DepthwiseSpec> = {
  family: "depthwise",
  reference,
  entry: ({ activation }: { activation: Activation }) => `depthwise f32 ${activation}`,
  emit: (module, name, spec) => emitDepthwise(module, name, spec),
  work: ({ size }, { write }) => {
    const multiplications = size[0] * size[1] * rowElements(write);
    return { arithmetic: "f32", multiplications, additions: 0, serialAdditions: 0 };
  },
  params(spec, { reads, write }) {
    const block = new Int32Array(depthwiseLayout.bytes / 4);
    const at = (offset: number, value: number): void => void (block[offset / 4] = value);
    at(depthwiseLayout.outBytes, rowElements(write) * 4);
    at(depthwiseLayout.channelBytes, write.channels * 4);
    at(depthwiseLayout.multiplier, spec.depthMultiplier);
    at(depthwiseLayout.pixelBytes, spec.strides[1] * reads[0]!.channels * 4);
    at(depthwiseLayout.rowStride, spec.strides[0] * 4);
    at(depthwiseLayout.kh, spec.size[0]);
    at(depthwiseLayout.kw, spec.size[1]);
    at(depthwiseLayout.dilationRows, spec.dilations[0] * 4);
    at(depthwiseLayout.dilationBytes, spec.dilations[1] * reads[0]!.channels * 4);
    return new Uint8Array(block.buffer);
  },
  overrun: { elements: 0, rows: 0 },
};
