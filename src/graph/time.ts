// Predicts the time of a network on a machine by the cost model, from five rates of that machine.
import type { Engine } from "../engine/engine.ts";
import { workOf } from "../kernels/table.ts";
import { builtInProfile, costOf } from "../plan/cost.ts";
import type { Profile } from "../plan/types.ts";
import { compile } from "./compile.ts";
import { specialize } from "./passes/index.ts";
import type { Graph, Operators, Spec } from "./types.ts";

/** How fast a machine computes networks: nanoseconds on one thread. */
export interface MachineProfile {
  /** What the machine is called. */
  name: string;
  /** A multiply-accumulate of a product over channels. */
  matrix: number;
  /** A multiply-accumulate of a depthwise filter. */
  depthwise: number;
  /** An addition, as Winograd's algorithm and pools make them. */
  addition: number;
  /** Moving a byte of a whole value. */
  byte: number;
  /** A kernel's call for one strip. */
  call: number;
}

/** The cost model's profile with these rates. */
function profileOf({ name, matrix, depthwise, addition, byte, call }: MachineProfile): Profile {
  const multiplication = { ...builtInProfile.multiplication, matrix, depthwise };
  return { ...builtInProfile, name, multiplication, addition, arenaByte: byte, call };
}

export const builtInRates: MachineProfile = {
  name: builtInProfile.name,
  matrix: builtInProfile.multiplication.matrix,
  depthwise: builtInProfile.multiplication.depthwise,
  addition: builtInProfile.addition,
  byte: builtInProfile.arenaByte,
  call: builtInProfile.call,
};

/** Predicted nanoseconds of a network's backend partitions on one thread, as the engine plans them. */
export function plannedTime(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  engine: Pick<Engine, "plan">,
  profile: MachineProfile = builtInRates,
): number {
  const { graph: optimised, specs } = specialize(graph, operators, inputs);
  const partitions = compile(optimised, operators, specs, engine);
  const model = profileOf(profile);
  return partitions.reduce(
    (time, partition) => time + (partition.kind === "backend" ? costOf(partition.plan, model, workOf).time : 0),
    0,
  );
}
