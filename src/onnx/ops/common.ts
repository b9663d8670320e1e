// The operators that most networks name, and those that passes introduce. Loaded with every model.
import type { Operator } from "../../graph/types.ts";
import { clip, prelu } from "./activations.ts";
import { constant, constantOfShape, dropout, identity } from "./constant.ts";
import { conv, convTranspose, separableConv } from "./conv.ts";
import { elementwise } from "./elementwise.ts";
import { gemm } from "./gemm.ts";
import { batchNormalization, instanceNormalization, softmaxes } from "./normalization.ts";
import { averagePool, maxPool } from "./pool.ts";
import { reductions } from "./reduce.ts";
import { concat, rearrange, reshapes, transpose } from "./reshape.ts";

export const common: readonly Operator[] = [
  ...[averagePool, batchNormalization, clip, concat, constant, constantOfShape, conv, convTranspose, dropout],
  ...[...elementwise, gemm, identity, instanceNormalization, maxPool, prelu, rearrange, ...reductions, ...reshapes],
  ...[separableConv, ...softmaxes, transpose],
];
