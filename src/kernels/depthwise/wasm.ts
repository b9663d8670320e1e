// Generates the depthwise family, one output element at a time in lane 0: every shape, stride, dilation and multiplier.
import type { DepthwiseSpec } from "../../plan/types.ts";
import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  lane,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  whileLoop,
} from "../../wasm/assembler.ts";
import { activateLanes } from "../activation.ts";

/** Byte offsets in the parameter block. */
export const depthwiseLayout = {
  outBytes: 0,
  channelBytes: 4,
  multiplier: 8,
  pixelBytes: 12,
  rowStride: 16,
  kh: 20,
  kw: 24,
  dilationRows: 28,
  dilationBytes: 32,
  bytes: 36,
};

export function emitDepthwise(module: ModuleBuilder, name: string, { activation }: DepthwiseSpec): void {
  module.define(name, ["i32", "i32", "i32", "i32", "i32"], (f) => {
    const [rows, params, source, constants, target] = f.params as [Local, Local, Local, Local, Local];
    const [out, end, pixel, channel, member, weights, bias, table, ky, kx, from] = Array.from({ length: 11 }, () =>
      f.local("i32"),
    ) as Local[] as [Local, Local, Local, Local, Local, Local, Local, Local, Local, Local, Local];
    const sum = f.local("f32");
    const p = (offset: number): Code => load("i32.load", get(params), offset);
    const taps = doWhile(
      get(ky),
      set(from, op("i32.add", op("i32.add", load("i32.load", get(table)), get(pixel)), get(channel))),
      set(kx, p(depthwiseLayout.kw)),
      doWhile(
        get(kx),
        set(sum, op("f32.add", get(sum), op("f32.mul", load("f32.load", get(weights)), load("f32.load", get(from))))),
        bump(weights, p(depthwiseLayout.channelBytes)),
        bump(from, p(depthwiseLayout.dilationBytes)),
        bump(kx, -1),
      ),
      bump(table, p(depthwiseLayout.dilationRows)),
      bump(ky, -1),
    );
    const area = op("i32.mul", p(depthwiseLayout.kh), p(depthwiseLayout.kw));
    const output = [
      set(weights, op("i32.add", load("i32.load", get(constants)), get(bias))),
      set(sum, load("f32.load", op("i32.add", get(weights), op("i32.mul", area, p(depthwiseLayout.channelBytes))))),
      set(table, get(source)),
      set(ky, p(depthwiseLayout.kh)),
      taps,
      store(
        "f32.store",
        get(out),
        lane("f32x4.extract_lane", 0, activateLanes(activation, op("f32x4.splat", get(sum)))),
      ),
      bump(out, 4),
      bump(bias, 4),
      bump(member, 1),
      // After `multiplier` outputs, the next input channel.
      set(channel, op("i32.add", get(channel), scaledEq(get(member), p(depthwiseLayout.multiplier)))),
      set(member, op("i32.mul", get(member), op("i32.ne", get(member), p(depthwiseLayout.multiplier)))),
    ];
    f.emit(
      whileLoop(
        get(rows),
        set(out, load("i32.load", get(target))),
        set(end, op("i32.add", get(out), p(depthwiseLayout.outBytes))),
        set(pixel, i32(0)),
        doWhile(
          op("i32.lt_u", get(out), get(end)),
          set(bias, i32(0)),
          set(channel, i32(0)),
          set(member, i32(0)),
          doWhile(op("i32.lt_u", get(bias), p(depthwiseLayout.channelBytes)), ...output),
          bump(pixel, p(depthwiseLayout.pixelBytes)),
        ),
        bump(source, p(depthwiseLayout.rowStride)),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

/** 4 where equal, else 0. */
const scaledEq = (a: Code, b: Code): Code => op("i32.shl", op("i32.eq", a, b), i32(2));
