// Runs plans of thin pictures, which are made for the picture mirrored at the diagonal: it is turned, and the result back. A picture
// of one column is a row as it stands.
import type { MaskArray, Program, ProgramRunOptions } from "../backend/backend.ts";
import { inSlices } from "../backend/slices.ts";
import { InvalidArgumentError } from "../errors.ts";
import { turnedProblem } from "../plan/turned.ts";
import type { FilterProblem } from "../plan/types.ts";
import { checkThere, type Image, type ImageArray, imageDTypeOf, newArray } from "../tensor.ts";
import type { Picture } from "./masks.ts";
import { runFilter } from "./pictures.ts";
import { aloneIn, putApart, resultOf, type Target } from "./targets.ts";
import { EngineValue } from "./values.ts";

/** What is turned: sides of the picture as it stands, with so many elements to a pixel. */
interface Sides {
  width: number;
  height: number;
  channels: number;
}

/** Runs the program of a plan that is turned on a picture, by {@link runFilter}. `own`: values of the engine. */
export async function runTurned(
  program: Program,
  problem: FilterProblem,
  x: Picture,
  to: Target,
  options: ProgramRunOptions,
  own: Pick<WeakSet<EngineValue>, "has">,
): Promise<Image | EngineValue> {
  const { width, height, channels } = x;
  for (const data of [x.data, to.data]) if (data instanceof EngineValue && !own.has(data)) throw foreign();
  const turn = async <T extends ImageArray>(name: string, data: T | EngineValue, sides: Sides): Promise<T> => {
    const array = data instanceof EngineValue ? ((await data.inner.read()) as T) : data;
    checkThere(name, array, sides.width * sides.height * sides.channels);
    return turned(program, array, sides, options);
  };
  const picture = {
    ...{ ...x, width: height, height: width, data: await turn("x", x.data, x) },
    ...(x.mask && { mask: await turn<MaskArray>("mask", x.mask, { width, height, channels: 1 }) }),
  } as Picture;
  if (!(to.data instanceof EngineValue)) checkThere("y", to.data, to.width * to.height * channels);
  const part = { x: 0, y: 0, width: to.part.height, height: to.part.width };
  const alone = aloneIn(to);
  const result = isLine(part) ? alone : newArray(problem.y.dtype, part.width * part.height * channels);
  const target = { data: result, width: part.width, height: part.height, channels, part, apart: false, says: to.says };
  await runFilter(program, mirrored(problem), picture, target, options);
  const back = await turned(program, result, { ...part, channels }, options, alone);
  // This call is what the queue of the engine is at: a value is written at once.
  if (back !== to.data) await putApart(to, back, (value, data, part) => value.inner.write(data, part));
  return resultOf(to);
}

const problems = new WeakMap<FilterProblem, FilterProblem>();

/** The problem of the turned picture: the same one for every frame. */
function mirrored(problem: FilterProblem): FilterProblem {
  const known = problems.get(problem) ?? turnedProblem(problem);
  problems.set(problem, known);
  return known;
}

function foreign(): InvalidArgumentError {
  const [expected, received] = ["one of this engine", "another's"];
  return new InvalidArgumentError({ parameter: "value", expected, received });
}

const isLine = ({ width, height }: Pick<Sides, "width" | "height">): boolean => width === 1 || height === 1;

/** The elements mirrored at the diagonal: of one row or one column, the array itself. */
async function turned<T extends ImageArray>(
  program: Pick<Program, "turn">,
  data: T,
  { width, height, channels }: Sides,
  { signal }: ProgramRunOptions,
  into?: T,
): Promise<T> {
  if (isLine({ width, height })) return data;
  const result = into ?? (newArray(imageDTypeOf(data)!, width * height * channels) as T);
  if (width * height <= mostAtOnce && program.turn?.(data, result, [height, width], data.BYTES_PER_ELEMENT * channels))
    return result;
  const words = wordsOf(data, result, channels);
  await inSlices(width * height, signal, (from, to) => {
    mirror(words, { width, height, channels }, Math.ceil(from / width), Math.ceil(to / width));
    return true;
  });
  return result;
}

/** Pixels that are turned within a slice. */
const mostAtOnce = 2 ** 22;

type Words = Uint8Array | Uint16Array | Uint32Array;

/** Puts the rows from `first` to `end` where they are columns; the inner loop is along the longer side. */
function mirror({ from, to, count }: Pair, { width, height }: Sides, first: number, end: number): void {
  const down = { size: end - first, from: width * count, to: count };
  const across = { size: width, from: count, to: height * count };
  const [outer, inner] = down.size < width ? [down, across] : [across, down];
  for (let i = 0; i < outer.size; i++) {
    for (let c = 0; c < count; c++) {
      let source = first * width * count + i * outer.from + c;
      let target = first * count + i * outer.to + c;
      for (let j = 0; j < inner.size; j++, source += inner.from, target += inner.to) to[target] = from[source]!;
    }
  }
}

/** Two arrays as words, and how many make a pixel: loops over a few classes of arrays are faster than over all. */
interface Pair {
  from: Words;
  to: Words;
  count: number;
}

function wordsOf(data: ImageArray, result: ImageArray, channels: number): Pair {
  const bytes = data.BYTES_PER_ELEMENT * channels;
  const size = [4, 2].find((size) => bytes % size === 0 && (data.byteOffset | result.byteOffset) % size === 0) ?? 1;
  const Class = size === 4 ? Uint32Array : size === 2 ? Uint16Array : Uint8Array;
  const view = ({ buffer, byteOffset }: ImageArray): Words =>
    new Class(buffer as ArrayBuffer, byteOffset, result.byteLength / size);
  return { from: view(data), to: view(result), count: bytes / size };
}
