// Mirrors thin pictures at the diagonal, in generated code: a stretch of the long side at a time goes through staging memory.
import { bump, type Code, type FunctionBuilder, get, type Local, load, store } from "../../codegen/assembler.ts";
import type { TypedArray } from "../../tensor.ts";
import type { Staging } from "./staging.ts";
import { times } from "./transfer.ts";

/** Elements of a stretch, in fours, of so many short sides at most. */
const stretch = 4096;
const mostShort = 32;
const unrolled = 4;

type Words = Int8Array | Int16Array | Int32Array;
const classes = { 1: Int8Array, 2: Int16Array, 4: Int32Array };
const dtypes = { 1: "i8", 2: "i16", 4: "i32" } as const;
const operations = {
  1: ["i32.load8_u", "i32.store8"],
  2: ["i32.load16_u", "i32.store16"],
  4: ["i32.load", "i32.store"],
} as const;

/**
 * Puts `height` rows of `width` elements, each of `bytes` bytes, to where they are columns; false, and nothing done, where there
 * is no code for such sides.
 */
export function turn(
  staging: Staging,
  from: TypedArray,
  to: TypedArray,
  sides: [height: number, width: number],
  bytes: number,
) {
  const [height, width] = sides;
  const [short, long] = [Math.min(height, width), Math.max(height, width)];
  const size = bytes as 1 | 2 | 4;
  if (!classes[size] || short > mostShort || (from.byteOffset | to.byteOffset) % size !== 0) return false;
  const [source, target] = [from, to].map((array) => wordsOf(array, size, short * long)) as [Words, Words];
  const isStanding = height > width;
  const dtype = dtypes[size];
  const room = short * stretch * size;
  const [at, after] = [staging.reserve(2 * room), room];
  const move = staging.compiled(`turn ${isStanding} ${short} ${size}`, 3, (f, memory) =>
    emitTurn(f, isStanding, short, size, memory),
  );
  for (let first = 0; first < long; first += stretch) {
    const count = Math.min(stretch, long - first);
    const groups = Math.ceil(count / unrolled);
    if (isStanding) {
      staging.put(source, dtype, first * short, count * short, at);
      move(at + after, at, groups);
      for (let c = 0; c < short; c++)
        staging.take(target, dtype, c * long + first, count, at + after + c * stretch * size);
    } else {
      for (let c = 0; c < short; c++) staging.put(source, dtype, c * long + first, count, at + c * stretch * size);
      move(at + after, at, groups);
      staging.take(target, dtype, first * short, count * short, at + after);
    }
  }
  return true;
}

function wordsOf({ buffer, byteOffset }: TypedArray, size: 1 | 2 | 4, length: number): Words {
  return new classes[size](buffer as ArrayBuffer, byteOffset, length);
}

/** Rows of `short` elements to as many rows of a stretch's length, or back. */
function emitTurn(f: FunctionBuilder, isStanding: boolean, short: number, size: 1 | 2 | 4, memory: number): void {
  const [to, from, groups] = f.params as [Local, Local, Local];
  const [loads, stores] = operations[size];
  const body: Code[] = [];
  for (let j = 0; j < unrolled; j++)
    for (let c = 0; c < short; c++) {
      const [close, apart] = [(c + j * short) * size, c * stretch * size + j * size];
      const [source, target] = isStanding ? [close, apart] : [apart, close];
      body.push(store(stores, get(to), load(loads, get(from), source, memory), target, memory));
    }
  const [wide, narrow] = [unrolled * short * size, unrolled * size];
  f.emit(times(groups, ...body, bump(from, isStanding ? wide : narrow), bump(to, isStanding ? narrow : wide)));
}
