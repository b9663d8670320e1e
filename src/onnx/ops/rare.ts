// Operators that most networks do without: of quantized networks, of those that compute shapes, and of those that resize.
// Loaded where a network names one of them.
import type { Operator } from "../../graph/types.ts";
import { cast, castLike, shape, size } from "./cast.ts";
import { matMul } from "./mat-mul.ts";
import { depthToSpace, expand, gather, pad, slice, spaceToDepth, split, tile } from "./movement.ts";
import { convInteger, dequantizeLinear, qLinearConv, quantizeLinear } from "./quantize.ts";
import { resizes } from "./resize.ts";
import { argExtremes, where } from "./select.ts";

export const rare: readonly Operator[] = [
  ...[...argExtremes, cast, castLike, convInteger, depthToSpace, dequantizeLinear, expand, gather, matMul, pad],
  ...[qLinearConv, quantizeLinear, ...resizes, shape, size, slice, spaceToDepth, split, tile, where],
];
