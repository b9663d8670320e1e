// Generates the pointwise family: four outputs of one pixel at a time. The last four of a pixel may run into the next
// one, which is written after it.
import type { PointwiseSpec } from "../../plan/types.ts";
import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  whileLoop,
} from "../../wasm/assembler.ts";
import { activateLanes } from "../activation.ts";
import type { CodeMode } from "../kernel.ts";
import { multiplyAdd } from "../lanes.ts";

/** Byte offsets in the parameter block. */
export const pointwiseLayout = { outBytes: 0, outPixel: 4, weightRow: 8, inPixel: 12, bytes: 16 };

export const paddedOutputs = (outputs: number): number => Math.ceil(outputs / 4) * 4;

export function emitPointwise(
  module: ModuleBuilder,
  name: string,
  { activation }: PointwiseSpec,
  mode: CodeMode,
): void {
  module.define(name, ["i32", "i32", "i32", "i32", "i32"], (f) => {
    const [rows, params, source, constants, target] = f.params as [Local, Local, Local, Local, Local];
    const [out, end, pixel, from, fromEnd, weights, o] = Array.from({ length: 7 }, () => f.local("i32")) as Local[] as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const sum = f.local("v128");
    const p = (offset: number): Code => load("i32.load", get(params), offset);
    const outputs = [
      set(from, get(pixel)),
      set(weights, op("i32.add", load("i32.load", get(constants)), get(o))),
      set(
        sum,
        load(
          "v128.load",
          op(
            "i32.add",
            get(weights),
            op("i32.mul", op("i32.shr_u", p(pointwiseLayout.inPixel), i32(2)), p(pointwiseLayout.weightRow)),
          ),
        ),
      ),
      doWhile(
        op("i32.lt_u", get(from), get(fromEnd)),
        set(
          sum,
          multiplyAdd("f32", mode, load("v128.load32_splat", get(from)), load("v128.load", get(weights)), get(sum)),
        ),
        bump(from, 4),
        bump(weights, p(pointwiseLayout.weightRow)),
      ),
      store("v128.store", op("i32.add", get(out), get(o)), activateLanes(activation, get(sum))),
      bump(o, 16),
    ];
    f.emit(
      whileLoop(
        get(rows),
        set(out, load("i32.load", get(target))),
        set(end, op("i32.add", get(out), p(pointwiseLayout.outBytes))),
        set(pixel, load("i32.load", get(source))),
        doWhile(
          op("i32.lt_u", get(out), get(end)),
          set(fromEnd, op("i32.add", get(pixel), p(pointwiseLayout.inPixel))),
          set(o, i32(0)),
          doWhile(op("i32.lt_u", get(o), p(pointwiseLayout.outPixel)), ...outputs),
          bump(out, p(pointwiseLayout.outPixel)),
          set(pixel, get(fromEnd)),
        ),
        bump(source, 4),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}
