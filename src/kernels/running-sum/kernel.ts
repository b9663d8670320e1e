// The running-sum family: sums of `length` neighbours, each from the one before by one addition and one subtraction.
// Only for integers, where that is exact: in floating point the error would drift, and a NaN would never leave the sum.
import type { RunningSumSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { type Kernel, type Rows, rowElements } from "../kernel.ts";
import { emitColumn, emitRow, runningSumLayout } from "./wasm.ts";

function reference({ axis, length }: RunningSumSpec, [input]: Rows[], write: Rows, rows: number): void {
  const n = rowElements(write.spec);
  const channels = write.spec.channels;
  for (let y = 0; y < rows; y++) {
    const window = Array.from({ length: axis === "column" ? length : 1 }, (_, k) => input!.row(y + k));
    const out = write.row(y);
    for (let i = 0; i < n; i++) {
      let sum = 0;
      if (axis === "column") for (const row of window) sum += row[i]!;
      else for (let k = 0; k < length; k++) sum += window[0]![i + k * channels]!;
      out[i] = sum;
    }
  }
}

export const runningSum: Kernel<RunningSumSpec> = {
  family: "running-sum",
  describe: ({ axis, length }) => `running sums of ${length} along the ${axis}`,
  reference,
  entry: ({ axis }, { reads, write }) =>
    `running-sum ${axis} ${reads[0]!.dtype}${axis === "row" ? ` x${write.channels}` : ""}`,
  emit: (module, name, spec, buffers) => (spec.axis === "column" ? emitColumn : emitRow)(module, name, buffers),
  work: ({ axis }, { write }) => {
    const additions = 2 * rowElements(write);
    const serial = axis === "row";
    return {
      arithmetic: "i32",
      multiplications: 0,
      additions: serial ? 0 : additions,
      serialAdditions: serial ? additions : 0,
    };
  },
  params(spec, { reads, write }) {
    const block = new Int32Array(runningSumLayout.bytes / 4);
    const elementBytes = write.channels * bytesOf[reads[0]!.dtype];
    block[runningSumLayout.elements / 4] = rowElements(write);
    block[runningSumLayout.span / 4] = spec.axis === "column" ? spec.length * 4 : spec.length * elementBytes;
    return new Uint8Array(block.buffer);
  },
  overrun: { elements: 16, rows: 0 },
};
