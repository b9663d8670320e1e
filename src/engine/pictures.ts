// Pictures as inputs and outputs of filters: the forms in which they may be given, whether their alpha matters, and
// running a program on one.
import { opaque } from "../backend/alpha.ts";
import {
  type Bindings,
  ended,
  type Program,
  type ProgramRunOptions,
  type SourceBinding,
  type TargetBinding,
} from "../backend/backend.ts";
import { type Abortable, inSlices } from "../backend/slices.ts";
import { InvalidArgumentError } from "../errors.ts";
import { isInside, placeOf, type Region } from "../plan/extent.ts";
import { comparesWithOwn, tapSum } from "../plan/taps.ts";
import type { FilterProblem, Problem } from "../plan/types.ts";
import {
  type CheckedImage,
  checkImage,
  type ImageLike,
  type ImageLimits,
  mostChannels,
  opaqueFor,
  wholes,
} from "../tensor/image.ts";
import { type Image, type ImageArray, imageDTypes, isFloat, isImageDType, newArray } from "../tensor.ts";
import { type PictureValue, plainView } from "./calls.ts";
import { checkMask, type MaskLike, type Picture, weightsOf } from "./masks.ts";
import { putApart, resultOf, type Target } from "./targets.ts";
import { EngineValue } from "./values.ts";

/** Checks the caller's picture, or a value that is one, and its mask. */
export function pictureOf(image: ImageLike | EngineValue, limits: ImageLimits, mask?: MaskLike | EngineValue): Picture {
  const picture = unmasked(image, limits);
  return mask === undefined ? picture : { ...picture, masked: true, mask: checkMask(mask, picture) };
}

function unmasked(image: ImageLike | EngineValue, limits: ImageLimits): CheckedImage | PictureValue {
  if (!(image instanceof EngineValue)) return checkImage("image", image, limits);
  const { shape, dtype } = image;
  const [height, width, channels] = shape as [number, number, number];
  if (shape.length === 3 && channels <= mostChannels && isImageDType(dtype))
    return { width, height, channels, dtype, data: image, hasAlpha: false, premultiplied: false };
  const expected = `a value of [height, width, 1 to ${mostChannels} channels] in ${imageDTypes.join(", ")}`;
  const received = `[${shape.join(", ")}] in ${dtype}`;
  throw new InvalidArgumentError({ parameter: "image", expected, received });
}

/** Whether a picture's alpha decides nothing about how it is filtered. */
export const isPlain = (problem: FilterProblem, x: Picture): boolean =>
  problem.alpha !== "premultiply" || problem.known !== undefined || x.data instanceof EngineValue;

/** True where nothing that a result reads is translucent, pixels or the border's value, so that alpha can be ignored and kept. */
export async function isOpaque(picture: CheckedImage, problem: FilterProblem, signal: Abortable): Promise<boolean> {
  const { data, channels, width, height } = picture;
  const full = await fullOf(picture, signal);
  const whole = wholes.get(data);
  if (whole) return whole.read.every((alpha) => alpha === full);
  const read = partRead(problem);
  const [inside, { border, borderValue }] = [isInside(read, picture), problem.window];
  if (!inside && border === "constant" && borderValue !== full) return false;
  const { x, y, width: w, height: h } = inside ? read : { x: 0, y: 0, width, height };
  return inSlices(w * h, signal, (from, to) => {
    for (let at = from; at < to; ) {
      const [row, column] = [Math.floor(at / w), at % w];
      const end = Math.min(to, (row + 1) * w);
      let alpha = ((y + row) * width + x + column + 1) * channels - 1;
      for (; at < end; at++, alpha += channels) if (data[alpha] !== full) return false;
    }
    return true;
  });
}

/** Found once for each picture of a call. */
const found = new WeakMap<Picture, number>();

/** The alpha that means opaque: of floats by the largest that there is. */
export async function fullOf(x: Picture, signal: Abortable | undefined): Promise<number> {
  const { data, dtype, channels, width, height } = x;
  if (!isFloat(dtype) || data instanceof EngineValue) return opaque(dtype);
  const known = found.get(x);
  if (known !== undefined) return known;
  const whole = wholes.get(data);
  if (whole) return opaqueFor(whole.largest);
  let largest = 0;
  await inSlices(width * height, signal, (from, to) => {
    for (let pixel = from; pixel < to; pixel++) largest = Math.max(largest, data[(pixel + 1) * channels - 1]! || 0);
    return true;
  });
  const full = opaqueFor(largest);
  found.set(x, full);
  return full;
}

/** What the windows of a problem's results cover. */
function partRead(problem: FilterProblem): Region {
  const { x, y, width, height } = placeOf(problem);
  const [top, left, bottom, right] = problem.window.pads;
  return { x: x - left, y: y - top, width: left + width + right, height: top + height + bottom };
}

const viewOrValue = (data: ImageArray | EngineValue) => (data instanceof EngineValue ? data.inner : plainView(data));

