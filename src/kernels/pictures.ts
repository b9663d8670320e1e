// Kernels that some filters of pictures alone need, apart so that others do not load them.
import { edges } from "./edges/kernel.ts";

export const pictureKernels = { edges } as const;
