// Operators that most networks do without: of quantised networks, of those that compute shapes, and of those that resize.
import type { Operator } from "../../graph/types.ts";
import { argExtremes } from "./arg-max.ts";
import { cast, castLike } from "./cast.ts";
import { convInteger, qLinearConv } from "./conv-integer.ts";
import { depthToSpace, spaceToDepth } from "./depth-to-space.ts";
import { expand } from "./expand.ts";
import { gather } from "./gather.ts";
import { matMul } from "./mat-mul.ts";
import { pad } from "./pad.ts";
import { dequantizeLinear, quantizeLinear } from "./quantize.ts";
import { resizes } from "./resize.ts";
import { shape, size } from "./shape.ts";
import { slice } from "./slice.ts";
import { split } from "./split.ts";
import { tile } from "./tile.ts";
import { where } from "./where.ts";

export const rare: readonly Operator[] = [
  ...[...argExtremes, cast, castLike, convInteger, depthToSpace, dequantizeLinear, expand, gather, matMul, pad],
  ...[qLinearConv, quantizeLinear, ...resizes, shape, size, slice, spaceToDepth, split, tile, where],
];
