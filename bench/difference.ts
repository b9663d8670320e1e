// How far two results are from each other.

/** The largest difference of two results, over the largest value of the second. */
export function differenceOf(a: Float32Array, b: Float32Array): number {
  let [most, largest] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return most / largest;
}
