// The curves and areas from which named filters are sampled.

/** Taps of a Gaussian of unit sum; `side` is odd. */
export function gaussian(sigma: number, side: number): number[] {
  const taps = Array.from({ length: side }, (_, i) => Math.exp(-(((i - (side - 1) / 2) / sigma) ** 2) / 2));
  const sum = taps.reduce((a, b) => a + b, 0);
  return taps.map((tap) => tap / sum);
}

/** Taps of its first derivative, positive to the right: x / σ² times the Gaussian. Mirrored taps cancel exactly. */
export function derivative(sigma: number, side: number): number[] {
  return gaussian(sigma, side).map((tap, i) => ((i - (side - 1) / 2) / sigma / sigma) * tap);
}

/**
 * Taps of its second derivative: (x² − m) / σ⁴ times the Gaussian, where m is the variance of the taps themselves, so
 * that their sum is zero (in the continuous curve m = σ²).
 */
export function secondDerivative(sigma: number, side: number): number[] {
  const taps = gaussian(sigma, side);
  const squares = taps.map((_, i) => ((i - (side - 1) / 2) / sigma) ** 2);
  const variance = taps.reduce((sum, tap, i) => sum + tap * squares[i]!, 0);
  return taps.map((tap, i) => ((squares[i]! - variance) / sigma / sigma) * tap);
}

/** Binomial coefficients C(side − 1, k). */
export function pascalRow(side: number): number[] {
  let row = [1];
  while (row.length < side) row = [1, ...row.slice(1).map((value, i) => value + row[i]!), 1];
  return row;
}

/** Row-major values over [0, kh) × [0, kw). */
export function outer(kh: number, kw: number, value: (y: number, x: number) => number) {
  const values: number[] = [];
  for (let y = 0; y < kh; y++) for (let x = 0; x < kw; x++) values.push(value(y, x));
  return { kh, kw, values };
}

/** The same with coordinates from the middle; sides are odd. */
export function grid(kh: number, kw: number, value: (y: number, x: number) => number) {
  return outer(kh, kw, (y, x) => value(y - (kh - 1) / 2, x - (kw - 1) / 2));
}

/** The share of the pixel around (x, y) that a disk around the origin covers: the same for (y, x), to the last bit. */
export function pixelInDisk(x: number, y: number, radius: number): number {
  const [near, far] = [Math.abs(x), Math.abs(y)].sort((a, b) => a - b) as [number, number];
  // A pixel on an axis is twice its half on the positive side.
  const twice = (near === 0 ? 2 : 1) * (far === 0 ? 2 : 1);
  return twice * areaInDisk(Math.max(0, near - 0.5), near + 0.5, Math.max(0, far - 0.5), far + 0.5, radius);
}

/** The area of a rectangle of the positive quadrant inside the disk: full height up to a, then under the arc to b. */
function areaInDisk(x0: number, x1: number, y0: number, y1: number, r: number): number {
  const height = (x: number) => Math.sqrt(Math.max(0, (r - x) * (r + x)));
  const within = (x: number) => Math.min(x1, Math.max(x0, x));
  const [a, b] = [within(height(y1)), within(height(y0))];
  const [ha, hb] = [height(a), height(b)];
  // Under the arc: a trapezoid and the segment between the arc and its chord. Differences of areas would cost digits.
  const angle = 2 * Math.asin(Math.min(1, Math.hypot(b - a, hb - ha) / (2 * r)));
  return (a - x0) * (y1 - y0) + (b - a) * ((ha + hb) / 2 - y0) + (r * r * (angle - Math.sin(angle))) / 2;
}

/** A line of the given length through the middle: a pixel's weight falls from 1 on the line to 0 one pixel off it. */
export function motionGrid(length: number, angle: number) {
  const [dx, dy] = [exactCosine(angle), exactCosine(angle - 90)];
  const half = (length - 1) / 2;
  const weight = (y: number, x: number): number => {
    const along = Math.min(half, Math.max(-half, x * dx + y * dy));
    return Math.max(0, 1 - Math.hypot(x - along * dx, y - along * dy));
  };
  // The farthest pixel with a weight lies less than one pixel beyond the end of the line.
  const reach = (d: number) => Math.ceil(half * Math.abs(d));
  return grid(2 * reach(dy) + 1, 2 * reach(dx) + 1, weight);
}

/** The cosine of an angle in degrees, exactly 0 and ±1 on the axes. */
function exactCosine(angle: number): number {
  const cosine = Math.cos((angle * Math.PI) / 180);
  return Math.abs(cosine) < 1e-12 ? 0 : cosine;
}
