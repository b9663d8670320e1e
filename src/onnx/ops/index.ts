// All operators by name, for code that rewrites networks. Running a model loads only what it names (load.ts).
import type { Operators } from "../../graph/types.ts";
import { common } from "./common.ts";
import { rare } from "./rare.ts";

export const operators: Operators = new Map([...common, ...rare].map((operator) => [operator.name, operator]));
