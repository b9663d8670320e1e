// Pictures as inputs and outputs of filters: the forms in which they may be given, whether their alpha matters, and
// running a program on one.
import { opaque } from "../backend/alpha.ts";
import type { Program, ProgramRunOptions, SourceBinding, TargetBinding } from "../backend/backend.ts";
import { type Abortable, inSlices } from "../backend/slices.ts";
import { InvalidArgumentError } from "../errors.ts";
import { tapSum } from "../kernels/filter.ts";
import type { FilterProblem, Problem } from "../plan/types.ts";
import {
  type CheckedImage,
  checkImage,
  type Image,
  type ImageArray,
  type ImageLike,
  type ImageLimits,
  imageDTypes,
  isImageDType,
} from "../tensor.ts";
import { type PictureValue, plainView } from "./calls.ts";
import { checkMask, type MaskArray, type MaskLike, weightsOf } from "./masks.ts";
import { EngineValue } from "./values.ts";

/** A picture as filters take it: the caller's, or a value of three sides in the engine; and its mask. */
export type Picture = (CheckedImage | PictureValue) & {
  readonly masked?: boolean;
  readonly mask?: MaskArray | EngineValue;
};

/** Checks the caller's picture, or a value that is one, and its mask. */
export function pictureOf(image: ImageLike | EngineValue, limits: ImageLimits, mask?: MaskLike | EngineValue): Picture {
  const picture = unmasked(image, limits);
  return mask === undefined ? picture : { ...picture, masked: true, mask: checkMask(mask, picture) };
}

function unmasked(image: ImageLike | EngineValue, limits: ImageLimits): CheckedImage | PictureValue {
  if (!(image instanceof EngineValue)) return checkImage("image", image, limits);
  const { shape, dtype } = image;
  const [height, width, channels] = shape as [number, number, number];
  if (shape.length === 3 && channels <= 4 && isImageDType(dtype))
    return { width, height, channels, dtype, data: image, knownAlpha: false };
  const expected = `a value of [height, width, 1 to 4 channels] in ${imageDTypes.join(", ")}`;
  const received = `[${shape.join(", ")}] in ${dtype}`;
  throw new InvalidArgumentError({ parameter: "image", expected, received });
}

/** True where no pixel is translucent, nor what stands beyond the edges, so that alpha can be ignored and kept. */
export async function isOpaque(
  { data, dtype, channels, width, height }: CheckedImage,
  { window }: FilterProblem,
  signal: Abortable,
): Promise<boolean> {
  const full = opaque(dtype);
  if (window.border === "constant" && window.borderValue !== full && window.pads.some((pad) => pad > 0)) return false;
  return inSlices(width * height, signal, (from, to) => {
    for (let pixel = from; pixel < to; pixel++) if (data[(pixel + 1) * channels - 1] !== full) return false;
    return true;
  });
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

/** Runs a filter's program on a picture. */
export async function runFilter(
  program: Program,
  problem: FilterProblem,
  x: Picture,
  out: ImageArray | EngineValue,
  options: ProgramRunOptions,
): Promise<Image | EngineValue> {
  const { window, alpha, y, gain, offset, known } = problem;
  const { width, height, channels, dtype } = x;
  const source: SourceBinding = {
    ...{ kind: "source", width, height, channels, dtype, alpha },
    ...{ border: window.border, borderValue: window.borderValue, data: viewOrValue(x.data) },
    ...(known && {
      known: { ...known, fill: known.fill.map((v) => v ?? Number.NaN), mask: await weightsOf(x, options.signal) },
    }),
  };
  const target: TargetBinding = {
    ...{ kind: "target", data: viewOrValue(out), dtype: y.dtype, alpha, source, offset },
    gain: gain * tapSum(problem),
  };
  await program.run([["x", source]], [["y", target]], options);
  return out instanceof EngineValue ? out : { width, height, channels, data: out };
}
