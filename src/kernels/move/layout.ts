// How a move is laid out for its code: loops as rows and bytes, in the order that the code goes through, and the parameter block.
import type { BufferSpec, MoveLoop, MoveSpec, Position } from "../../plan/types.ts";
import type { StepBuffers } from "../kernel.ts";
import { wordsOf } from "../words.ts";

/** Loops of a move along images and rows of what is written, at most, and those within a row. */
export const mostOuter = 3;
export const mostInner = 4;

export const isOuter = ({ to: [image, row] }: MoveLoop): boolean => image !== 0 || row !== 0;

export const elementIn = ([, , pixel, channel]: Position, { channels }: BufferSpec): number =>
  pixel * channels + channel;

const loopWords = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => [
    `${name}Count${i}`,
    `${name}Row${i}`,
    `${name}Byte${i}`,
    `${name}To${i}`,
  ]).flat();
export const words = wordsOf(
  ...["fromRow", "fromByte", "toRow", "toByte", "pixels", "pixelBytes", "holeAt", "clearTo"],
  ...loopWords("outer", mostOuter),
  ...loopWords("inner", mostInner),
);

/** A loop as tables of rows and bytes of rows tell it. */
interface ByteLoop {
  count: number;
  /** Entries of the table and bytes of a row that is read; of what is written entries in outer loops, bytes in inner ones. */
  row: number;
  byte: number;
  to: number;
}

/** Entries of a table from row to row of all images: each has rows above and below. */
const entriesOf = ([image, row]: Position, { above, height, below }: BufferSpec): number =>
  image * (above + height! + below) + row;

/**
 * How the innermost loop reads: as it writes, at a stride, or a row each. With tiles it writes neighbours, and another loop,
 * the next around it or the innermost of those of rows, reads neighbours: four by four elements are turned at once.
 */
export interface Run {
  reads: "neighbours" | "strided" | "rows";
  tiles?: "inner" | "outer";
}

export interface MoveLayout {
  outer: ByteLoop[];
  inner: ByteLoop[];
  run: Run;
}

export function layoutOf({ loops }: MoveSpec, { reads: [x], write }: StepBuffers): MoveLayout {
  const outerLoops = loops.filter(isOuter);
  const loopOf = (loop: MoveLoop, index: number): ByteLoop => ({
    ...{ count: loop.count, row: entriesOf(loop.from, x!), byte: 4 * elementIn(loop.from, x!) },
    to: index < outerLoops.length ? entriesOf(loop.to, write) : 4 * elementIn(loop.to, write),
  });
  const all = loops.map(loopOf);
  const [outer, inner] = [all.slice(0, outerLoops.length), longLast(joined(all.slice(outerLoops.length)))];
  const { count, row, byte, to } = inner.at(-1)!;
  const reads = row !== 0 ? "rows" : byte === 4 && to === 4 ? "neighbours" : "strided";
  const found: MoveLayout = { outer, inner, run: { reads } };
  if (reads === "neighbours" || to !== 4 || count < 4) return found;
  // Loops of either kind may stand in any order: all elements are written once.
  const turned = (list: readonly ByteLoop[], end: number): ByteLoop[] | undefined => {
    const at = list.findIndex((loop, i) => i < end && loop.row === 0 && loop.byte === 4 && loop.count > 1);
    return at < 0 ? undefined : [...list.toSpliced(at, 1).slice(0, end - 1), list[at]!, ...list.slice(end)];
  };
  const innerTurned = turned(inner, inner.length - 1);
  if (innerTurned) return { outer, inner: innerTurned, run: { reads, tiles: "inner" } };
  const outerTurned = turned(outer, outer.length);
  return outerTurned ? { outer: outerTurned, inner, run: { reads, tiles: "outer" } } : found;
}

/** The innermost of the long loops as the last, where that is short: what a turn of the loops around it costs is paid less often. */
function longLast(loops: ByteLoop[]): ByteLoop[] {
  const at = loops.findLastIndex(({ count }) => count >= 8);
  return at < 0 || loops.at(-1)!.count >= 4 ? loops : [...loops.toSpliced(at, 1), loops[at]!];
}

/** Loops that go on where the one inside ends are one; those of one turn are none. */
function joined(loops: readonly ByteLoop[]): ByteLoop[] {
  const found: ByteLoop[] = [];
  for (const loop of loops.filter(({ count }) => count > 1).toReversed()) {
    const inside = found[0];
    const goesOn =
      inside &&
      loop.row === inside.row * inside.count &&
      loop.byte === inside.byte * inside.count &&
      loop.to === inside.to * inside.count;
    if (goesOn) found[0] = { ...inside, count: inside.count * loop.count };
    else found.unshift(loop);
  }
  return found.length > 0 ? found : [{ count: 1, row: 0, byte: 4, to: 4 }];
}

export function params(spec: MoveSpec, buffers: StepBuffers): Uint8Array {
  const { from, to, channels } = spec;
  const {
    reads: [x],
    write,
  } = buffers;
  const { outer, inner } = layoutOf(spec, buffers);
  const { left = 0, width, right = 0 } = write;
  const values: Record<string, number> = {
    ...{
      fromRow: entriesOf(from, x!) + x!.above,
      fromByte: 4 * elementIn(from, x!) + 4 * (x!.left ?? 0) * x!.channels,
    },
    ...{ toRow: entriesOf(to, write) + write.above, toByte: 4 * elementIn(to, write) + 4 * left * write.channels },
    ...{ pixels: width - left - right, pixelBytes: 4 * write.channels },
    ...{ holeAt: 4 * (left * write.channels + (channels ?? 0)), clearTo: 4 * (write.channels - (channels ?? 0)) },
  };
  const pad = (loops: readonly ByteLoop[], most: number): ByteLoop[] => [
    ...Array<ByteLoop>(most - loops.length).fill({ count: 1, row: 0, byte: 0, to: 0 }),
    ...loops,
  ];
  for (const [name, loops] of [
    ["outer", pad(outer, mostOuter)],
    ["inner", pad(inner, mostInner)],
  ] as const)
    for (const [i, { count, row, byte, to }] of loops.entries())
      Object.assign(values, {
        [`${name}Count${i}`]: count,
        [`${name}Row${i}`]: row,
        [`${name}Byte${i}`]: byte,
        [`${name}To${i}`]: to,
      });
  return words.pack(values);
}

export const hasHoles = ({ channels }: MoveSpec, { write }: StepBuffers): boolean =>
  channels !== undefined && channels < write.channels;
