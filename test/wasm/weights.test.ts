// Generated moves of pixels with weights against the loops that specify them: every kind of picture and mask, rows of all lengths
// up to some vectors, apart in the array or not; and nothing but the pixels is written.
import { describe, expect, it } from "vitest";
import type { SourceBinding, TargetBinding } from "../../src/backend/backend.ts";
import { stagedAs, unweigh, weigh } from "../../src/backend/known.ts";
import { unweigherOf, weigherOf } from "../../src/backend/wasm/weights.ts";
import { type ImageArray, type ImageDType, imageDTypes, newArray, rangeOf } from "../../src/tensor.ts";
import { random } from "../oracle.ts";
import { floats, stagings } from "./stagings.ts";

const next = random(11);
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

/** What was there before. */
const mark = 12345;
const start = 1024;

/** Numbers of a type, with its extremes; of floats, some that are none. */
function numbers(count: number, dtype: ImageDType, odd: boolean): ImageArray {
  const [low, high] = dtype === "f32" ? [-2, 2] : rangeOf[dtype];
  const strange = [Number.NaN, Infinity, -Infinity, 0, 1e-30];
  const one = (): number => {
    if (next() < 0.1) return pick([low, high]);
    if (odd && next() < 0.2) return pick(strange);
    return low + next() * (high - low);
  };
  return Object.assign(newArray(dtype, count), Array.from({ length: count }, one)) as ImageArray;
}

function masks(count: number): ({ mask: Uint8Array | Uint16Array | Float32Array } | object)[] {
  const weights = Array.from({ length: count }, () => (next() < 0.3 ? 0 : next() < 0.3 ? 1 : next()));
  const of = (full: number): number[] => weights.map((weight) => weight * full);
  return [
    {},
    { mask: Float32Array.from(weights) },
    { mask: Uint8Array.from(of(255)) },
    { mask: Uint16Array.from(of(65535)) },
  ];
}

/** Pictures of every kind: `rows` of `width` pixels, `step` apart. */
function* sources(): Generator<{ source: SourceBinding; width: number; step: number; rows: number; what: string }> {
  for (const dtype of imageDTypes.filter((dtype) => ["u8", "u16", "i16", "f32"].includes(dtype)))
    for (const channels of [1, 2, 3, 4])
      for (const alpha of channels % 2 ? (["none"] as const) : (["none", "keep", "premultiply"] as const))
        for (const nan of dtype === "f32" ? [false, true] : [false])
          for (const which of [0, 1, 2, 3]) {
            const [width, rows] = [1 + Math.floor(next() * 13), 1 + Math.floor(next() * 3)];
            const step = width + pick([0, 3]);
            const known = { ...masks(step * rows)[which], nan, border: true, fill: [1, 2, 3, 4] };
            const data = numbers(step * rows * channels, dtype, nan);
            const binding = { kind: "source", data, dtype, height: rows, width: step, channels, alpha } as const;
            const source: SourceBinding = { ...binding, border: "reflect", borderValue: 0, known };
            yield { source, width, step, rows, what: JSON.stringify({ dtype, channels, alpha, nan, which, width }) };
          }
}

const nearly = (got: number, wanted: number, most: number): boolean =>
  Object.is(got, wanted) || got === wanted || Math.abs(got - wanted) <= most;

describe.each([0, 1])("staging memory apart, or not: %i", (which) => {
  const staging = stagings[which]!;

  it("pixels come in times their weights", () => {
    for (const { source, width, step, rows, what } of sources()) {
      const { channels } = stagedAs(source);
      const pitch = width * channels + 2;
      floats.fill(mark);
      const wanted = floats.slice();
      for (let y = 0; y < rows; y++) weigh(wanted, start + y * pitch, source, y * step, width);
      weigherOf(staging, source, "f32")({ first: 0, step, width, count: rows }, start * 4, pitch * 4);
      // The loops round a product with alpha once, generated code twice.
      const most = source.alpha === "premultiply" ? 2 ** -23 : 0;
      const wrong = floats.findIndex((got, i) => !nearly(got, wanted[i]!, Math.abs(most * wanted[i]!)));
      if (wrong >= 0) expect.fail(`${what}: ${floats[wrong]} where ${wanted[wrong]} is right, at ${wrong - start}`);
    }
  });

  it("means go out", () => {
    for (const { source, width, step, rows, what } of sources())
      for (const dtype of new Set<ImageDType>(["f32", source.dtype])) {
        const { colours, channels } = stagedAs(source);
        const pitch = width * channels + 2;
        const [gain, offset] = pick([
          [1, 0],
          [1.5, -3],
        ] as const);
        floats.fill(mark);
        const high = source.dtype === "f32" ? 2 : rangeOf[source.dtype][1];
        for (let y = 0; y < rows; y++)
          for (let i = 0; i < width * channels; i++) {
            const c = i % channels;
            const weight = pick([0, 1, 0.3, 2 ** -101, 200]);
            floats[start + y * pitch + i] =
              c === channels - 1 ? weight : next() < 0.1 ? 0 : (next() - (c < colours ? 0.3 : 0)) * 2 * high;
          }
        const size = step * rows * source.channels;
        const made = (): ImageArray => newArray(dtype, size).fill(77) as ImageArray;
        const [got, wanted] = [made(), made()];
        const of = (data: ImageArray): TargetBinding =>
          ({ kind: "target", data, dtype, gain, offset, alpha: source.alpha, source }) as unknown as TargetBinding;
        for (let y = 0; y < rows; y++)
          unweigh(floats, start + y * pitch, of(wanted), wanted, y * step * source.channels, width);
        unweigherOf(staging, of(got), "f32")({ first: 0, step, width, count: rows }, start * 4, pitch * 4);
        for (let i = 0; i < size; i++) {
          const [c, x] = [i % source.channels, Math.floor(i / source.channels) % step];
          // Kept alpha is written by another.
          if (source.alpha === "keep" && c === colours && x < width) continue;
          // Of floats, a few roundings on the way; integers may then fall on the other side of a half.
          const most = dtype === "f32" ? 4 * 2 ** -24 * (Math.abs(wanted[i]!) + 3) : 1;
          if (!nearly(got[i]!, wanted[i]!, most)) expect.fail(`${what} to ${dtype}: ${got[i]} where ${wanted[i]} is right, at ${i}`); // biome-ignore format: a line
        }
        if (dtype === "f32") continue;
        let differ = 0;
        for (let i = 0; i < size; i++)
          differ += Number(got[i] !== wanted[i] && !(source.alpha === "keep" && i % source.channels === colours));
        expect(differ, what).toBeLessThanOrEqual(1);
      }
  });
});
