// Linear light and back is the identity; signed results are shown as documented.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromFloats, fromLinear, showSigned, toFloats, toGrey, toLinear } from "../../src/node/convert.ts";
import type { Picture } from "../../src/node/pictures.ts";

const row = (data: Picture["data"], channels = 1): Picture => ({
  width: data.length / channels,
  height: 1,
  channels,
  data,
  alpha: channels % 2 === 0,
});

describe("grey", () => {
  test("is a weighted sum, rounded; greys stay what they are, as does alpha", () => {
    const { data, channels, alpha } = toGrey(row(new Uint8Array([255, 0, 0, 9, 0, 255, 0, 8, 0, 0, 255, 7]), 4));
    expect([channels, alpha, ...data]).toEqual([2, true, 76, 9, 150, 8, 29, 7]);
    const every = Uint16Array.from({ length: 3 * 65536 }, (_, i) => Math.floor(i / 3));
    expect(toGrey(row(every, 3)).data).toEqual(Uint16Array.from({ length: 65536 }, (_, i) => i));
    const grey = row(new Uint8Array([1, 2]), 2);
    expect(toGrey(grey)).toBe(grey);
  });
});

test("among floats an alpha of 1 is opaque, and comes back", () => {
  const picture = row(new Uint8Array([7, 255, 200, 51]), 2);
  const floats = toFloats(picture);
  expect(Array.from(floats.data)).toEqual([7, 1, 200, Math.fround(51 * (1 / 255))]);
  expect(Array.from(fromFloats(floats, 255).data, Math.round)).toEqual(Array.from(picture.data));
  expect(Array.from(toFloats(row(new Uint16Array([3, 65535, 9]), 3)).data)).toEqual([3, 65535, 9]);
});

describe("linear light", () => {
  test("every 8-bit and 16-bit value comes back, with and without alpha", () => {
    const every8 = Uint8Array.from({ length: 256 }, (_, i) => i);
    const every16 = Uint16Array.from({ length: 65536 }, (_, i) => i);
    for (const channels of [1, 2, 4]) {
      expect(fromLinear(toLinear(row(every8, channels)), "u8", channels > 1).data).toEqual(every8);
      expect(fromLinear(toLinear(row(every16, channels)), "u16", channels > 1).data).toEqual(every16);
    }
  });

  test("follows the sRGB curve; alpha is only scaled", () => {
    const { data } = toLinear(row(new Uint8Array([0, 10, 128, 255, 255, 128]), 2));
    const wanted = [0, 10 / 255, ((128 / 255 + 0.055) / 1.055) ** 2.4, 1, 1, 128 / 255];
    for (const [i, v] of wanted.entries()) expect(data[i]).toBeCloseTo(v, 6);
  });

  test("rounds as the exact curve does, and saturates", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -1, max: 2 }), (v) => {
        const x = Math.min(1, Math.max(0, v));
        const exact = 65535 * (x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055);
        const image = { width: 1, height: 1, channels: 1, data: new Float32Array([v]) };
        expect(Math.abs(fromLinear(image, "u16", false).data[0]! - exact)).toBeLessThanOrEqual(0.51);
      }),
    );
    const odd = { width: 3, height: 1, channels: 1, data: new Float32Array([NaN, Infinity, -Infinity]) };
    expect([...fromLinear(odd, "u8", false).data]).toEqual([0, 255, 0]);
  });
});

describe("showSigned", () => {
  const image = { width: 5, height: 1, channels: 1, data: new Int16Array([-300, -20, 0, 20, 300]) };
  test("abs and clip", () => {
    expect([...showSigned(image, "abs", "u8", false).data]).toEqual([255, 20, 0, 20, 255]);
    expect([...showSigned(image, "clip", "u8", false).data]).toEqual([0, 0, 0, 20, 255]);
    expect([...showSigned(image, "abs", "u16", false).data]).toEqual([300, 20, 0, 20, 300]);
  });

  test("signed has zero at mid-grey, keeps signs apart and is symmetric", () => {
    for (const [dtype, middle] of [
      ["u8", 128],
      ["u16", 32768],
    ] as const) {
      const { data } = showSigned(image, "signed", dtype, false);
      expect(data[2]).toBe(middle);
      expect([data[0]! < data[1]!, data[1]! < middle, data[3]! > middle, data[4]! > data[3]!]).toEqual(
        Array(4).fill(true),
      );
      expect(Math.abs(data[0]! + data[4]! - 2 * middle)).toBeLessThanOrEqual(1);
      expect(data[4]).toBe(2 * middle - 1);
    }
  });

  test("signed shows faint results, whatever their scale, beside a few large ones", () => {
    const faint = new Float32Array(1000).map((_, i) => 0.01 * Math.sin(i));
    faint[500] = 40;
    const { data } = showSigned({ width: 1000, height: 1, channels: 1, data: faint }, "signed", "u8", false);
    expect(Math.max(...data) - Math.min(...data)).toBeGreaterThan(250);
    expect(data[500]).toBe(255);
    const flat = showSigned({ ...image, data: new Int16Array(5) }, "signed", "u8", false);
    expect([...flat.data]).toEqual(Array(5).fill(128));
  });

  test("keeps alpha", () => {
    const pair = { width: 2, height: 1, channels: 2, data: new Int16Array([-7, 200, 50, 255]) };
    for (const mode of ["abs", "signed", "clip"] as const) {
      const shown = showSigned(pair, mode, "u8", true);
      expect([shown.alpha, shown.data[1], shown.data[3]]).toEqual([true, 200, 255]);
    }
  });
});
