// Generates the end of sums that are means of pixels: each becomes the value nearest to one of these pixels, of those that
// rounding may have made the sum of. So no result leaves what is between the least and the greatest pixel of its window.
import { type Code, type FunctionBuilder, get, type Local, load, op, set } from "../../codegen/assembler.ts";
import { bytesOf } from "../../tensor.ts";
import type { StepBuffers } from "../kernel.ts";
import { scaled } from "../lanes.ts";
import { tapsLayout } from "./layout.ts";

/** Sets `at` to the address of the pixel of the `i`-th element, in the `r`-th row from the table on. */
export function meanAddress(params: Local, table: Local, at: Local, { reads }: StepBuffers, i: Local, r = 0): Code[] {
  const row = load("i32.load", op("i32.add", get(table), load("i32.load", get(params), tapsLayout.meanRow)), 4 * r);
  const first = op("i32.add", row, load("i32.load", get(params), tapsLayout.meanAt));
  return [set(at, op("i32.add", first, scaled(get(i), bytesOf[reads.at(-1)!.dtype])))];
}

/** Of the values within the slack of each sum, the one nearest to its pixel; a sum that is not a number stays so. */
export function nearest(f: FunctionBuilder, params: Local, sums: readonly Local[], pixels: readonly Local[]): Code[] {
  const [less, more] = [f.local("v128"), f.local("v128")];
  const scaledBy = (sum: Local, at: number): Code =>
    op("f32x4.mul", get(sum), load("v128.load32_splat", get(params), at));
  return sums.flatMap((sum, v) => [
    set(less, scaledBy(sum, tapsLayout.less)),
    set(more, scaledBy(sum, tapsLayout.more)),
    set(sum, op("f32x4.pmax", op("f32x4.pmin", get(less), get(more)), get(pixels[v]!))),
    set(sum, op("f32x4.pmin", get(sum), op("f32x4.pmax", get(less), get(more)))),
  ]);
}
