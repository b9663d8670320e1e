// Operators that most networks name, and those that passes make of others.
import type { Operator } from "../../graph/types.ts";
import { clip } from "./clip.ts";
import { concat } from "./concat.ts";
import { constant, constantOfShape } from "./constant.ts";
import { conv, convTranspose } from "./conv.ts";
import { elementwise } from "./elementwise.ts";
import { gemm } from "./gemm.ts";
import { dropout, identity } from "./identity.ts";
import { batchNormalization, instanceNormalization } from "./normalization.ts";
import { averagePool, maxPool } from "./pool.ts";
import { prelu } from "./prelu.ts";
import { reductions } from "./reduce.ts";
import { reshapes } from "./reshape.ts";
import { separableConv } from "./separable-conv.ts";
import { softmaxes } from "./softmax.ts";
import { transpose } from "./transpose.ts";

export const common: readonly Operator[] = [
  ...[averagePool, batchNormalization, clip, concat, constant, constantOfShape, conv, convTranspose, dropout],
  ...[...elementwise, gemm, identity, instanceNormalization, maxPool, prelu, ...reductions, ...reshapes],
  ...[separableConv, ...softmaxes, transpose],
];
