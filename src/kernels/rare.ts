// Kernels that few networks need, apart so that others do not load them.
import { sample } from "./sample/kernel.ts";

export const rareKernels = { sample } as const;
