// The one list of operators, all of them at once: for what rewrites networks. What runs them loads what they name (load.ts).
import type { Operators } from "../../graph/types.ts";
import { common } from "./common.ts";
import { rare } from "./rare.ts";

export const operators: Operators = new Map([...common, ...rare].map((operator) => [operator.name, operator]));
