// The WGSL of the move family: an element a unit. Without margins the places of all loops are sums of multiples.
import type { MoveSpec, Position } from "../../plan/types.ts";
import { type Dispatch, type Operand, partsOf, type Shader } from "../shader.ts";
import { isOuter } from "./layout.ts";

const elementAt = ([image, row, pixel, channel]: Position, { rows, pixels, channels }: Operand): number =>
  ((image * rows + row) * pixels + pixel) * channels + channel;

export const move: Shader<MoveSpec> = {
  dispatches({ loops, from, to, channels }, { reads, write }): Dispatch[] {
    const [x] = reads as [Operand];
    const terms = loops.map((_, k) => k);
    const parts = terms
      .toReversed()
      .map((k): [string, string] | [string] => (k === 0 ? ["i0"] : [`i${k}`, `p.count${k}`]));
    const sum = (which: string): string => [`p.${which}`, ...terms.map((k) => `i${k} * p.${which}${k}`)].join(" + ");
    const words: Record<string, number> = { source: elementAt(from, x), to: elementAt(to, write) };
    for (const [k, loop] of loops.entries()) {
      words[`count${k}`] = loop.count;
      words[`source${k}`] = elementAt(loop.from, x);
      words[`to${k}`] = elementAt(loop.to, write);
    }
    const copies: Dispatch = {
      module: { body: `${partsOf("u", ...parts)}\n  y[${sum("to")}] = x0[${sum("source")}];` },
      arrays: { x0: "f32", y: "f32" },
      words,
      units: loops.reduce((product, { count }) => product * count, 1),
    };
    if (channels === undefined || channels >= write.channels) return [copies];
    // Channels that are stored beyond those of the value become zeros, in the rows that are written.
    const outer = loops.flatMap((loop, k) => (isOuter(loop) ? [k] : []));
    const holes = write.channels - channels;
    const row: Position = [to[0], to[1], 0, 0];
    const clears: Dispatch = {
      module: {
        body: `${partsOf("u", ["hole", "p.holes"], ["pixel", "p.pixels"], ...outer.toReversed().map((k): [string, string] => [`i${k}`, `p.count${k}`]))}
  y[${["p.to", ...outer.map((k) => `i${k} * p.to${k}`)].join(" + ")} + pixel * p.channels + p.channels - p.holes + hole] = 0.0;`,
      },
      arrays: { y: "f32" },
      words: { ...words, to: elementAt(row, write), holes, pixels: write.pixels, channels: write.channels },
      units: outer.reduce((product, k) => product * loops[k]!.count, holes * write.pixels),
    };
    return [clears, copies];
  },
};
