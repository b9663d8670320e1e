// Turns a picture into the input of a network: resized or laid into a frame, scaled to a range, normalised, in the
// network's order, layout and type.
import { checkInteger, checkNumber, checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import type { ValueInfo } from "../graph/types.ts";
import { heldAs } from "../graph/values.ts";
import { type CheckedImage, checkImage, type ImageLike } from "../tensor/image.ts";
import { type F32Tensor, isFloat, rangeOf, type Tensor } from "../tensor.ts";
import { type Part, resize, type Size } from "./resample.ts";

/** How values of a network and those of pictures belong together: what `imageToTensor` and `tensorToImage` share. */
export interface ValueScale {
  /** What black and white become: [0, 1], [0, 255], [-1, 1] or any other. Default [0, 1]; of u8 tensors [0, 255]. */
  range?: readonly [black: number, white: number];
  /** Taken from every value in that range: one number or one a channel, in the tensor's order. Default 0. */
  mean?: number | readonly number[];
  /** What every value is divided by after that. Default 1. */
  std?: number | readonly number[];
  /** Of colours along the tensor's channels. Default "RGB"; networks that were made with OpenCV want "BGR". */
  order?: "RGB" | "BGR";
}

/** What a network wants of a picture. */
export interface ImageTensorOptions extends ValueScale {
  /** One of `model.inputs`: says size, channels, layout and type where these are not given. */
  input?: ValueInfo;
  /** Of the result, in pixels; the picture's own unless given. */
  size?: {
    /** In pixels. */
    width: number;
    /** In pixels. */
    height: number;
  };
  /**
   * How another shape is met: "fill" (default) changes the proportions, "contain" keeps them and lays the whole picture into
   * a frame (a letterbox), "cover" keeps them and cuts off what is too much.
   */
  fit?: "fill" | "contain" | "cover";
  /** Of the frame around a contained picture, from 0 (black, the default) to 1: one number or red, green, blue. */
  background?: number | readonly number[];
  /** Where a contained or cut picture lies across and down, from 0 (left, top) to 1. Default [0.5, 0.5]: the middle. */
  align?: readonly [x: number, y: number];
  /** 3 (default): red, green, blue, grey three times; 1: grey, colours weighted as in ITU-R BT.601. */
  channels?: 1 | 3;
  /** Order of the result's axes. Default "NCHW", as most ONNX models have it. */
  layout?: "NCHW" | "NHWC";
  /** Of the elements. Default "f32"; "u8" rounds and saturates. */
  dtype?: "f32" | "u8";
}

/** Options that give floats. */
export interface FloatTensorOptions extends ImageTensorOptions {
  /** Of the elements. */
  dtype?: "f32";
  /** Not given: it might say bytes. */
  input?: undefined;
}

/** Where the whole picture lies in the result. */
export interface Placed {
  /**
   * In pixels of the result; what "cover" cuts off lies outside. A place (x, y) of the result is in the picture, as shares of
   * its sides, ((x - left) / width, (y - top) / height).
   */
  place: Part;
}

const mostPixels = 2 ** 28;
const limits = { side: mostPixels, pixels: mostPixels };

/**
 * A picture as a tensor of shape [1, channels, height, width] or [1, height, width, channels]: (value − mean) / std, where the
 * values of integers from 0 to the greatest of their type run from one end of `range` to the other, as those of floats from 0 to 1 do. Alpha is
 * left out. Resizing interpolates linearly; where the picture shrinks, over as many pixels as become one (the triangle
 * filter of Pillow's BILINEAR), so that no detail aliases.
 *
 * @throws InvalidArgumentError for a malformed image or option, and for a mean or std of another range.
 */
export function imageToTensor(image: ImageLike, options?: FloatTensorOptions): F32Tensor & Placed;
export function imageToTensor(image: ImageLike, options: ImageTensorOptions): Tensor & Placed;
export function imageToTensor(image: ImageLike, given: ImageTensorOptions = {}): Tensor & Placed {
  checkDecoded(image);
  const source = checkImage("image", image, limits);
  if (source.channels > 4) throw refused("image.channels", "1 to 4", `${source.channels}`);
  const wanted = checkWanted(given, source);
  const { size, channels, layout, dtype, background } = wanted;
  const colours = source.channels >= 3 ? 3 : 1;
  const [white, { width, height }] = [isFloat(source.dtype) ? 1 : rangeOf[source.dtype][1], size];
  const { place, part, frame } = placed(source, wanted);
  const pixels = resize(source, colours, frame, part);
  const [left, top] = [frame.left, frame.top];
  const scale = scaleOf(wanted, channels, dtype, isFloat(source.dtype) ? undefined : "mean");
  const out = dtype === "u8" ? new Uint8ClampedArray(channels * width * height) : new Float32Array(channels * width * height); // biome-ignore format: a line
  const [step, plane] = layout === "NCHW" ? [1, width * height] : [channels, 1];
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const inside = y >= top && y < top + frame.height && x >= left && x < left + frame.width;
      const at = ((y - top) * frame.width + x - left) * colours;
      for (let c = 0; c < channels; c++) {
        const from = wanted.order === "BGR" ? 2 - c : c;
        const value = inside ? colour(pixels, at, colours, channels, from) / white : colour(background, 0, 3, channels, from); // biome-ignore format: a line
        const { black, span, mean, std } = scale[c]!;
        const result = (black + span * value - mean) / std;
        out[i * step + c * plane] = dtype === "u8" ? Math.floor(result + 0.5) : result;
      }
    }
  }
  const sides = layout === "NCHW" ? [channels, height, width] : [height, width, channels];
  const data = out instanceof Float32Array ? out : new Uint8Array(out.buffer);
  return { shape: wanted.batch ? [1, ...sides] : sides, data, place };
}

