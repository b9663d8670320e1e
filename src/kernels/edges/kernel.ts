// The edges family: Canny's thinning in one go. Which edges above the low threshold stay, those that others above the high one
// lead to, is found on whole pictures.
import type { EdgesSpec } from "../../plan/types.ts";
import type { Kernel, Rows, StepBuffers } from "../kernel.ts";
import { withNumbers } from "../words.ts";
import { boundsOf, elementsOf, ringBytes, tangents, words, wordsFor } from "./layout.ts";
import { emit } from "./wasm.ts";

/** What is known of one row. */
interface Gradient {
  x: Float64Array;
  y: Float64Array;
  norm: Float64Array;
}

const f = Math.fround;

/** The gradient of the row between two others. In f32 each operation rounds, as in the generated code. */
function gradientOf({ norm }: EdgesSpec, [a, b, c]: ArrayLike<number>[], count: number, channels: number): Gradient {
  const found: Gradient = { x: new Float64Array(count), y: new Float64Array(count), norm: new Float64Array(count) };
  for (let i = 0; i < count; i++) {
    const [m, r] = [i + channels, i + 2 * channels];
    const across = (row: ArrayLike<number>): number => f(row[r]! - row[i]!);
    const down = (at: number): number => f(c![at]! - a![at]!);
    const [gx, gy] = [f(f(across(a!) + across(c!)) + 2 * across(b!)), f(f(down(i) + down(r)) + 2 * down(m))];
    found.x[i] = gx;
    found.y[i] = gy;
    // Squares of integers are exact as they stand.
    found.norm[i] = norm === "l1" ? f(Math.abs(gx) + Math.abs(gy)) : gx * gx + gy * gy;
  }
  return found;
}

/** Whether a gradient is at its greatest along itself. */
function isCrest(rows: readonly (Gradient | undefined)[], i: number, channels: number, whole: boolean): boolean {
  const { x, y, norm } = rows[1]!;
  const count = norm.length;
  const at = (row: number, j: number): number => (j < 0 || j >= count ? 0 : (rows[row]?.norm[j] ?? 0));
  const [gx, gy] = [Math.abs(x[i]!), Math.abs(y[i]!)];
  const { whole: tangent, shift, least, most } = tangents;
  const [own, rise] = [norm[i]!, whole ? gy * 2 ** shift : gy];
  if (rise < (whole ? gx * tangent : f(gx * least))) return own > at(1, i - channels) && own >= at(1, i + channels);
  if (rise > (whole ? gx * (tangent + 2 ** (shift + 1)) : f(gx * most))) return own > at(0, i) && own >= at(2, i);
  const side = x[i]! < 0 !== y[i]! < 0 ? -channels : channels;
  return own > at(0, i - side) && own > at(2, i + side);
}

function reference(spec: EdgesSpec, [input]: Rows[], write: Rows, rows: number, first: number): void {
  const [count, { channels }] = [elementsOf(input!.spec), input!.spec];
  const whole = spec.arithmetic === "i16";
  const rounded = (g: Gradient): Gradient => (whole || spec.norm === "l1" ? g : { ...g, norm: squares(g) });
  const made = Array.from({ length: rows + 2 }, (_, k) => {
    const y = first - 1 + k;
    if (y < 0 || y >= spec.height) return undefined;
    return rounded(gradientOf(spec, [0, 1, 2].map((d) => input!.row(k + d)), count, channels)); // biome-ignore format: a line
  });
  const bounds = boundsOf(spec);
  const half = 4 * wordsFor(count);
  for (let k = 0; k < rows; k++) {
    const out = write.row(k).fill(0);
    const three = made.slice(k, k + 3);
    for (let i = 0; i < count; i++) {
      if (!isCrest(three, i, channels, whole)) continue;
      bounds.forEach((bound, b) => {
        if (three[1]!.norm[i]! > bound) out[(1 - b) * half + (i >> 3)]! |= 1 << (i & 7);
      });
    }
  }
}

const squares = ({ x, y }: Gradient): Float64Array => x.map((gx, i) => f(f(gx * gx) + f(y[i]! * y[i]!)));

function params(spec: EdgesSpec, { reads: [x], write }: StepBuffers): Uint8Array {
  const elements = elementsOf(x!);
  const all = 32 * wordsFor(elements);
  const block = words.pack({ elements, all, bytes: all / 8, ring: ringBytes(write), last: spec.height - 1 });
  const whole = spec.arithmetic === "i16";
  const bounds = boundsOf(spec);
  const { buffer } = whole ? Int32Array.from(bounds) : Float32Array.from(bounds);
  return withNumbers(block, [...new Int32Array(buffer)]);
}

export const edges: Kernel<EdgesSpec> = {
  family: "edges",
  describe: ({ norm }) => `thin edges, ${norm === "l1" ? "|gx| + |gy|" : "gx² + gy²"}`,
  reference,
  entry: ({ norm, arithmetic }, { reads: [x] }, { wide }) =>
    `edges ${norm} ${arithmetic} ${x!.dtype} x${x!.channels}${wide ? " wide" : ""}`,
  emit,
  work: ({ arithmetic }, { reads: [x] }) => ({
    ...{ arithmetic, multiplications: 8 * elementsOf(x!) },
    ...{ additions: elementsOf(x!), serialAdditions: 0 },
  }),
  params,
  scratch: (_spec, write) => 3 * 3 * ringBytes(write),
  overrun: { elements: 16, rows: 0 },
};
