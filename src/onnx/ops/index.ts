// The one list of operators.
import type { Operators } from "../../graph/types.ts";
import { argExtremes } from "./arg-max.ts";
import { cast, castLike } from "./cast.ts";
import { clip } from "./clip.ts";
import { concat } from "./concat.ts";
import { constant, constantOfShape } from "./constant.ts";
import { conv, convTranspose } from "./conv.ts";
import { convInteger, qLinearConv } from "./conv-integer.ts";
import { depthToSpace, spaceToDepth } from "./depth-to-space.ts";
import { elementwise } from "./elementwise.ts";
import { expand } from "./expand.ts";
import { gather } from "./gather.ts";
import { gemm } from "./gemm.ts";
import { dropout, identity } from "./identity.ts";
import { matMul } from "./mat-mul.ts";
import { batchNormalization, instanceNormalization } from "./normalization.ts";
import { pad } from "./pad.ts";
import { averagePool, maxPool } from "./pool.ts";
import { prelu } from "./prelu.ts";
import { dequantizeLinear, quantizeLinear } from "./quantize.ts";
import { reductions } from "./reduce.ts";
import { reshapes } from "./reshape.ts";
import { resizes } from "./resize.ts";
import { separableConv } from "./separable-conv.ts";
import { shape, size } from "./shape.ts";
import { slice } from "./slice.ts";
import { softmaxes } from "./softmax.ts";
import { split } from "./split.ts";
import { tile } from "./tile.ts";
import { transpose } from "./transpose.ts";
import { where } from "./where.ts";

export const operators: Operators = new Map(
  [
    ...[...argExtremes, averagePool, batchNormalization, cast, castLike, clip, concat, constant, constantOfShape, conv],
    ...[
      convInteger,
      convTranspose,
      depthToSpace,
      dequantizeLinear,
      dropout,
      ...elementwise,
      expand,
      gather,
      gemm,
      identity,
    ],
    ...[instanceNormalization, matMul, maxPool, pad, prelu, qLinearConv, quantizeLinear, ...reductions, ...reshapes],
    ...[...resizes, separableConv, shape, size, slice, ...softmaxes, spaceToDepth, split, tile, transpose, where],
  ].map((operator) => [operator.name, operator]),
);
