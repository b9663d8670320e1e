// Generated moves of pixels whose colours count by their alpha, against the loops that specify them, bit by bit: every kind of picture
// and result, rows of all lengths up to some vectors, apart in the array or not; and nothing but the pixels is written.
import { describe, expect, it } from "vitest";
import { compareWithOwn, keepAlpha, opaque, premultiply, unpremultiply } from "../../src/backend/alpha.ts";
import type { SourceBinding, TargetBinding } from "../../src/backend/backend.ts";
import { dividerOf, multiplierOf, ownPixels } from "../../src/backend/wasm/translucent.ts";
import { type ImageArray, type ImageDType, newArray, rangeOf } from "../../src/tensor.ts";
import { random } from "../oracle.ts";
import { floats, stagings } from "./stagings.ts";

const next = random(23);
const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;

const bits = new Uint32Array(floats.buffer, 0, 8 * 16384);
/** What was there before. */
const mark = 12345;
const start = 1024;
const dtypes = ["u8", "u16", "i16", "f32"] as const satisfies readonly ImageDType[];

function numbers(count: number, dtype: ImageDType): ImageArray {
  const [low, high] = dtype === "f32" ? [-2, 2] : rangeOf[dtype];
  const one = (): number => (next() < 0.2 ? pick([low, high, 0]) : low + next() * (high - low));
  return Object.assign(newArray(dtype, count), Array.from({ length: count }, one)) as ImageArray;
}

/** A picture of rows `step` pixels long. */
function pictureOf(dtype: ImageDType, channels: number, premultiplied: boolean): SourceBinding {
  const [width, height] = [4 + Math.floor(next() * 13), 1 + Math.floor(next() * 3)];
  const full = dtype === "f32" ? pick([1, 255, 0.7]) : opaque(dtype);
  const data = numbers(width * height * channels, dtype);
  const border = { border: "reflect", borderValue: 0 } as const;
  return { kind: "source", data, dtype, width, height, channels, alpha: "premultiply", full, premultiplied, ...border };
}

describe.each(stagings.map((staging, i) => [i === 0 ? "staging memory apart" : "within", staging] as const))(
  "%s",
  (_, staging) => {
    // biome-ignore format: one line
    it.each(dtypes.flatMap((dtype) => [2, 3, 4].map((channels) => [dtype, channels] as const)))(
    "multiplies %s of %i channels",
    (dtype, channels) => {
      for (let round = 0; round < 20; round++) {
        const source = pictureOf(dtype, channels, false);
        const [left, pitch] = [Math.floor(next() * 3), 4 * 128];
        const width = source.width - left;
        floats.fill(mark);
        multiplierOf(staging, source, "f32")!(source, { first: left, step: source.width, width, count: source.height }, start, pitch); // biome-ignore format: one line
        const wanted = new Float32Array(floats.length).fill(mark);
        for (let y = 0; y < source.height; y++) {
          const [at, from] = [(start + y * pitch) / 4, (y * source.width + left) * channels];
          for (let i = 0; i < width * channels; i++) wanted[at + i] = (source.data as ImageArray)[from + i]!;
          premultiply(wanted, at, width * channels, source);
        }
        const end = start / 4 + 128 * 4;
        expect(bits.subarray(0, end)).toEqual(new Uint32Array(wanted.buffer, 0, end));
      }
    },
  );

    const kinds = dtypes.flatMap((given) => dtypes.flatMap((dtype) => [2, 3, 4].map((channels) => [given, dtype, channels] as const))); // biome-ignore format: one line
    it.each(kinds)("divides and compares, %s to %s of %i channels", (given, dtype, channels) => {
      for (const premultiplied of [false, true])
        for (const tapSum of [undefined, 0, 1.5])
          for (let round = 0; round < 4; round++) {
            const source = pictureOf(given, channels, premultiplied);
            const { width, height } = source;
            const at = { x: Math.floor(next() * 3), y: 0, pitch: width + 5 };
            const length = at.pitch * height * channels;
            const made = (): TargetBinding => ({
              ...{ kind: "target", dtype, alpha: "premultiply", source, width, height, at },
              ...{ gain: pick([1, 0.25, -3]), offset: pick([0, 0.5, 100]), ...(tapSum !== undefined && { tapSum }) },
              data: newArray(dtype, length).fill(7) as ImageArray,
            });
            const target = made();
            const wanted = newArray(dtype, length).fill(7) as ImageArray;
            const [pitch, row] = [4 * 128, width * channels];
            const reach = 2 * source.full!;
            for (let i = 0; i < 128 * 4; i++)
              floats[start / 4 + i] = next() < 0.1 ? pick([0, -0, Number.NaN, Infinity]) : (next() - 0.3) * reach;
            const own = ownPixels(target, 0, height)!;
            dividerOf(staging, target, "f32")!(target, { first: at.x, step: at.pitch, width, count: height }, own, start, pitch); // biome-ignore format: one line
            for (let y = 0; y < height; y++) {
              const [from, to] = [(start + y * pitch) / 4, (y * at.pitch + at.x) * channels];
              if (tapSum === undefined) unpremultiply(floats, from, target, wanted, to, row);
              else {
                compareWithOwn(floats, from, target, wanted, source.data as ImageArray, y);
                keepAlpha(target, wanted, source.data as ImageArray, y);
              }
            }
            expect(target.data).toEqual(wanted);
          }
    });
  },
);
