// What rank1 run made of a picture before the model got it: size, place, order of colours, range.
import type { Tensor } from "../index.ts";
import type { Sidecar } from "../node/model-files.ts";
import type { PictureInput, Placed } from "../onnx/index.ts";
import { harmless, number } from "./text.ts";

interface Sides {
  width: number;
  height: number;
}

/** A picture as an input. */
export interface Made {
  /** The input's name. */
  input: string;
  /** Of the picture, in pixels. */
  picture: Sides;
  /** Of what the model gets. */
  size: Sides;
  fit: "fill" | "contain" | "cover";
  /** Where the whole picture lies in that. */
  place: Placed["place"];
  /** Order of colours. */
  colours: "RGB" | "BGR" | "grey";
  /** What black and white became, before mean and std. */
  range: readonly [number, number];
  mean?: number | number[];
  std?: number | number[];
}

interface Making {
  tensor: Tensor & Placed;
  declared: PictureInput;
  wanted: Sides;
  settings: Pick<Sidecar, "fit" | "range" | "order" | "mean" | "std">;
}

export function madeOf(input: string, { width, height }: Sides, making: Making): Made {
  const { declared, wanted, settings, tensor } = making;
  const { fit = "fill", order = "RGB", range = declared.dtype === "u8" ? [0, 255] : [0, 1], mean, std } = settings;
  const colours = declared.channels === 1 ? "grey" : order;
  return { input, picture: { width, height }, size: wanted, fit, place: tensor.place, colours, range, mean, std };
}

/** "input 768 × 512 → 156 × 156, proportions not kept (--letterbox keeps them), RGB 0..1" */
export function madeText(
  { input, picture, size, fit, place, colours, range, mean, std }: Made,
  several: boolean,
): string {
  const sides = ({ width, height }: Sides): string => `${width} × ${height}`;
  const same = picture.width === size.width && picture.height === size.height;
  const kept = Math.abs((picture.width * size.height) / (picture.height * size.width) - 1) < 0.01;
  const at = `${sides({ width: rounded(place.width), height: rounded(place.height) })} at ${rounded(place.left)}, ${rounded(place.top)}`;
  const proportions = kept ? [] : fit === "fill" ? ["proportions not kept (--letterbox keeps them)"] : [`place ${at}`];
  const list = (name: string, value: number | number[] | undefined): string[] =>
    value === undefined ? [] : [`${name} ${[value].flat().join(",")}`];
  return [
    `input${several ? ` ${harmless(input)}` : ""} ${sides(picture)}${same ? "" : ` → ${sides(size)}`}`,
    ...[
      ...proportions,
      `${colours} ${number(range[0])}..${number(range[1])}`,
      ...list("mean", mean),
      ...list("std", std),
    ],
  ].join(", ");
}

const rounded = (value: number): number => Math.round(10 * value) / 10;
