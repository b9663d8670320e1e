// The taps family: column passes, row passes and direct filters are all sums of taps times shifted rows; only the
// list of taps differs, and it is data. So few generated functions serve every filter of the same types.
import type { TapsSpec } from "../../plan/types.ts";
import { type CodeMode, type Kernel, rowElements, type StepBuffers } from "../kernel.ts";
import { columnRows, emitColumn } from "./column.ts";
import { finishKind, pairsRows, tapsBlock, tapsParams, tapsRows, unrolledTaps } from "./layout.ts";
import { emitList, isRow } from "./list.ts";
import { emitPairs } from "./pairs.ts";
import { tapsReference } from "./reference.ts";
import { emitStrided } from "./strided.ts";

const strided = ({ strides }: TapsSpec): boolean => (strides?.[1] ?? 1) > 1;

function entry(spec: TapsSpec, buffers: StepBuffers, { relaxed, wide }: CodeMode): string {
  const { reads, write } = buffers;
  if (strided(spec)) return `taps strided by ${spec.strides![1]} x${write.channels}`;
  const rows = columnRows(spec, buffers);
  const count = (rows === 0 && unrolledTaps(spec, reads[0]!)) || "";
  const list = count || !isRow(spec) ? "taps" : "row";
  const kind = pairsRows(spec, reads[0]!) ? "pairs" : rows > 0 ? `column x${rows}` : list;
  const types = [...reads, write].map(({ dtype }) => dtype).join(" ");
  const fused = relaxed ? " relaxed" : "";
  return `${count && `${count} `}${kind} ${types} in ${spec.arithmetic} ${finishKind(spec.finish, spec.arithmetic)}${fused}${wide ? " wide" : ""}`;
}

function emitter(spec: TapsSpec, buffers: StepBuffers): typeof emitList {
  if (strided(spec)) return emitStrided;
  if (pairsRows(spec, buffers.reads[0]!)) return emitPairs;
  return columnRows(spec, buffers) > 0 ? emitColumn : emitList;
}

export const taps: Kernel<TapsSpec> = {
  family: "taps",
  reference: tapsReference,
  entry,
  emit: (module, name, spec, buffers, mode) => emitter(spec, buffers)(module, name, spec, buffers, mode),
  work: (spec, { write }) => {
    const multiplications = spec.taps.length * rowElements(write);
    return {
      arithmetic: spec.arithmetic,
      multiplications,
      additions: 0,
      serialAdditions: strided(spec) ? multiplications : 0,
    };
  },
  params: tapsParams,
  overrun: { elements: tapsBlock, rows: tapsRows },
};
