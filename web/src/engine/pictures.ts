// Worker calls on pictures: filters the held picture, as a whole, as a difference, or pass by pass.
import {
  createEngine,
  type Engine,
  type EngineInfo,
  type Filter,
  type FilterOptions,
  type Image,
  type PictureSpec,
  type Plan,
} from "rank1";
import { colourOf } from "../colour.ts";
import { framed, placeFor } from "../picture/border.ts";
import { type Display, displayOf } from "../picture/display.ts";
import type { Weights } from "../state/choice.ts";
import type { BorderName } from "../state/hash.ts";
import type { Calls, Context, FilterCall, Filtered, Pixels, StagesCall } from "./protocol.ts";

let making: Promise<Engine> | undefined;

/** The one engine, for pictures, layers and models alike. */
export function engine(): Promise<Engine> {
  making ??= createEngine();
  return making;
}

export const info = async (): Promise<EngineInfo> => (await engine()).info();

interface Held extends Image {
  readonly data: Uint8Array;
  /** What becomes of its alpha. */
  readonly alpha: "keep" | "premultiply";
}

let held: Held | undefined;
let decodes = 0;
/** Results before they are painted, and those of other types before they are shown: used again. */
const scratch: { shown?: ImageData; i16?: Int16Array; f32?: Float32Array; u8?: Uint8Array } = {};

/** Larger pictures would not fit a page with all that is made of them. */
const mostPixels = 40e6;

export async function decode({ from }: Calls["decode"]["args"]): Promise<Calls["decode"]["answer"]> {
  const turn = ++decodes;
  const bitmap = from instanceof Blob ? await createImageBitmap(from) : from;
  const { width, height } = bitmap;
  if (width * height > mostPixels) throw new Error(`it has ${width} × ${height} pixels, more than 40 million`);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const data = new Uint8Array(context.getImageData(0, 0, width, height).data.buffer);
  let opaque = true;
  for (let i = 3; opaque && i < data.length; i += 4) opaque = data[i] === 255;
  // A small picture may overtake a large one
  if (turn !== decodes) return { width, height, data: data.buffer, opaque };
  held = { width, height, channels: 4, data, alpha: opaque ? "keep" : "premultiply" };
  for (const key of Object.keys(scratch) as (keyof typeof scratch)[]) delete scratch[key];
  return { width, height, data: data.slice().buffer, opaque };
}

export function source(): Held {
  if (!held) throw new Error("there is no picture yet");
  return held;
}

const specOf = ({ width, height, channels }: Held): PictureSpec => ({ width, height, channels, dtype: "u8" });

type Canvas = OffscreenCanvasRenderingContext2D;
let canvases: { original: Canvas; result: Canvas };

export async function stage({ original, result }: Calls["stage"]["args"]): Promise<undefined> {
  // Once: Firefox gives no context of a canvas that shows something already
  canvases = { original: original.getContext("2d")!, result: result.getContext("2d")! };
}

function paint(context: Canvas, image: ImageData): void {
  const { canvas } = context;
  const { width, height } = image;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.putImageData(image, 0, 0);
}

export async function frame({ border, frame }: Calls["frame"]["args"]): Promise<undefined> {
  paint(canvases.original, framed(source(), border, frame));
}

export async function filter(call: FilterCall, { signal, progress }: Context): Promise<Filtered> {
  const image = source();
  const { length } = image.data;
  const picture = (scratch.shown ??= new ImageData(image.width, image.height));
  const shown = new Uint8Array(picture.data.buffer);
  const onProgress = length > 1 << 24 ? progress : undefined;
  const answer: Filtered = await apply(image, call.filter, call, shown, { signal, onProgress });
  if (call.against !== undefined) {
    let other = image.data;
    if (call.against !== "input") {
      other = scratch.u8 ??= new Uint8Array(length);
      await apply(image, call.against.filter, call, other, { signal });
    }
    answer.largest = paintDifference(shown, other, call.dark);
  }
  paint(canvases.result, picture);
  return answer;
}

/** Milliseconds of the same again, without painting it. */
export async function time(call: FilterCall, { signal }: Context): Promise<number> {
  const image = source();
  const other = (scratch.u8 ??= new Uint8Array(image.data.length));
  return (await apply(image, call.filter, call, other, { signal })).milliseconds;
}

/** Plans of the last calls: a slider that is dragged comes back to its values. */
const plans = new Map<string, Plan>();
const mostPlans = 64;

function planOf(running: Engine, image: Held, wanted: Filter, options: FilterOptions): Plan {
  const asked = [specOf(image), wanted, { alpha: image.alpha, ...options }] as const;
  const key = JSON.stringify(asked);
  const plan = plans.get(key) ?? running.plan(running.filterProblem(...asked));
  plans.delete(key);
  plans.set(key, plan);
  if (plans.size > mostPlans) plans.delete(plans.keys().next().value!);
  return plan;
}

/** Filters into `shown`: bytes at once, other types by way of an array of theirs. */
async function apply(
  image: Held,
  wanted: Filter,
  { options: given, display }: FilterCall,
  shown: Uint8Array,
  hooks: { signal: AbortSignal; onProgress?: (done: number) => void },
): Promise<{ plan: Plan; milliseconds: number }> {
  const running = await engine();
  const { output } = given;
  const plan = planOf(running, image, wanted, given);
  const wide = output === "i16" || output === "f32";
  const out = wide ? wideArray(output, shown.length) : shown;
  const begin = performance.now();
  await running.run(plan, image, { out, ...hooks });
  const milliseconds = performance.now() - begin;
  if (wide) showWide(out, display, image.data, shown);
  return { plan, milliseconds };
}

