// Operators of networks that compute step by step, on sequences or as programs: loops, branches, recurrent layers and bits. Loaded
// where a network names one that is neither common nor rare.
import type { Operator } from "../../graph/types.ts";
import { bits } from "./bits.ts";
import { controls } from "./control.ts";
import { recurrent } from "./recurrent.ts";

export const stepwise: readonly Operator[] = [...bits, ...controls, ...recurrent];
