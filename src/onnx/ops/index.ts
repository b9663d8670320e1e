// All operators, for code that rewrites networks. Running a model loads only the lists that hold what it names (load.ts).
import type { Operators } from "../../graph/types.ts";
import { common } from "./common.ts";
import { rare } from "./rare.ts";
import { rarest } from "./rarest.ts";
import { stepwise } from "./stepwise.ts";

/** All operators by name. */
export const operators: Operators = new Map(
  [...common, ...rare, ...stepwise, ...rarest].map((operator) => [operator.name, operator]),
);