function wideArray(output: "i16" | "f32", length: number): Int16Array | Float32Array {
  if (output === "i16") return (scratch.i16 ??= new Int16Array(length));
  return (scratch.f32 ??= new Float32Array(length));
}

function showWide(values: ArrayLike<number>, { gain, offset }: Display, original: Uint8Array, shown: Uint8Array): void {
  const clamped = new Uint8ClampedArray(shown.buffer);
  for (let i = 0; i < shown.length; i++) clamped[i] = i % 4 === 3 ? original[i]! : gain * values[i]! + offset;
}

/** Puts the signed difference of two pictures in the place of the first, in colours; returns the largest. */
function paintDifference(shown: Uint8Array, other: Uint8Array, dark: boolean): number {
  let largest = 0;
  const at = (i: number): number =>
    shown[i]! + shown[i + 1]! + shown[i + 2]! - other[i]! - other[i + 1]! - other[i + 2]!;
  for (let i = 0; i < shown.length; i += 4) largest = Math.max(largest, Math.abs(at(i)));
  const colours = Array.from({ length: 511 }, (_, i) => colourOf((i - 255) / 255, dark));
  for (let i = 0; i < shown.length; i += 4) {
    const colour = colours[255 + Math.round((255 * at(i)) / (largest || 1))]!;
    for (let c = 0; c < 3; c++) shown[i + c] = colour[c]!;
    shown[i + 3] = 255;
  }
  return largest / 3;
}

export const save = (): Promise<Blob> => canvases.result.canvas.convertToBlob({ type: "image/png" });

/** Of larger pictures a piece is shown pass by pass. */
const mostStagedPixels = 1 << 22;
const pieceSides = { width: 1024, height: 768 };

/** The picture or a piece of it, what the column pass leaves, and what the row pass makes of that, each as bright as fits. */
export async function stages({ term, options, around }: StagesCall, { signal }: Context): Promise<Pixels[]> {
  const image = source();
  const { column, row } = term;
  const piece = pieceAround(image, around);
  const reach = { x: row.length, y: column.length };
  const given = piece ? withMargin(image, piece, reach, options.border ?? "reflect") : image;
  const passes: Weights[] = [
    { kh: column.length, kw: 1, values: column, gain: 1 },
    { kh: column.length, kw: row.length, values: column.flatMap((c) => row.map((r) => c * r)), gain: 1 },
  ];
  const pictures: Uint8Array<ArrayBuffer>[] = [given.data.slice()];
  for (const weights of passes) {
    const out = new Uint8Array(given.data.length);
    const { gain, offset } = displayOf(weights, true);
    const alpha = image.alpha;
    await (await engine()).filter(given, weights, { alpha, ...options, output: "u8", gain, offset, out, signal });
    pictures.push(out);
  }
  const sides = piece ?? { left: 0, top: 0, width: image.width, height: image.height };
  return pictures.map((data) => {
    const inside = piece ? cropped({ ...given, data }, { ...piece, left: reach.x, top: reach.y }) : data;
    return { width: sides.width, height: sides.height, data: inside.buffer };
  });
}

interface Piece {
  left: number;
  top: number;
  width: number;
  height: number;
}

function pieceAround({ width, height }: Held, [x, y]: readonly [number, number]): Piece | undefined {
  if (width * height <= mostStagedPixels) return undefined;
  const sides = { width: Math.min(width, pieceSides.width), height: Math.min(height, pieceSides.height) };
  const start = (at: number, side: number, of: number): number => Math.min(of - side, Math.max(0, at - (side >> 1)));
  return { ...sides, left: start(x, sides.width, width), top: start(y, sides.height, height) };
}

/** A piece with the pixels around it, beyond the edges those that the border stands for. */
function withMargin(image: Held, piece: Piece, reach: { x: number; y: number }, border: BorderName): Held {
  const [width, height] = [piece.width + 2 * reach.x, piece.height + 2 * reach.y];
  const data = new Uint8Array(4 * width * height);
  const from = new Uint32Array(image.data.buffer, image.data.byteOffset, image.width * image.height);
  const to = new Uint32Array(data.buffer);
  for (let y = 0; y < height; y++) {
    const row = placeFor(y + piece.top - reach.y, image.height, border);
    for (let x = 0; x < width; x++) {
      const column = placeFor(x + piece.left - reach.x, image.width, border);
      if (row >= 0 && column >= 0) to[y * width + x] = from[row * image.width + column]!;
    }
  }
  return { ...image, width, height, data };
}

function cropped({ width, data }: Held, piece: Piece): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(4 * piece.width * piece.height);
  for (let y = 0; y < piece.height; y++) {
    const start = 4 * ((y + piece.top) * width + piece.left);
    out.set(data.subarray(start, start + 4 * piece.width), 4 * y * piece.width);
  }
  return out;
}

/** Runs of each plan; the fastest counts. */
const trials = 5;

export async function measure({ filter, options }: FilterCall, { signal }: Context): Promise<Record<string, number>> {
  const [image, running] = [source(), await engine()];
  const given = { alpha: image.alpha, ...options };
  const plan = planOf(running, image, filter, options);
  const solvers = [plan.solver, ...plan.rejected.filter(({ cost }) => cost !== undefined).map(({ solver }) => solver)];
  const times: Record<string, number> = {};
  // In turn, so that a busy moment of the machine meets all of them
  for (let trial = 0; trial < trials; trial++) {
    for (const strategy of new Set(solvers)) {
      const begin = performance.now();
      await running.filter(image, filter, { ...given, strategy, signal });
      times[strategy] = Math.min(times[strategy] ?? Infinity, performance.now() - begin);
    }
  }
  return times;
}
