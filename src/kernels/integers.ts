// Kernels that quantised networks alone need, apart so that others do not load them.
import { convInteger } from "./conv-integer/kernel.ts";
import { retype } from "./retype/kernel.ts";

export const integerKernels = { "conv-integer": convInteger, retype } as const;
