// The studio's shared state and what follows from edits; the texts that it offers to copy.
import { beforeEach, describe, expect, it } from "vitest";
import { createEngine, factorize } from "../../src/index.ts";
import { editCell, editGain, editSides, editTap, takeTaps, takeText, taps } from "../../web/src/filter/edit.ts";
import { numberIn, stepOf } from "../../web/src/parts/grid.tsx";
import { filterSnippets, layerSnippets, literal, modelSnippets } from "../../web/src/snippets.ts";
import { type Choice, choiceOf, named, weightsOf } from "../../web/src/state/choice.ts";
import { initial } from "../../web/src/state/hash.ts";
import {
  applied,
  choose,
  exact,
  factors,
  filter,
  kept,
  notice,
  rank,
  restore,
  shownRank,
  sumOf,
  weights,
} from "../../web/src/state/state.ts";

beforeEach(() => {
  restore(initial);
  notice.value = undefined;
});

describe("the filter", () => {
  it("follows a tap, and is factored again after a cell", () => {
    choose(named("sobel-x"));
    expect(taps.value).toMatchObject({ column: [1, 2, 1], row: [-1, 0, 1] });
    editTap("column", 1, 5);
    expect(weights.value.values).toEqual([-1, 0, 1, -5, 0, 5, -1, 0, 1]);
    expect(exact.value.rank).toBe(1);
    editTap("row", 0, 0.5);
    expect(taps.value.row).toEqual([0.5, 0, 1]);
    editCell(4, 3);
    expect(filter.value.kind).toBe("values");
    expect(exact.value.rank).toBe(2);
  });

  it("follows a tap of one term of several", () => {
    choose(named("laplacian-4"));
    const { column, row } = taps.value;
    editTap("column", 0, column[0]! + 1);
    const expected = [0, 1, 0, 1, -4, 1, 0, 1, 0].map((value, i) => value + (i < 3 ? row[i]! : 0));
    expect(weights.value.values).toEqual(expected);
  });

  it("is cut to a rank, with the error of the library", () => {
    choose(named("disk", { radius: 6 }));
    rank.value = 2;
    const { error, exactRank } = factorize("disk:radius=6", { rank: 2 });
    expect(shownRank.value).toBe(2);
    expect(exactRank).toBeGreaterThan(2);
    expect(factors.value.error).toBe(error);
    expect(factorize(applied.value).exactRank).toBe(2);
    const off = kept.value.reduce((sum, one, i) => sum + (one - weights.value.values[i]!) ** 2, 0);
    const size = weights.value.values.reduce((sum, one) => sum + one * one, 0);
    expect(Math.sqrt(off / size)).toBeCloseTo(error, 10);
  });

  it("takes a gain, other sides, and tables", () => {
    choose(named("binomial", { size: 5 }));
    editGain(0.5);
    expect(weights.value).toMatchObject({ kh: 5, gain: 0.5 });
    editSides(3, 3);
    expect(weights.value.values).toEqual([16, 24, 16, 24, 36, 24, 16, 24, 16]);
    takeText("[1 2; 3 4] / 8");
    expect(weights.value).toMatchObject({ kh: 2, kw: 2, values: [1, 2, 3, 4], gain: 1 / 8 });
    expect(notice.value).toMatchObject({ text: "Read as MATLAB: 2 × 2, times 0.125.", quiet: true });
    takeText("1 ".repeat(40));
    expect(weights.value.kw).toBe(2);
    expect(notice.value?.text).toContain("at most 31");
    takeText("1 2\n3 4 5");
    expect(notice.value).toMatchObject({ text: "What was pasted is no filter. Row 2 has 3 numbers, and row 1 has 2.", quiet: false }); // biome-ignore format: one line
    takeText("1 2 1 2 4 2 1 2 1");
    expect(weights.value).toMatchObject({ kh: 1, kw: 9, gain: 1 });
    notice.value!.action!.run();
    expect(weights.value).toMatchObject({ kh: 3, kw: 3 });
    takeTaps("row", "1 4 6 4 1");
    expect(weights.value).toMatchObject({ kh: 3, kw: 5 });
    takeTaps("row", "1 4\n6 4");
    expect(notice.value?.text).toContain("paste tables into the grid");
  });

  it("stays where a new one cannot be built, and says why", () => {
    choose(named("gaussian", { sigma: 9 }));
    expect(filter.value).toEqual(initial.filter);
    expect(notice.value?.text).toContain("at most 31");
  });
});

it.each([
  ["−1.5", -1.5],
  ["0,25", 0.25],
  ["1/16", 0.0625],
  ["1 2", undefined],
  ["1/0", undefined],
  ["", undefined],
])("reads the number %j", (text, value) => expect(numberIn(text)).toBe(value));

