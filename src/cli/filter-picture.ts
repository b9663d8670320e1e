// One picture through `rank1 filter`: read, filtered (in linear light if asked), made a picture again, written; timed.
import type { Engine, Filter, FilterCallOptions, Image, Plan } from "../index.ts";
import { fromLinear, type ShowMode, showSigned, toLinear } from "../node/convert.ts";
import { readStdin, writeAtomic, writeStdout } from "../node/files.ts";
import { encodePicture, fullScale, type Picture, type PictureFormat, readPicture } from "../node/pictures.ts";
import { type FilterFlags, filterOptions, filtersOf, planOf, withOption } from "./arguments.ts";

export interface Job {
  input: string;
  output: string;
  format: PictureFormat;
}

export interface PictureFlags extends FilterFlags {
  quality?: number;
  show?: ShowMode;
  linear?: boolean;
  maxPixels?: number;
}

/** What `--json` tells of a picture. */
export interface Report {
  input: string;
  output: string;
  width: number;
  height: number;
  channels: number;
  type: "u8" | "u16";
  alpha: boolean;
  /** How the result was computed; two plans where it is the magnitude of two derivatives. */
  plans: {
    solver: string;
    summary: string;
    /** Per value of the result. */
    multiplications: number;
    /** Relative error of the taps. */
    error: number;
    predictedMilliseconds: number;
  }[];
  milliseconds: { read: number; filter: number; write: number };
}

type Control = Pick<FilterCallOptions, "signal" | "onProgress">;

export async function filterPicture(
  engine: Engine,
  filter: Filter,
  { input, output, format }: Job,
  flags: PictureFlags,
  control: Control,
): Promise<Report> {
  const { signal } = control;
  const times = [performance.now()];
  const picture = await read(input, flags.maxPixels, signal);
  times.push(performance.now());
  const { result, plans } = await apply(engine, picture, filter, flags, control);
  times.push(performance.now());
  const bytes = await encodePicture(result, format, { quality: flags.quality });
  signal?.throwIfAborted();
  await (output === "-" ? writeStdout(bytes) : writeAtomic(output, bytes, signal));
  times.push(performance.now());
  const { width, height, channels, alpha } = result;
  const [read_, filter_, write] = times.slice(1).map((time, i) => time - times[i]!) as [number, number, number];
  return {
    ...{ input, output, width, height, channels, type: dtypeOf(result), alpha },
    plans: plans.map(({ solver, summary, cost, error }) => ({
      ...{ solver, summary, error: error.relative, predictedMilliseconds: cost.time / 1e6 },
      multiplications: cost.multiplications / (width * height * channels),
    })),
    milliseconds: { read: read_, filter: filter_, write },
  };
}

async function read(input: string, maxPixels: number | undefined, signal: AbortSignal | undefined): Promise<Picture> {
  try {
    if (input !== "-") return await readPicture(input, { maxPixels, signal });
    return await readPicture(await readStdin(signal), { maxPixels, signal, name: "the standard input" });
  } catch (error) {
    throw withOption(error as Error, "--max-pixels");
  }
}

const dtypeOf = ({ data }: Picture): "u8" | "u16" => (data instanceof Uint16Array ? "u16" : "u8");

/** Whether a plan gives values below zero that a picture cannot hold as they are. */
export const isSigned = ({ problem }: Plan): boolean => problem.y.dtype === "i16" || problem.y.dtype === "f32";

/** The picture filtered, as a picture of its own type (or of the one that `--output` names). */
async function apply(
  engine: Engine,
  picture: Picture,
  filter: Filter,
  flags: PictureFlags,
  control: Control,
): Promise<{ result: Picture; plans: Plan[] }> {
  const { width, height, channels, alpha: knownAlpha, icc } = picture;
  const { linear, show = "abs", strategy } = flags;
  const dtype = dtypeOf(picture);
  const parts = filtersOf(filter);
  const plansFor = (own: FilterFlags, type: "u8" | "u16" | "f32"): Promise<Plan[]> =>
    Promise.all(parts.map((part) => planOf(engine, { width, height, channels, dtype: type, knownAlpha }, part, own)));

  // An --alpha for a whole folder means the pictures that have alpha
  const own = knownAlpha ? flags : { ...flags, alpha: undefined };
  const plans = await plansFor(own, dtype);
  const problem = plans[0]!.problem as Plan["problem"] & { kind: "filter" };
  const options = { ...filterOptions(own), ...control, alpha: problem.alpha, strategy } satisfies FilterCallOptions;
  const isMagnitude = parts.length > 1;
  if (linear) {
    const light = await engine.filter(toLinear(picture), filter, { ...options, output: "f32" });
    const signed = !isMagnitude && flags.output === undefined && isSigned(plans[0]!);
    const target = flags.output === "u16" ? "u16" : flags.output === "u8" ? "u8" : dtype;
    const result = signed
      ? showSigned(scaled(light, fullScale(picture)), show, target, knownAlpha)
      : fromLinear(light, target, knownAlpha);
    return { result: { ...result, icc }, plans: await plansFor({ ...own, output: "f32" }, "f32") };
  }
  const image = await engine.filter(picture, filter, options);
  const { data } = image;
  const result =
    data instanceof Uint8Array || data instanceof Uint16Array
      ? { ...image, data, alpha: knownAlpha }
      : showSigned(image, show, dtype, knownAlpha);
  return { result: { ...result, icc }, plans };
}

function scaled(image: Image, factor: number): Image {
  return { ...image, data: (image.data as Float32Array).map((v) => v * factor) };
}
