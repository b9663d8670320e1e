// The goals that rank1 set itself, and what was reached, computed from the results of one machine. A goal without the
// measurements that it needs is left out.
import { atLeast, atMost, both, geometricMean, least, measured, type Reached, timeOf, type Variant } from "../goals.ts";
import type { Cold, FilterResults } from "./results.ts";

const plain = ["gaussian-1", "gaussian-2", "gaussian-8"];
const computing = ["gaussian-8", "matrix-7", "matrix-15", "full-15", "full-31"];

export function goalsOf(results: FilterResults): Reached[] {
  const time = (name: string, rival: string, threads = 1): number => timeOf(results, name, rival, threads);
  /** How many times as long the rival takes. */
  const against = (rival: string, name: string, variant: Variant): number => time(name, rival) / time(name, variant);
  const blurs = (variant: Variant): number[] => plain.map((name) => against("OpenCV", name, variant));
  const scripts = ["wasm-vips", "opencv.js", "image-js", "jimp"];
  const slowest = (variant: Variant): number =>
    least(scripts.flatMap((rival) => plain.map((name) => against(rival, name, variant))).filter(Number.isFinite));

  const goals: Reached[] = [
    { goal: "Gaussian σ 1, 2, 8 against OpenCV, mean", wide: geometricMean(blurs("rank1 wide")), ...atLeast(1.3) },
    { goal: "the same, worst", wide: Math.min(...blurs("rank1 wide")), ...atLeast(1) },
    { goal: "the same with 128-bit code, mean", narrow: geometricMean(blurs("rank1")), ...atLeast(0.8) },
    { goal: "the same against the best of JavaScript and WebAssembly", ...both(slowest), ...atLeast(3) },
    {
      goal: "Gaussian σ 32, tolerance 0.01, against OpenCV",
      ...both((variant) => against("OpenCV", "gaussian-32-tolerance", variant)),
      ...atLeast(10),
    },
    {
      goal: "Gaussian σ 120 against σ 16, tolerance 0.01: time",
      ...both((variant) => time("gaussian-120-tolerance", variant) / time("gaussian-16-tolerance", variant)),
      ...atMost(1.2, "×"),
    },
    { goal: "Sobel x against OpenCV", ...both((variant) => against("OpenCV", "sobel-x", variant)), ...atLeast(1) },
    ...[
      ["matrix-7", "7×7", "OpenCV", 3] as const,
      ["matrix-15", "15×15", "OpenCV", 10] as const,
      ["matrix-7", "7×7", "sharp", 10] as const,
      ["matrix-15", "15×15", "sharp", 50] as const,
    ].map(([name, size, rival, bound]) => ({
      goal: `${size} matrix of rank 1 against ${rival === "OpenCV" ? "OpenCV's filter2D" : "sharp's convolve"}`,
      ...both((variant) => against(rival, name, variant)),
      ...atLeast(bound),
    })),
    ...[3, 4].map((channels) => ({
      goal: `Gaussian in ${channels === 3 ? "RGB" : "RGBA"} against grey: time for a byte, worse of σ 2 and 8`,
      ...both((variant) => Math.max(...[2, 8].map((sigma) => perByte(time, sigma, channels, variant)))),
      ...atMost(1.2, "×"),
    })),
    {
      goal: "borders: share of the time, 2 megapixels, σ 10",
      ...both((variant) => 100 * borderShare(time, variant)),
      ...atMost(10, "%"),
    },
    { goal: "video, 1280×720 RGBA, σ 8, 128-bit code: time", narrow: time("video", "rank1"), ...videoBound(time) },
    {
      goal: "the same: bytes left for the garbage collector, a call",
      ...both((variant) => {
        const found = results.allocations.find(({ wide }) => wide === (variant === "rank1 wide"));
        return found ? Math.max(0, found.heap + found.buffers) : Number.NaN;
      }),
      ...atMost(0, "bytes"),
    },
    {
      goal: "2 threads against 1, mean of the cases that compute more than they move",
      ...both((variant) => geometricMean(computing.map((name) => time(name, variant) / time(name, variant, 2)))),
      ...atLeast(1.7),
    },
    ...[1, 2].map((threads) => ({
      goal: `first call of a new engine minus a warm call, 1 megapixel, verdicts cached, ${threads === 1 ? "1 thread" : "2 threads"}`,
      narrow: extraOf(results, threads, ({ wide }) => !wide),
      wide: extraOf(results, threads, ({ cached = false }) => cached),
      ...atMost(20, "ms"),
    })),
  ];
  return measured(goals);
}

/** What a first call takes longer than a warm one, in milliseconds. */
function extraOf({ cold }: FilterResults, threads: number, which: (one: Cold) => boolean): number | undefined {
  return cold.find((one) => one.threads === threads && which(one))?.extra.median;
}

type Time = (name: string, rival: string, threads?: number) => number;

function perByte(time: Time, sigma: number, channels: number, variant: Variant): number {
  const name = `gaussian-${sigma}`;
  return time(`${name}-${channels === 3 ? "rgb" : "rgba"}`, variant) / channels / time(name, variant);
}

/**
 * Three shapes of two megapixels: time = area + rows · a + columns · b gives the time without borders. Work that comes with
 * each row for other reasons counts as border, too.
 */
function borderShare(time: Time, variant: Variant): number {
  const at = (width: number, height: number): number => time(`border-reflect-${width}x${height}`, variant);
  const [square, tall, wide] = [at(1600, 1250), at(800, 2500), at(3200, 625)];
  // tall − square = 1250 a − 800 b; wide − square = −625 a + 1600 b
  const [p, q] = [tall - square, wide - square];
  const determinant = 1250 * 1600 - 800 * 625;
  const [a, b] = [(1600 * p + 800 * q) / determinant, (625 * p + 1250 * q) / determinant];
  return (1250 * a + 1600 * b) / square;
}

/** Either of two bounds will do, so the larger one counts. */
function videoBound(time: Time): Pick<Reached, "unit" | "bound" | "below"> {
  return { unit: "ms", bound: Math.max(16, 0.6 * (time("video", "OpenCV") || 0)), below: true };
}
