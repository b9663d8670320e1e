import { expect, it } from "vitest";
import { noun, plural } from "../src/words.ts";

it("words counts as they are said", () => {
  expect([0, 1, 2].map((count) => plural(count, "picture"))).toEqual(["0 pictures", "1 picture", "2 pictures"]);
  expect(["box", "class", "pass", "batch"].map((one) => plural(2, one))).toEqual(["2 boxes", "2 classes", "2 passes", "2 batches"]); // biome-ignore format: one line
  // What is read decides, not the number behind it.
  expect(plural(1.04, "multiplication", (count) => count.toFixed(0))).toBe("1 multiplication");
  expect(plural(12_000, "parameter", (count) => `${count / 1000} k`)).toBe("12 k parameters");
  expect([noun(1, "layer"), noun("1", "layer"), noun("1.5 M", "layer")]).toEqual(["layer", "layer", "layers"]);
});