/** Checks that a plan is for such a picture. */
export function checkFits({ x, ...problem }: Problem, picture: Picture): void {
  const { height, width, channels, dtype, masked = false } = picture;
  const [received, expected] = [[height, width, channels].join(" x "), x.shape.join(" x ")];
  if (received !== expected || dtype !== x.dtype) {
    const describeOne = (shape: string, dtype: string): string => `${shape} (height x width x channels) of ${dtype}`;
    throw new InvalidArgumentError({
      parameter: "image",
      expected: `the plan's ${describeOne(expected, x.dtype)}`,
      received: describeOne(received, dtype),
    });
  }
  const wanted = problem.kind === "filter" && problem.known?.mask === true;
  if (wanted === masked) return;
  const which = (is: boolean): string => (is ? "a mask" : "none");
  const hint = "a plan with one is made of a picture { masked: true }";
  throw new InvalidArgumentError({
    ...{ parameter: "mask", expected: `${which(wanted)}, as the plan says`, received: which(masked), hint },
  });
}

/** What a program's run is bound to. */
interface Ends {
  problem: FilterProblem;
  source: SourceBinding;
  target: TargetBinding;
  inputs: Bindings;
  outputs: Bindings;
}

/** Of each program's last run of a plain picture: the next frame takes its arrays' places. */
const frames = new WeakMap<Program, Ends>();
const none = new Uint8Array(0);

/** A result, or the promise of one. */
type Soon<T> = T | Promise<T>;

/** Runs a filter's program on a picture; of short runs the result is there at once. */
export function runFilter(
  program: Program,
  problem: FilterProblem,
  x: Picture,
  to: Target,
  options: ProgramRunOptions,
): Soon<Image | EngineValue> {
  const { alpha, origin, known } = problem;
  const isSimple = alpha !== "premultiply" && !origin && !known && !to.apart;
  if (!isSimple || x.data instanceof EngineValue || to.data instanceof EngineValue)
    return runAny(program, problem, x, to, options);
  const before = frames.get(program);
  const ends = before?.problem === problem ? before : endsOf(problem, x, opaque(x.dtype));
  if (ends !== before) frames.set(program, ends);
  ends.source.premultiplied = x.premultiplied;
  ends.source.data = plainView(x.data) as ImageArray;
  ends.target.data = plainView(to.data) as ImageArray;
  const running = program.run(ends.inputs, ends.outputs, options);
  if (running !== ended) return whenEnded(running, ends, to);
  letGo(ends);
  return resultOf(to);
}

async function whenEnded(running: Promise<void>, ends: Ends, to: Target): Promise<Image | EngineValue> {
  try {
    await running;
  } finally {
    letGo(ends);
  }
  return resultOf(to);
}

function letGo({ source, target }: Ends): void {
  source.data = none;
  target.data = none;
}

/** Without the data. Without spreads: objects that are made of others are several times as large. */
function endsOf(problem: FilterProblem, x: Picture, full: number): Ends {
  const { window, alpha, y, gain, offset } = problem;
  const { width, height, channels, dtype, premultiplied } = x;
  const source: SourceBinding = {
    kind: "source",
    width,
    height,
    channels,
    dtype,
    alpha,
    full,
    premultiplied,
    border: window.border,
    borderValue: window.borderValue,
    data: none,
  };
  const sum = tapSum(problem);
  const compares = comparesWithOwn(problem);
  const target: TargetBinding = {
    kind: "target",
    data: none,
    dtype: y.dtype,
    alpha,
    source,
    width: y.shape[1]!,
    height: y.shape[0]!,
    offset,
    gain: compares ? gain : gain * sum,
  };
  if (compares) target.tapSum = sum;
  return { problem, source, target, inputs: [["x", source]], outputs: [["y", target]] };
}

async function runAny(
  program: Program,
  problem: FilterProblem,
  x: Picture,
  to: Target,
  options: ProgramRunOptions,
): Promise<Image | EngineValue> {
  const { alpha, y, origin, known } = problem;
  const full = alpha === "premultiply" ? await fullOf(x, options.signal) : opaque(x.dtype);
  const { source, target, inputs, outputs } = endsOf(problem, x, full);
  source.data = viewOrValue(x.data);
  if (origin) source.origin = { x: origin[1], y: origin[0] };
  if (known) {
    const mask = await weightsOf(x, program, options.signal);
    source.known = { ...known, fill: known.fill.map((v) => v ?? Number.NaN), mask };
  }
  const { part, apart } = to;
  const data = apart ? newArray(y.dtype, part.width * part.height * x.channels) : to.data;
  target.data = viewOrValue(data);
  if (!apart && origin) target.at = { x: part.x, y: part.y, pitch: to.width };
  await program.run(inputs, outputs, options);
  if (apart) await putApart(to, data as ImageArray, (value, data, part) => value.inner.write(data, part));
  return resultOf(to);
}
