// What a compiled network does, piece by piece: for whoever explains a network, or times it.
import { describeKernel, kernelOf } from "../kernels/table.ts";
import type { Step } from "../plan/types.ts";
import type { Part } from "./compile.ts";
import type { Spec } from "./types.ts";

/** A stage on the machine, a node on the host, or the values that pass from one to the other. */
export interface Work {
  /** The name of the node that it comes from; of copies, of the values. */
  name: string;
  /** ONNX's name of the operator, "copy in" or "copy out". */
  op: string;
  /** In generated code, in plain loops, or between the two. */
  place: "machine" | "host" | "copy";
  /** Of what it computes; of copies none. */
  shape?: readonly number[];
  /** Of a stage: what its steps do. */
  steps: string[];
  /** Of a stage: the names of its steps' generated code; code of equal names is the same. */
  kernels: string[];
}

/** What one part of a network does, by what is known of its values. */
export function worksOf(part: Part, specs: ReadonlyMap<string, Spec>): Work[] {
  const of = ({ name, op, outputs }: { name: string; op: string; outputs: readonly string[] }) => ({
    ...{ name: name || outputs[0]!, op, shape: specs.get(outputs[0]!)?.shape },
  });
  if (part.kind === "host") return part.nodes.map((node) => ({ ...of(node), place: "host", steps: [], kernels: [] }));
  const { stages, buffers } = part.plan;
  const entry = ({ kernel, reads, writes }: Step): string => {
    const [write, ...read] = [writes, ...reads].map((id) => buffers.find((buffer) => buffer.id === id)!);
    return kernelOf(kernel).entry(kernel, { reads: read, write: write! }, { relaxed: false, wide: false });
  };
  const copy = (op: string, names: readonly string[]): Work => ({
    ...{ name: names.join(", "), op, place: "copy", steps: [], kernels: [] },
  });
  return [
    copy("copy in", part.reads),
    ...stages.map(({ steps }, i): Work => {
      const said = steps.map(({ kernel }) => `${kernel.family} ${describeKernel(kernel)}`);
      return { ...of(part.nodes[i]!), place: "machine", steps: said, kernels: steps.map(entry) };
    }),
    copy(
      "copy out",
      part.writes.map(({ name }) => name),
    ),
  ];
}
