// Times plain loops in this browser: a filter at once, and in passes along rows and columns.

/** Outputs along each side of the picture that is timed. */
export const timedSide = 96;

export interface Times {
  /** Milliseconds, the least of a few runs: whatever else the machine does can only add to them. */
  direct: number;
  passes: number;
}

/** k · k products for each output. */
export function runDirect(x: Float32Array, y: Float32Array, weights: Float32Array, k: number): void {
  const width = timedSide + k - 1;
  for (let row = 0; row < timedSide; row++)
    for (let column = 0; column < timedSide; column++) {
      let sum = 0;
      for (let dy = 0; dy < k; dy++) {
        const from = (row + dy) * width + column;
        for (let dx = 0; dx < k; dx++) sum += weights[dy * k + dx]! * x[from + dx]!;
      }
      y[row * timedSide + column] = sum;
    }
}

/** For each term a pass along the rows, then one along the columns. `middle` has a row for each of the picture's. */
export function runPasses(
  x: Float32Array,
  y: Float32Array,
  terms: readonly (readonly [column: Float32Array, row: Float32Array])[],
  middle: Float32Array,
  k: number,
): void {
  // biome-ignore format: a line
  const width = timedSide + k - 1;
  y.fill(0);
  for (const [column, row] of terms) {
    for (let i = 0; i < width; i++)
      for (let j = 0; j < timedSide; j++) {
        let sum = 0;
        for (let dx = 0; dx < k; dx++) sum += row[dx]! * x[i * width + j + dx]!;
        middle[i * timedSide + j] = sum;
      }
    for (let i = 0; i < timedSide; i++)
      for (let j = 0; j < timedSide; j++) {
        let sum = 0;
        for (let dy = 0; dy < k; dy++) sum += column[dy]! * middle[(i + dy) * timedSide + j]!;
        y[i * timedSide + j]! += sum;
      }
  }
}

const leastMilliseconds = 6;
const rounds = 6;
const warmRounds = 3;

/** Times both in turns, each run as its own task, so that the page answers in between. Rejects when the signal fires. */
export async function timeBoth(k: number, rank: number, signal: AbortSignal): Promise<Times> {
  const width = timedSide + k - 1;
  const x = Float32Array.from({ length: width * width }, (_, i) => (i * 7919) % 251);
  const [y, middle] = [new Float32Array(timedSide ** 2), new Float32Array(width * timedSide)];
  const taps = (n: number): Float32Array => Float32Array.from({ length: k }, (_, i) => 1 + ((i * 31 + n * 17) % 7));
  const terms = Array.from({ length: rank }, (_, n) => [taps(n), taps(n + 9)] as const);
  const weights = new Float32Array(k * k);
  for (const [column, row] of terms)
    for (let i = 0; i < k * k; i++) weights[i]! += column[Math.floor(i / k)]! * row[i % k]!;
  const [direct, passes]: [number[], number[]] = [[], []];
  for (let round = 0; round < warmRounds + rounds; round++) {
    for (const [times, run] of [
      [direct, () => runDirect(x, y, weights, k)],
      [passes, () => runPasses(x, y, terms, middle, k)],
    ] as const) {
      await new Promise((resolve) => setTimeout(resolve));
      signal.throwIfAborted();
      const time = timeOf(run);
      if (round >= warmRounds) times.push(time);
    }
  }
  return { direct: Math.min(...direct), passes: Math.min(...passes) };
}

/** Milliseconds of one run: as many are run as browsers' coarse clocks need. */
function timeOf(run: () => void): number {
  const begin = performance.now();
  let runs = 0;
  let now = begin;
  for (; now - begin < leastMilliseconds; now = performance.now()) {
    run();
    runs++;
  }
  return (now - begin) / runs;
}
