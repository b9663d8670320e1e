// The buffers of a plan as a backend holds them: values with the zeros around them that windows read. Plans say shapes and
// pads; how much room a value needs follows from all who read it.
import { windowOf } from "../plan/strips.ts";
import type { BufferSpec, Plan, Step } from "../plan/types.ts";

/** What backends need of a plan. `ends` are values that runs give back, though some stage reads them. */
export type Schedule = Pick<Plan, "stages" | "buffers"> & { ends?: readonly string[] };

export function withMargins({ stages, buffers }: Schedule): BufferSpec[] {
  const plain = new Map(buffers.map((buffer) => [buffer.id, buffer]));
  const held = new Map(buffers.map((buffer) => [buffer.id, { ...buffer }]));
  for (const step of stages.flatMap(({ steps }) => steps)) {
    const [x, write] = [plain.get(step.reads[0]!), plain.get(step.writes)];
    const margins = x && write && marginsOf(step, x, write);
    if (!margins) continue;
    const { above, left, below, right } = margins;
    const spec = held.get(x.id)!;
    spec.above = Math.max(spec.above, above);
    spec.below = Math.max(spec.below, below);
    spec.left = Math.max(spec.left ?? 0, left);
    spec.right = Math.max(spec.right ?? 0, right);
    spec.width = spec.left + x.width + spec.right;
  }
  return [...held.values()];
}

/** Rows and pixels beyond a value that one of its readers sees. */
function marginsOf({ kernel }: Step, x: BufferSpec, write: BufferSpec) {
  const window = windowOf(kernel);
  if (!window || window.whole || x.height === undefined) return undefined;
  const { size, strides, dilations, pads, rowsOut = 1, rowStart = 0, columnsOut = 1, phase } = window;
  const rows = Math.ceil((write.height! - rowStart) / rowsOut);
  const columns = phase?.count ?? Math.ceil(write.width / columnsOut);
  const beyond = (axis: 0 | 1, count: number, side: number): number =>
    Math.max(0, (count - 1) * strides[axis] + (size[axis] - 1) * dilations[axis] - pads[axis] - (side - 1));
  return {
    ...{ above: Math.max(0, pads[0]), left: Math.max(0, pads[1]) },
    ...{ below: beyond(0, rows, x.height), right: beyond(1, columns, x.width) },
  };
}

/** Lists of many buffers are asked for each step's again and again. */
const indices = new WeakMap<readonly BufferSpec[], Map<string, BufferSpec>>();

export function find(specs: readonly BufferSpec[], id: string): BufferSpec {
  const index = indices.get(specs) ?? new Map(specs.map((spec) => [spec.id, spec]));
  indices.set(specs, index);
  const spec = index.get(id);
  if (!spec) throw new Error(`plan: no buffer ${id}`);
  return spec;
}

/** The buffers that a step touches, as they are held. */
export const buffersOf = ({ reads, writes }: Step, specs: readonly BufferSpec[]) => ({
  reads: reads.map((id) => find(specs, id)),
  write: find(specs, writes),
});
