// The taps family: column passes, row passes and direct filters are all sums of taps times shifted rows; only the
// list of taps differs, and it is data. So few generated functions serve every filter of the same types.
import type { TapsSpec } from "../../plan/types.ts";
import { plural } from "../../words.ts";
import { type CodeMode, type Kernel, rowElements, type StepBuffers } from "../kernel.ts";
import { columnRows, emitColumn } from "./column.ts";
import { finishKind, tapsBlock, tapsParams, tapsRows, unrolledTaps } from "./layout.ts";
import { emitList, isRow } from "./list.ts";
import { tapsReference } from "./reference.ts";
import { emitStrided } from "./strided.ts";

const strided = ({ strides }: TapsSpec): boolean => (strides?.[1] ?? 1) > 1;

function entry(spec: TapsSpec, buffers: StepBuffers, mode: CodeMode): string {
  const { reads, write } = buffers;
  if (strided(spec)) return `taps strided by ${spec.strides![1]} x${write.channels}`;
  const rows = columnRows(spec, buffers, mode);
  const count = unrolledTaps(spec, reads[0]!);
  const kind = rows > 0 ? `column x${rows}` : !count && isRow(spec) ? "row" : "list";
  const types = [...reads, write].map(({ dtype }) => dtype).join(" ");
  const finish = finishKind(spec.finish, spec.arithmetic);
  const modes = `${mode.relaxed ? " relaxed" : ""}${mode.wide ? " wide" : ""}`;
  const mean = spec.mean ? " mean" : "";
  return `${kind}${count ? ` of ${count}` : ""} ${types} in ${spec.arithmetic} ${finish}${mean}${modes}`;
}

function emitter(spec: TapsSpec, buffers: StepBuffers, mode: CodeMode): typeof emitList {
  if (strided(spec)) return emitStrided;
  return columnRows(spec, buffers, mode) > 0 ? emitColumn : emitList;
}

export const taps: Kernel<TapsSpec> = {
  family: "taps",
  describe: ({ taps: { length }, arithmetic, strides }) => {
    const every = strides ? `, every ${Math.max(...strides)}th` : "";
    return `${plural(length, "tap")}, ${arithmetic}${every}`;
  },
  reference: tapsReference,
  entry,
  emit: (module, name, spec, buffers, mode) => emitter(spec, buffers, mode)(module, name, spec, buffers, mode),
  work: (spec, { write }) => {
    const multiplications = spec.taps.length * rowElements(write);
    return {
      arithmetic: spec.arithmetic === "f32" && isLine(spec) ? "pass" : spec.arithmetic,
      multiplications,
      additions: spec.mean ? 2 * rowElements(write) : 0,
      serialAdditions: strided(spec) ? multiplications : 0,
    };
  },
  loads(spec, buffers, mode) {
    const [taps, elements] = [spec.taps.length, rowElements(buffers.write)];
    // A column pass loads each row once for all the rows that it makes at once; pairs of taps share a load.
    const rows = columnRows(spec, buffers, mode);
    if (rows > 0) return (elements * (taps + rows - 1)) / rows;
    return elements * (spec.arithmetic === "fixed" ? Math.ceil(taps / 2) : taps);
  },
  params: tapsParams,
  overrun: { elements: tapsBlock, rows: tapsRows },
};

/** Several taps along one axis. */
const isLine = ({ taps }: TapsSpec): boolean =>
  taps.length > 1 && (taps.every(({ dx }) => dx === taps[0]!.dx) || taps.every(({ dy }) => dy === taps[0]!.dy));