/** Pixels are wanted: a file's bytes, or what would decode them, are said to be that. */
function checkDecoded(image: unknown): void {
  const isObject = typeof image === "object" && image !== null;
  const decodes = isObject && "toBuffer" in image && typeof image.toBuffer === "function";
  const isBytes = ArrayBuffer.isView(image) || image instanceof ArrayBuffer;
  if (!decodes && !isBytes) return;
  const hint = `await ${decodes ? "image" : "sharp(bytes)"}.raw().toBuffer({ resolveWithObject: true }) gives one`;
  throw refused("image", "an image { width, height, channels, data }", describe(image), hint);
}

/** One colour, or grey where one channel is wanted. */
function colour(pixels: ArrayLike<number>, at: number, colours: number, channels: number, index: number): number {
  if (colours === 1) return pixels[at]!;
  return channels === 3 ? pixels[at + index]! : 0.299 * pixels[at]! + 0.587 * pixels[at + 1]! + 0.114 * pixels[at + 2]!;
}

interface Wanted extends Required<Pick<ImageTensorOptions, "size" | "fit" | "layout" | "dtype" | "align">> {
  range?: ImageTensorOptions["range"];
  mean?: ImageTensorOptions["mean"];
  std?: ImageTensorOptions["std"];
  order?: ImageTensorOptions["order"];
  channels: 1 | 3;
  background: readonly number[];
  /** Whether a side of 1 stands before the others. */
  batch: boolean;
}

function checkWanted(given: ImageTensorOptions, source: CheckedImage): Wanted {
  const known = [
    ...(["input", "size", "fit", "background", "align", "channels", "layout", "dtype"] as const),
    ...(["range", "mean", "std", "order"] as const),
  ];
  const options = checkOptions<ImageTensorOptions>("options", given, known);
  const declared = options.input === undefined ? undefined : pictureInput(options.input);
  const { fit = "fill", background = 0, align = [0.5, 0.5], order } = options;
  const { channels = declared?.channels ?? 3, layout = declared?.layout ?? "NCHW", dtype = declared?.dtype ?? "f32" } = options; // biome-ignore format: a line
  const { width = declared?.width ?? source.width, height = declared?.height ?? source.height } = checkSize(
    options.size,
  );
  if (channels !== 1 && channels !== 3) throw refused("channels", "one of 1, 3", describe(channels));
  checkOneOf("layout", layout, ["NCHW", "NHWC"]);
  checkOneOf("fit", fit, ["fill", "contain", "cover"], { stretch: "fill", letterbox: "contain", crop: "cover" });
  checkOneOf("dtype", dtype, ["f32", "u8"]);
  if (order !== undefined) checkOneOf("order", order, ["RGB", "BGR"]);
  if (order === "BGR" && channels === 1) throw refused("order", "3 channels, whose order it is", "1");
  const [x, y] = checkPair("align", align).map((share) => checkNumber("align", share, { min: 0, max: 1 }));
  return {
    ...{ range: options.range, mean: options.mean, std: options.std, order, fit, layout, dtype, channels },
    size: { width: side("size.width", width), height: side("size.height", height) },
    background: perChannel("background", background, 3).map(checkShare),
    align: [x!, y!],
    batch: declared?.batch ?? true,
  };
}

const refused = (parameter: string, expected: string, received: string, hint?: string): InvalidArgumentError =>
  new InvalidArgumentError({ parameter, expected, received, hint });

/** Of the frame: black is 0, white 1. */
function checkShare(value: number): number {
  const hint = value > 1 && value <= 255 ? `${value} / 255?` : undefined;
  if (value < 0 || value > 1) throw refused("background", "numbers from 0 to 1", `${value}`, hint);
  return value;
}

/** A size that is given, with both of its sides; without sides where none is. */
export function checkSize(size: unknown): Partial<Size> {
  if (size === undefined) return {};
  const isObject = typeof size === "object" && size !== null;
  if (!isObject || !("width" in size) || !("height" in size))
    throw refused("size", "{ width, height }", describe(size));
  return { width: side("size.width", size.width), height: side("size.height", size.height) };
}

const side = (parameter: string, value: unknown): number => checkInteger(parameter, value, { min: 1, max: 1 << 15 });

function checkPair(parameter: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length === 2) return value;
  throw refused(parameter, "two numbers", describe(value));
}