it("steps by 1 among whole numbers, and finely among others", () => {
  expect(stepOf([1, -4, 0])).toBe(1);
  expect(stepOf([0.5, 0.25])).toBe(0.1);
  expect(stepOf([0, 0])).toBe(1);
});

describe("copies", () => {
  it("say a filter so that the library and the command line take it", async () => {
    const choice = choiceOf("1,2,1*-1,0,1@0.5") as Extract<Choice, { kind: "taps" }>;
    const options = { border: "edge", flip: true, gain: 0.25 } as const;
    const { javascript, command, json } = filterSnippets(choice, options, factorize(weightsOf(choice)));
    expect(javascript).toContain("const filter = { column: [1, 2, 1], row: [-1, 0, 1], gain: 0.5 };");
    expect(javascript).toContain('filter, { border: "edge", flip: true, gain: 0.25 })');
    expect(command).toContain(
      `-f '{"column":[1,2,1],"row":[-1,0,1],"gain":0.5}' --no-grey --border edge --flip --gain 0.25`,
    );
    expect(JSON.parse(json)).toMatchObject({ rank: 1, options, multiplications: { direct: 9, separable: 6 } });
    const engine = await createEngine({ backend: "reference" });
    const image = { width: 4, height: 4, channels: 1, data: new Uint8Array(16).map((_, i) => 9 * i) };
    const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
    const body = `${javascript.replace(/^import.*$/gm, "").replace("engine.dispose();", "")}\nreturn result;`;
    const files = [async () => image, async () => {}];
    const made = await new AsyncFunction("createEngine", "factorize", "readPicture", "writePicture", body)(
      async () => engine,
      factorize,
      ...files,
    );
    expect(made.data).toEqual((await engine.filter(image, weightsOf(choice), options)).data);
  });

  it("say a filter of lower rank", () => {
    const factors = factorize("disk:radius=6", { rank: 2 });
    const { javascript, command } = filterSnippets("disk:radius=6", {}, factors);
    const body = javascript.slice(javascript.indexOf("const"), javascript.indexOf("const engine"));
    const filter = new Function("factorize", `${body} return filter;`)(factorize);
    expect(filter.values).toEqual(sumOf(factors, 1));
    const tolerance = Number(/--tolerance ([\d.]+) --strategy column-row$/.exec(command)![1]);
    expect(factorize("disk:radius=6", { tolerance }).rank).toBe(2);
  });

  it("say how a model is run and separated", () => {
    const use = {
      ...{
        file: "it's.onnx",
        input: "x",
        shape: [1, 3, 20, 30],
        pieces: true,
        calibrated: true,
        goal: { reduce: 2.5 },
      },
      scaling: { mean: [0.5, 0.5, 0.5], std: [1 / 255, 1, 1] },
    };
    const { javascript, command, json } = modelSnippets(use);
    expect(command.split("\n")).toEqual([
      "npx rank1 inspect 'it'\\''s.onnx'",
      "npx rank1 run 'it'\\''s.onnx' photo.jpg --mean 0.5,0.5,0.5 --std 0.00392157,1,1",
      "npx rank1 separate 'it'\\''s.onnx' -o 'it'\\''s-separated.onnx' --reduce 2.5 --calibrate photos/ --crops 4 --mean 0.5,0.5,0.5 --std 0.00392157,1,1",
    ]);
    expect(javascript).toContain("x: imageToTensor(image, { size: { width: 30, height: 20 }, mean: [0.5, 0.5, 0.5]");
    expect(javascript).toContain("separateModel(model, { calibration, reduce: 2.5 })");
    expect(JSON.parse(json).separation).toEqual({ goal: { kind: "reduce", value: 2.5 } });
    const scaling = { mean: [0, 0, 0], std: [1, 1, 1] };
    const blind = modelSnippets({
      ...use,
      shape: [1, 3, "h", undefined],
      scaling,
      calibrated: false,
      goal: { rank: 4 },
    });
    expect(blind.command).toMatch(/-separated\.onnx' --rank 4$/);
    expect(blind.javascript).toContain("separateModel(model, { rank: 4 })");
    expect(blind.javascript).toContain("imageToTensor(image)");
  });

  it("say a layer", () => {
    const { javascript, command } = layerSnippets({ ...initial.layer, multiplier: 2, stride: 2 });
    expect(command).toBe("npx rank1 layer 12x12x3 --kernel 5x5 --out 256 --multiplier 2 --strides 2x2");
    expect(javascript).toContain('pointwise, { pads: "valid", strides: 2 })');
    expect(literal({ "a-b": [1, { c: "d" }] })).toBe('{ "a-b": [1, { c: "d" }] }');
  });
});
