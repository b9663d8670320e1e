// Engines that know no modules of several memories: staging memory is a part of the program's, which may grow on the first call.
import { expect, test, vi } from "vitest";
import { createEngine, type FilterOptions, type ImageDType } from "../../src/index.ts";
import { randomImage } from "../oracle.ts";

const cases: [ImageDType, 2 | 4, string, FilterOptions][] = [
  ["u8", 2, "gaussian:sigma=2", { alpha: "premultiply" }],
  ["u8", 4, "box:size=3", { alpha: "premultiply", border: "constant", borderValue: 90 }],
  ["u32", 2, "gaussian:sigma=2", { alpha: "premultiply" }],
  ["u8", 4, "gaussian:sigma=2", { border: "constant", borderValue: 255 }],
  ["f32", 2, "gaussian:sigma=3", { alpha: "premultiply", border: "constant", borderValue: 0.5 }],
];

test.each(cases)(
  "the first call of a filter is right: %s of %i channels, %s %j",
  async (dtype, channels, filter, options) => {
    // biome-ignore format: one line
    const validate = WebAssembly.validate;
    const spy = vi
      .spyOn(WebAssembly, "validate")
      .mockImplementation((bytes) => !Buffer.from(bytes as Uint8Array).includes("staging") && validate(bytes));
    const one = await createEngine({ threads: 1 });
    spy.mockRestore();
    const usual = await createEngine({ threads: 1 });
    const image = randomImage(64, 48, channels, dtype as "u8", 5);
    const [first, wanted] = [await one.filter(image, filter, options), await usual.filter(image, filter, options)];
    expect(first.data).toEqual(wanted.data);
    one.dispose();
    usual.dispose();
  },
);
