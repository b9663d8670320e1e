// The move family: values to other places, by loops over what is read and written. Slices, transposes, reshapes, joins of
// values along any axis, repetition, and pixels from channels or back.
import type { BufferSpec, MoveSpec, Position } from "../../plan/types.ts";
import type { Kernel, Rows } from "../kernel.ts";
import { elementIn, hasHoles, isOuter, layoutOf, mostInner, mostOuter, params } from "./layout.ts";
import { emit } from "./wasm.ts";

/** Rows of the grid of a move. */
export const turnsOf = ({ loops }: Pick<MoveSpec, "loops">): number =>
  loops.filter(isOuter).reduce((product, { count }) => product * count, 1);

/** Whether generated code has enough loops for a move, and the loops stand in the order that it goes through. */
export function isMovable({ loops }: Pick<MoveSpec, "loops">): boolean {
  const outer = loops.filter(isOuter).length;
  const isSorted = loops.slice(0, outer).every(isOuter) && loops.every(({ to }) => to.filter(Boolean).length === 1);
  return isSorted && outer <= mostOuter && loops.length - outer <= mostInner;
}

/** A place as rows of all images, and elements of a row without its left border. */
const rowIn = ([image, row]: Position, { height }: BufferSpec): number => image * height! + row;

function reference(spec: MoveSpec, [input]: Rows[], write: Rows, rows: number, first: number): void {
  const { loops, from, to, channels } = spec;
  const [x, y] = [input!.spec, write.spec];
  const margin = ({ left = 0, channels }: BufferSpec): number => left * channels;
  const outer = loops.filter(isOuter);
  const inner = loops.slice(outer.length);
  const copy = (depth: number, source: Position, target: Position): void => {
    const loop = inner[depth];
    if (!loop) {
      const value = input!.row(rowIn(source, x))[margin(x) + elementIn(source, x)]!;
      write.row(rowIn(target, y))[margin(y) + elementIn(target, y)] = value;
      return;
    }
    for (let i = 0; i < loop.count; i++) copy(depth + 1, after(source, loop.from, i), after(target, loop.to, i));
  };
  for (let turn = first; turn < first + rows; turn++) {
    let [source, target, rest] = [from, to, turn];
    for (const loop of outer.toReversed()) {
      const index = rest % loop.count;
      rest = (rest - index) / loop.count;
      [source, target] = [after(source, loop.from, index), after(target, loop.to, index)];
    }
    if (channels !== undefined) {
      const row = write.row(rowIn(target, y));
      for (let at = margin(y); at < row.length; at++) if (at % y.channels >= channels) row[at] = 0;
    }
    copy(0, source, target);
  }
}

const after = (place: Position, step: Position, times: number): Position =>
  place.map((value, i) => value + times * step[i]!) as Position;

const elementsOf = ({ loops }: MoveSpec): number => loops.reduce((product, { count }) => product * count, 1);

export const move: Kernel<MoveSpec> = {
  family: "move",
  describe: ({ loops }) => `${loops.map(({ count }) => count).join(" x ")} elements`,
  reference,
  entry: (spec, buffers) => {
    const { reads, tiles } = layoutOf(spec, buffers).run;
    return ["move", reads, tiles && `${tiles} tiles`, hasHoles(spec, buffers) && "and clear"].filter(Boolean).join(" ");
  },
  emit: (module, name, spec, buffers) => emit(module, name, spec, buffers),
  work: (spec, buffers) => {
    const { reads, tiles } = layoutOf(spec, buffers).run;
    // What is copied element by element takes some eight times as long as vectors, tiles twice as long.
    const additions = (elementsOf(spec) / turnsOf(spec)) * (reads === "neighbours" ? 1 : tiles ? 2 : 8);
    return { arithmetic: "depthwise", multiplications: 0, serialAdditions: 0, additions };
  },
  params,
  overrun: { elements: 0, rows: 0 },
};
