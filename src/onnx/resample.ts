// Resizes pictures as networks want it: linearly, and where a picture shrinks over as many pixels as become one, so that
// no detail aliases (the triangle filter of Pillow's BILINEAR).

/** Interleaved pixels; the first channels are colours. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: ArrayLike<number>;
}

/** A part of a picture in its pixels; it may begin and end between pixels, but not outside. */
export interface Part {
  /** Its first column. */
  readonly left: number;
  /** Its first row. */
  readonly top: number;
  /** In pixels. */
  readonly width: number;
  /** In pixels. */
  readonly height: number;
}

export interface Size {
  /** In pixels. */
  width: number;
  /** In pixels. */
  height: number;
}

/** The first `colours` channels of a picture, or of a part of it, in another size. */
export function resize(
  picture: Pixels,
  colours: number,
  { width, height }: Size,
  part: Part = { left: 0, top: 0, ...picture },
): Float64Array {
  const isWhole = part.left === 0 && part.top === 0 && part.width === width && part.height === height;
  if (isWhole && width === picture.width && height === picture.height) return asTheyAre(picture, colours);
  const columns = resampled(picture, colours, { length: width, from: part.left, span: part.width });
  const turned = { channels: colours, data: columns, width: picture.height, height: width };
  return resampled(turned, colours, { length: height, from: part.top, span: part.height });
}

/** The same pixels: no weight rounds them, whatever the picture's size. */
function asTheyAre({ width, height, channels, data }: Pixels, colours: number): Float64Array {
  const out = new Float64Array(width * height * colours);
  for (let pixel = 0, at = 0; pixel < width * height; pixel++)
    for (let c = 0; c < colours; c++) out[at++] = data[pixel * channels + c]!;
  return out;
}

/** So many places that cover `span` pixels of each row, the first of them `from`. */
interface Row {
  length: number;
  from: number;
  span: number;
}

/** Rows of another length, as the columns of the result: so the same again resamples the columns. */
function resampled({ width, height, channels, data }: Pixels, colours: number, row: Row): Float64Array {
  const out = new Float64Array(row.length * height * colours);
  for (let x = 0; x < row.length; x++) {
    const { first, weights } = weightsAt(x, width, row);
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < colours; c++) {
        let sum = 0;
        for (let i = 0; i < weights.length; i++) sum += weights[i]! * data[(y * width + first + i) * channels + c]!;
        out[(x * height + y) * colours + c] = sum;
      }
    }
  }
  return out;
}

/** The weights of a triangle around place `i`, and the first of `width` pixels that has one. */
function weightsAt(i: number, width: number, { length, from, span }: Row): { first: number; weights: number[] } {
  const middle = from + ((i + 0.5) * span) / length - 0.5;
  const reach = Math.max(1, span / length);
  const first = Math.max(0, Math.floor(middle - reach) + 1);
  const last = Math.min(width - 1, Math.ceil(middle + reach) - 1);
  const weights = Array.from({ length: last - first + 1 }, (_, k) => 1 - Math.abs(first + k - middle) / reach);
  const sum = weights.reduce((a, b) => a + b, 0);
  return { first, weights: weights.map((weight) => weight / sum) };
}
