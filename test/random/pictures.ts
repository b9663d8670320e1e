// Random pictures and masks.
import type { Image, ImageDType, MaskLike } from "../../src/index.ts";
import { isFloat, newArray, rangeOf } from "../../src/tensor.ts";
import type { Draws } from "./draws.ts";

interface PictureOptions {
  width: number;
  height: number;
  channels: number;
  dtype: ImageDType;
  /** Some pixels of floats are to be NaN. */
  nan: boolean;
  alpha: "none" | "keep" | "premultiply";
}

const kinds = ["noise", "noise", "extremes", "constant", "sparse", "ramp"] as const;

export function pictureOf(
  draws: Draws,
  options: PictureOptions,
): { image: Image & { dtype: ImageDType }; kind: string } {
  const { width, height, channels, dtype, nan, alpha } = options;
  const { pick, chance } = draws;
  const kind = pick(kinds);
  const count = width * height * channels;
  const data = newArray(dtype, count);
  const value = valuesOf(draws, dtype, kind);
  for (let i = 0; i < count; i++) data[i] = value(i);
  const real = isFloat(dtype);
  const special = real && !nan && alpha !== "premultiply" && chance(0.12);
  if (nan || special) {
    const values = nan ? [Number.NaN] : [Number.NaN, Infinity, -Infinity];
    for (let i = 0; i < count; i++) if (chance(nan ? 0.12 : 0.01)) data[i] = pick(values);
  }
  if (channels % 2 === 0) setAlpha(draws, data, channels, dtype, alpha);
  return {
    image: { width, height, channels, data, dtype },
    kind: `picture: ${special ? "with NaN and infinities" : kind}`,
  };
}

function valuesOf({ pick, chance, integer, next }: Draws, dtype: ImageDType, kind: string): (i: number) => number {
  const real = isFloat(dtype);
  const scale = pick([1, 1, 255, 1e6, 1e-6]);
  const [low, high] = real ? [-scale, scale] : rangeOf[dtype];
  const any = (): number => (real ? low + (high - low) * next() : integer(low, high));
  const [one, other] = [any(), any()];
  if (kind === "constant") return () => pick([one, one]);
  if (kind === "extremes") return () => pick([low, high]);
  if (kind === "sparse") return () => (chance(0.05) ? any() : 0);
  if (kind === "ramp") return (i) => (real ? i * scale * 1e-3 : low + (i % (high - low + 1)));
  return () => (chance(0.1) ? pick([low, high, other]) : any());
}

/** The last channel as weights: from 0 to what is opaque, often one of both, sometimes opaque everywhere. */
function setAlpha(
  { pick, chance, next }: Draws,
  data: Image["data"],
  channels: number,
  dtype: ImageDType,
  alpha: PictureOptions["alpha"],
): void {
  const full = alphaOf(dtype);
  const [opaque, whole] = [chance(0.15), full > 1];
  if (alpha === "none" && !opaque) return;
  for (let i = channels - 1; i < data.length; i += channels) {
    const weight = pick([0, full, full * next()]);
    data[i] = opaque ? full : whole ? Math.round(weight) : weight;
  }
}

/** The alpha that is opaque. */
export const alphaOf = (dtype: ImageDType): number => (isFloat(dtype) ? 1 : rangeOf[dtype][1]);

/** Weights, many of them 0 and 1; sometimes a half all unknown, sometimes all. */
export function maskOf({ pick, chance, next }: Draws, { width, height }: Image): MaskLike {
  const [dark, all] = [chance(0.4), chance(0.05)];
  const weights = Array.from({ length: width * height }, (_, i) => {
    if (all || (dark && i % width > width / 2)) return 0;
    const draw = next();
    return draw < 0.3 ? 0 : draw < 0.6 ? 1 : next();
  });
  const of = (full: number): number[] => weights.map((w) => Math.round(w * full));
  const sides = { width, height, channels: 1 };
  const forms: (() => MaskLike)[] = [
    () => Float32Array.from(weights),
    () => Uint8Array.from(of(255)),
    () => Uint16Array.from(of(65535)),
    () => ({ ...sides, data: Uint8Array.from(of(255)) }),
    () => ({ shape: [height, width], data: Float32Array.from(weights) }),
  ];
  return pick(forms)();
}
