// All operators: the common ones, and the rare ones that most networks do without. For code that rewrites networks;
// running a model loads this list only if the model names a rare operator (load.ts).
import type { Operator, Operators } from "../../graph/types.ts";
import { bits } from "./bits.ts";
import { cast, castLike, shape, size } from "./cast.ts";
import { common } from "./common.ts";
import { controls } from "./control.ts";
import { matMul } from "./mat-mul.ts";
import { depthToSpace, expand, gather, pad, slice, spaceToDepth, split, tile } from "./movement.ts";
import { convInteger, dequantizeLinear, qLinearConv, quantizeLinear } from "./quantize.ts";
import { recurrent } from "./recurrent.ts";
import { resizes } from "./resize.ts";
import { argExtremes, where } from "./select.ts";

/** Operators that most networks do without: of quantized networks, of those that compute shapes, and of those that resize. */
const rare: readonly Operator[] = [
  ...bits,
  ...controls,
  ...recurrent,
  ...[...argExtremes, cast, castLike, convInteger, depthToSpace, dequantizeLinear, expand, gather, matMul, pad],
  ...[qLinearConv, quantizeLinear, ...resizes, shape, size, slice, spaceToDepth, split, tile, where],
];

/** All operators by name. */
export const operators: Operators = new Map([...common, ...rare].map((operator) => [operator.name, operator]));
