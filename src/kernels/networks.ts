// Kernels that networks alone need, apart from the table so that filters and layers do not load them: see `addKernels` there.
import { expression } from "./expression/kernel.ts";
import { gemm } from "./gemm/kernel.ts";
import { move } from "./move/kernel.ts";
import { pool } from "./pool/kernel.ts";
import { reduce } from "./reduce/kernel.ts";
import { resize } from "./resize/kernel.ts";
import { softmax } from "./softmax/kernel.ts";

/** What stands between the layers of a network. */
export const networkKernels = { pool, move, softmax, reduce, resize, expression } as const;

/** What separating a network computes with. */
export const productKernels = { gemm } as const;