/** What an input of a network says of pictures. Open sides are undefined. */
export interface PictureInput extends Partial<Size> {
  /** Order of its axes. */
  layout: "NCHW" | "NHWC";
  /** Grey or colours. */
  channels?: 1 | 3;
  /** Of its elements; half floats are given as f32. */
  dtype: "f32" | "u8";
  /** Whether a side of 1 stands before the others. */
  batch: boolean;
}

/**
 * What an input says of the picture that it takes: channels come last where only the last side can be theirs.
 *
 * @throws InvalidArgumentError for an input that takes no picture.
 */
export function pictureInput(input: ValueInfo): PictureInput {
  const { name, dtype = "f32", shape = [1, 3, undefined, undefined] } = checkInfo(input);
  const batch = shape.length === 4;
  const sides = batch ? shape.slice(1) : shape;
  const isColours = (value: unknown): boolean => value === 1 || value === 3;
  const layout = isColours(sides[0]) || !isColours(sides[2]) ? "NCHW" : "NHWC";
  const [channels, height, width] = layout === "NCHW" ? sides : [sides[2], sides[0], sides[1]];
  const single = !batch || typeof shape[0] !== "number" || shape[0] === 1;
  const type = heldAs(dtype);
  const fits = sides.length === 3 && single && (type === "f32" || type === "u8");
  if (!fits || (typeof channels === "number" && !isColours(channels))) {
    const expected = "an input for one picture: of f32 or u8, [1, channels, height, width] or [1, height, width, channels] with 1 or 3 channels";
    throw refused(`input ${describe(name)}`, expected, `${dtype} [${shape.map((one) => one ?? "?").join(", ")}]`);
  } // biome-ignore format: a line
  const known = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);
  return { layout, channels: known(channels) as 1 | 3 | undefined, width: known(width), height: known(height), dtype: type as "f32" | "u8", batch }; // biome-ignore format: a line
}

/** What a model says of an input, in place of the model or what else might say a shape. */
function checkInfo(input: unknown): ValueInfo {
  const { name, shape } = (typeof input === "object" ? (input ?? {}) : {}) as Partial<ValueInfo>;
  if (typeof name === "string" && (shape === undefined || Array.isArray(shape))) return input as ValueInfo;
  throw refused(
    "input",
    "one of model.inputs",
    Array.isArray(input) ? "an array" : describe(input),
    "model.inputs[0]?",
  );
}

/** Which part of a picture is resized to which frame of the result, and where all of it lies there. */
function placed(picture: Size, { size, fit, align }: Wanted): { place: Part; part?: Part; frame: Part } {
  const whole = { left: 0, top: 0, width: size.width, height: size.height };
  const [across, down] = [size.width / picture.width, size.height / picture.height];
  if (fit === "fill" || across === down) return { place: whole, frame: whole };
  if (fit === "contain") {
    const scale = Math.min(across, down);
    const width = Math.max(1, Math.round(picture.width * scale));
    const height = Math.max(1, Math.round(picture.height * scale));
    const [left, top] = [Math.round((size.width - width) * align[0]), Math.round((size.height - height) * align[1])];
    return { place: { left, top, width, height }, frame: { left, top, width, height } };
  }
  const scale = Math.max(across, down);
  const [width, height] = [size.width / scale, size.height / scale];
  const part = { left: (picture.width - width) * align[0], top: (picture.height - height) * align[1], width, height };
  const place = { left: 0 - part.left * scale, top: 0 - part.top * scale, width: picture.width * scale, height: picture.height * scale }; // biome-ignore format: a line
  return { place, part, frame: whole };
}

/** value = black + span · v, then (value − mean) / std, for v from 0 to 1. */
export interface ChannelScale {
  black: number;
  span: number;
  mean: number;
  std: number;
}

/** The scale of each channel. `check` names the parameter by which a mean beyond the range is refused. */
export function scaleOf(scale: ValueScale, channels: number, dtype: string, check?: "mean"): ChannelScale[] {
  const { mean = 0, std = 1, range = dtype === "f32" ? [0, 1] : [0, 255] } = scale;
  const [black, white] = checkPair("range", range).map((end) => checkNumber("range", end)) as [number, number];
  if (black >= white) throw refused("range", "black below white, such as [0, 255]", describe(range));
  const [means, stds] = [perChannel("mean", mean, channels), perChannel("std", std, channels)];
  const hint = "if they are meant for values up to 255, give that range, too: [0, 255]";
  const [most, widest] = [Math.max(...means), Math.max(...stds)];
  if (check && most > white) throw refused("mean", `numbers in the range from ${black} to ${white}`, `${most}`, hint);
  if (check && widest > 10 * (white - black)) {
    throw refused("std", `numbers that fit the range from ${black} to ${white}`, `${widest}`, hint);
  }
  return means.map((own, c) => ({ black, span: white - black, mean: own, std: stds[c]! }));
}

function perChannel(parameter: string, value: number | readonly number[], channels: number): number[] {
  const list = Array.isArray(value) ? value : Array.from({ length: channels }, () => value);
  if (list.length !== channels) throw refused(parameter, `one number or ${channels}`, describe(value));
  return list.map((one) => {
    const number = checkNumber(parameter, one);
    if (parameter !== "std" || number !== 0) return number;
    throw refused(parameter, "numbers other than 0", "0");
  });
}
