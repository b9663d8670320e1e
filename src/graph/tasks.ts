// The tasks of a compiled network, in order: stages, host nodes and copies. What `explainModel` lists and `onTask` times.
import { describeKernel, kernelOf } from "../kernels/table.ts";
import type { Step } from "../plan/types.ts";
import type { Partition } from "./compile.ts";
import type { Spec } from "./types.ts";

/** A stage on the backend, a node on the host, or a copy of values between the two. */
export interface Task {
  /** The name of the node that it comes from; of copies, of the values. */
  name: string;
  /** ONNX's name of the operator, "copy in" or "copy out". */
  op: string;
  /** In generated code, in plain loops, or between the two. */
  place: "backend" | "host" | "copy";
  /** Of what it computes; of copies none. */
  shape?: readonly number[];
  /** Of a stage: what its steps do. */
  steps: string[];
  /** Of a stage: the names of its steps' generated code; code of equal names is the same. */
  kernels: string[];
}

/** The tasks of one partition; `specs` are the types and shapes of the network's values. */
export function tasksOf(partition: Partition, specs: ReadonlyMap<string, Spec>): Task[] {
  const of = ({ name, op, outputs }: { name: string; op: string; outputs: readonly string[] }) => ({
    ...{ name: name || outputs[0]!, op, shape: specs.get(outputs[0]!)?.shape },
  });
  if (partition.kind === "host")
    return partition.nodes.map((node) => ({ ...of(node), place: "host", steps: [], kernels: [] }));
  const { stages, buffers } = partition.plan;
  const entry = ({ kernel, reads, writes }: Step): string => {
    const [write, ...read] = [writes, ...reads].map((id) => buffers.find((buffer) => buffer.id === id)!);
    return kernelOf(kernel).entry(kernel, { reads: read, write: write! }, { relaxed: false, wide: false });
  };
  const copy = (op: string, names: readonly string[]): Task => ({
    ...{ name: names.join(", "), op, place: "copy", steps: [], kernels: [] },
  });
  return [
    copy(
      "copy in",
      partition.reads.map(({ name }) => name),
    ),
    ...stages.map(({ steps }, i): Task => {
      const said = steps.map(({ kernel }) => `${kernel.family} ${describeKernel(kernel)}`);
      return { ...of(partition.nodes[i]!), place: "backend", steps: said, kernels: steps.map(entry) };
    }),
    copy(
      "copy out",
      partition.writes.map(({ name }) => name),
    ),
  ];
}
