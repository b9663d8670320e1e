// Orders of axes: between TensorFlow's and ONNX's data and weights.

export type Shape4 = [number, number, number, number];

/** The data with axis i of the result being axis order[i]. */
export function permute(
  data: Float32Array,
  shape: Shape4,
  order: readonly [number, number, number, number],
): Float32Array {
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const [s, t] = [order.map((axis) => shape[axis]!) as Shape4, order.map((axis) => steps[axis]!) as Shape4];
  const out = new Float32Array(data.length);
  let at = 0;
  for (let a = 0; a < s[0]; a++)
    for (let b = 0; b < s[1]; b++)
      for (let c = 0; c < s[2]; c++)
        for (let d = 0; d < s[3]; d++) out[at++] = data[a * t[0] + b * t[1] + c * t[2] + d * t[3]]!;
  return out;
}
