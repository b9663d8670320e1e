// What is no region or extent is refused before anything is written.
import { describe, expect, it } from "vitest";
import { type Filter, type FilterOptions, InvalidArgumentError } from "../../src/index.ts";
import { randomImage } from "../oracle.ts";
import { pasted } from "./crops.ts";
import { engineMaker, worst } from "./engines.ts";

describe("bad input", () => {
  const make = engineMaker({ backend: "wasm", threads: 1 });
  const image = randomImage(20, 10, 2, "u8", 1);
  const region = { x: 2, y: 3, width: 5, height: 4 };

  it.each<[string, Filter, Record<string, unknown>, RegExp]>([
    ["an unknown extent", "box:3", { extent: "inner" }, /^extent: expected one of "?same/],
    ["valid of a larger filter", "box:11", { extent: "valid" }, /^extent: expected a filter of at most .* got one of 11 x 11/],
    ["no rectangle", "box:3", { region: [1, 2, 3, 4] }, /^region: expected/],
    ["null", "box:3", { region: null }, /^region: expected/],
    ["an unknown key", "box:3", { region: { ...region, w: 3 } }, /^region/],
    ["a missing side", "box:3", { region: { x: 0, y: 0, width: 3 } }, /^region.height: expected an integer/],
    ["no pixels", "box:3", { region: { ...region, width: 0 } }, /^region.width: expected an integer/],
    ["a fraction", "box:3", { region: { ...region, x: 0.5 } }, /^region.x: expected an integer/],
    ["NaN", "box:3", { region: { ...region, height: Number.NaN } }, /^region.height: expected an integer/],
    ["before the picture", "box:3", { region: { ...region, x: -1 } }, /^region.x: expected an integer/],
    ["beyond the picture", "box:3", { region: { ...region, width: 19 } }, /^region: expected one inside the picture, 20 x 10 at x 0, y 0, got 19 x 4 at x 2, y 3/],
    ["outside of valid", "box:3", { extent: "valid", region: { ...region, x: 0 } }, /^region.x: expected an integer .*1/],
    ["outside of full", "box:3", { extent: "full", region: { ...region, y: -2 } }, /^region.y: expected an integer .*-1/],
    ["an out of other sides", "box:3", { region, out: new Uint8Array(41) }, /^out: expected u8 elements, 40 of them, or 400 of the whole picture/],
    ["an out of another type", "box:3", { region, out: new Uint16Array(400) }, /^out: expected u8/],
    ["a whole out that cannot hold it", "box:3", { extent: "full", out: new Uint8Array(400) }, /^out: expected u8 elements, 528 of them, got/],
    ["an Image of other sides", "box:3", { region, out: { width: 10, height: 20, channels: 2, data: new Uint8Array(400) } }, /^out: expected sides \[10, 20, 2\]/],
    ["a part of the picture's memory", "box:3", { region, out: image.data.subarray(40, 80) }, /^out: expected memory apart from the image's/],
    ["the picture without a region", "box:3", { out: image.data }, /^out: expected memory apart from the image's/],
  ])("%s is refused", async (_name, filter, options, message) => {
    const engine = await make();
    const before = image.data.slice();
    await expect(engine.filter(image, filter, options as FilterOptions)).rejects.toThrow(InvalidArgumentError);
    await expect(engine.filter(image, filter, options as FilterOptions)).rejects.toThrow(message);
    expect(image.data).toEqual(before);
  }); // biome-ignore format: a table

  it("is refused of a region at another place, too, once such a one was planned", async () => {
    const engine = await make();
    await engine.filter(image, "box:3", { region });
    for (const x of [-1, 16, 0.5, "2", Number.NaN]) {
      const other = { ...region, x: x as number };
      await expect(engine.filter(image, "box:3", { region: other })).rejects.toThrow(InvalidArgumentError);
    }
  });

  it("measured plans try none in place", async () => {
    const engine = await make({ planning: "measured" });
    const data = image.data.slice();
    const expected = pasted(image, await engine.filter(image, "gaussian:1", { region }), region);
    const other = await make({ planning: "measured" });
    await other.filter({ ...image, data }, "gaussian:1", { region, out: data });
    expect(worst(data, expected.data)).toBeLessThanOrEqual(1);
  });
});
