// The taps family: column passes, row passes and direct filters are all sums of taps times shifted rows; only the
// list of taps differs, and it is data. So one generated function serves every filter of the same types.
import type { Finish, TapsSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import type { Kernel, StepBuffers } from "../kernel.ts";
import { rowElements } from "../kernel.ts";
import { tapsReference } from "./reference.ts";
import { emitTaps, finishKind, tapsLayout } from "./wasm.ts";

/** Elements that the generated code handles at once: it may read and write as many, less one, past a row's end. */
export const tapsBlock = 16;

function params(spec: TapsSpec, { reads, write }: StepBuffers): Uint8Array {
  const block = new DataView(new ArrayBuffer(tapsLayout.taps + spec.taps.length * tapsLayout.tapBytes));
  const [input] = reads as [StepBuffers["write"]];
  const finish: Finish = spec.finish ?? { denominator: 1, gain: 1, offset: 0 };
  block.setInt32(tapsLayout.elements, rowElements(write), true);
  block.setInt32(tapsLayout.end, block.byteLength, true);
  block.setFloat64(tapsLayout.denominator, finish.denominator, true);
  block.setFloat64(tapsLayout.gain, finish.gain, true);
  block.setFloat64(tapsLayout.offset, finish.offset, true);
  spec.taps.forEach(({ dy, dx, tap }, index) => {
    const at = tapsLayout.taps + index * tapsLayout.tapBytes;
    block.setInt32(at, dy * 4, true);
    block.setInt32(at + 4, dx * input.channels * bytesOf[input.dtype], true);
    if (spec.arithmetic === "i32") block.setInt32(at + 8, tap, true);
    else block.setFloat32(at + 8, tap, true);
  });
  return new Uint8Array(block.buffer);
}

export const taps: Kernel<TapsSpec> = {
  family: "taps",
  reference: tapsReference,
  entry: (spec, { reads, write }, { relaxed }) =>
    [
      `taps ${reads[0]!.dtype}->${write.dtype} ${spec.arithmetic}`,
      reads.length > 1 ? " add" : "",
      spec.finish ? ` ${finishKind(spec.finish)}` : "",
      relaxed && spec.arithmetic === "f32" ? " relaxed" : "",
    ].join(""),
  emit: emitTaps,
  work: ({ arithmetic, taps }, { write }) => {
    const multiplications = taps.length * rowElements(write);
    return { arithmetic, multiplications, additions: 0, serialAdditions: 0 };
  },
  params,
  overrun: tapsBlock,
};
