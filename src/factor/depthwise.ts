// Depthwise filters that are each a column times a row: found without a decomposition, since rank one is all that is asked.
export interface ColumnsAndRows {
  /** [kh, channels]. */
  columns: Float32Array;
  /** [kw, channels]. */
  rows: Float32Array;
}

/** How far a filter may be from the product, in parts of its largest value: rounding to 32-bit floats explains it. */
const slack = 4 * 2 ** -24;

/** Splits a weight [kh, kw, channels] into columns and rows, if every channel's filter has rank 1 (or 0). */
export function splitDepthwise(
  weight: ArrayLike<number>,
  [kh, kw, channels]: readonly [number, number, number],
): ColumnsAndRows | undefined {
  const [columns, rows] = [new Float32Array(kh * channels), new Float32Array(kw * channels)];
  for (let c = 0; c < channels; c++) {
    const at = (i: number, j: number): number => weight[(i * kw + j) * channels + c]!;
    let [top, side] = [0, 0];
    for (let tap = 0; tap < kh * kw; tap++) {
      const [i, j] = [Math.floor(tap / kw), tap % kw];
      if (Math.abs(at(i, j)) > Math.abs(at(top, side))) [top, side] = [i, j];
    }
    const pivot = at(top, side);
    for (let i = 0; i < kh; i++) columns[i * channels + c] = pivot === 0 ? 0 : at(i, side) / pivot;
    for (let j = 0; j < kw; j++) rows[j * channels + c] = at(top, j);
    for (let i = 0; i < kh; i++)
      for (let j = 0; j < kw; j++) {
        const product = columns[i * channels + c]! * rows[j * channels + c]!;
        if (!(Math.abs(product - at(i, j)) <= slack * Math.abs(pivot))) return undefined;
      }
  }
  return { columns, rows };
}
