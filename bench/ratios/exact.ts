// Filters of integers that run exactly, over the same taps times a real number, which need not be exact.
import type { Engine } from "../../src/index.ts";
import { makePicture } from "../filters/picture.ts";
import { generator } from "../random.ts";
import type { Pair } from "../ratios.ts";
import { timed } from "../rival.ts";

/** A random filter of a rank, of integers up to `most` as sums of products. */
function integers(side: number, rank: number, seed: number): number[][] {
  const random = generator(seed);
  const vector = () => Array.from({ length: side }, () => Math.floor(19 * random()) - 9);
  const terms = Array.from({ length: rank }, () => [vector(), vector()] as const);
  return Array.from({ length: side }, (_, i) =>
    Array.from({ length: side }, (_, j) => terms.reduce((sum, [c, r]) => sum + c[i]! * r[j]!, 0)),
  );
}

export function exactPairs(engine: Engine, reference: Engine): Pair[] {
  const shapes = [3, 5, 9, 17, 33].flatMap((side) => [1, 3, side].map((rank) => [side, Math.min(rank, side)] as const));
  return [...new Map(shapes.map((shape) => [shape.join(), shape])).values()].map(([side, rank]) => {
    const image = makePicture(1000, 1000, 1);
    const taps = integers(side, rank, side * 100 + rank);
    const out = new Float32Array(image.data.length);
    const options = { output: "f32", out } as const;
    const real = taps.map((row) => row.map((tap) => tap * 0.731_058_578_6));
    return {
      name: `exact ${side} × ${side} of rank ${rank}, over real taps`,
      most: 2,
      async check() {
        const { error } = engine.plan(engine.filterProblem({ ...image, dtype: "u8" }, taps, { output: "f32" }));
        if (error.maxAbs !== 0) throw new Error(`the plan of ${side} × ${side}, rank ${rank}, is not exact`);
        const region = { x: 0, y: 0, width: 200, height: 40 };
        const right = await reference.filter(image, taps, { output: "f32", region });
        const { data } = await engine.filter(image, taps, { output: "f32", region });
        if (data.some((value, i) => value !== right.data[i])) throw new Error("an exact result differs");
        await engine.filter(image, taps, options);
        for (let y = 0; y < 40; y++)
          for (let x = 0; x < 200; x++)
            if (out[y * 1000 + x] !== right.data[y * 200 + x]) throw new Error("an exact result differs");
      },
      variant: () => timed(() => engine.filter(image, taps, options)),
      plain: () => timed(() => engine.filter(image, real, options)),
    };
  });
}
