// The studio's addresses: everything that they hold comes back, they stay short, and what cannot be read is refused.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { factorize } from "../../src/index.ts";
import { lessons } from "../../web/src/learn/state.ts";
import { type Choice, choiceOf, largestSide, textOf, weightsOf } from "../../web/src/state/choice.ts";
import {
  borders,
  decode,
  encode,
  fitted,
  initial,
  layerRanges,
  type Shared,
  tabs,
  types,
} from "../../web/src/state/hash.ts";

const side = fc.integer({ min: 1, max: largestSide });
const value = fc.oneof(fc.integer({ min: -99, max: 99 }), fc.double({ noNaN: true, min: -1e6, max: 1e6 }));
const list = (length: number) => fc.array(value, { minLength: length, maxLength: length });
const gain = fc.constantFrom(1, 0.25, 1 / 9, 1e-7);

const choice: fc.Arbitrary<Choice> = fc.oneof(
  fc.constantFrom<Choice>(
    { kind: "named", name: "sobel-x", parameters: {} },
    { kind: "named", name: "gaussian", parameters: { sigma: 2.5, truncate: 3 } },
  ),
  fc
    .tuple(side, side, gain)
    .chain(([kh, kw, gain]) =>
      fc.tuple(list(kh), list(kw)).map(([column, row]): Choice => ({ kind: "taps", column, row, gain })),
    ),
  fc
    .tuple(side, side, gain)
    .chain(([kh, kw, gain]) => list(kh * kw).map((values): Choice => ({ kind: "values", kh, kw, values, gain }))),
);

const shared: fc.Arbitrary<Shared> = fc.record({
  tab: fc.constantFrom(...tabs),
  lesson: fc.constantFrom(...lessons),
  filter: choice,
  rank: fc.option(fc.integer({ min: 0, max: 31 }), { nil: undefined }),
  border: fc.constantFrom(...borders),
  flip: fc.boolean(),
  type: fc.constantFrom(...types),
  picture: fc.constantFrom("landscape", "chart"),
  pixel: fc.option(fc.tuple(fc.nat(99_999), fc.nat(99_999)), { nil: undefined }),
  layer: fc.record(
    Object.fromEntries(
      Object.entries(layerRanges).map(([key, { least, most }]) => [key, fc.integer({ min: least, max: most })]),
    ) as never,
  ),
});

describe("addresses", () => {
  it("hold everything, and every value as it was", () => {
    fc.assert(
      fc.property(shared, (state) => {
        const hash = encode(state);
        expect(hash.length).toBeLessThanOrEqual(12_000);
        const back = decode(hash);
        const layer = fitted(state.layer);
        expect({ ...back, filter: undefined }).toEqual({ ...state, layer, filter: undefined });
        expect(weightsOf(back.filter)).toEqual(weightsOf(state.filter));
      }),
      { numRuns: 300 },
    );
  });

  it("give a pasted Gaussian back at its rank, in a few hundred characters", () => {
    const taps = Array.from({ length: 15 }, (_, i) => Math.exp(-((i - 7) ** 2) / 12.5));
    const values = taps.flatMap((a) => taps.map((b) => a * b));
    const filter: Choice = { kind: "values", kh: 15, kw: 15, values, gain: 1 };
    expect(textOf(filter).length).toBeLessThan(800);
    expect(choiceOf(textOf(filter))).toEqual(filter);
    expect(factorize(weightsOf(choiceOf(textOf(filter)))).exactRank).toBe(1);
  });

  it("keep large filters of whole numbers as they are", () => {
    const values = Array.from({ length: 31 * 31 }, (_, i) => ((i * 7) % 19) - 9);
    const filter: Choice = { kind: "values", kh: 31, kw: 31, values, gain: 1 };
    expect(choiceOf(textOf(filter))).toEqual(filter);
  });

  it("clamp a layer whose windows do not fit", () => {
    expect(fitted({ ...initial.layer, size: 12, kernel: 11, dilation: 4 })).toMatchObject({ kernel: 11, dilation: 1 });
    expect(fitted({ ...initial.layer, size: 4, kernel: 11 })).toMatchObject({ kernel: 4, dilation: 1 });
    expect(decode("#v=1&layer=12x3x3x1x256x1x4").layer).toMatchObject({ kernel: 3, dilation: 4 });
  });

  it("start where they say nothing", () => {
    expect(decode("")).toEqual(initial);
    expect(decode(encode(initial))).toEqual(initial);
  });

  it.each([
    ["#v=2&tab=filter", "version 2"],
    ["#tab=filter", "version (none)"],
    ["#v=1&tab=filters", "is none of learn, filter"],
    ["#v=1&tab", "says nothing"],
    ["#v=1&colour=red", '"colour" is not known'],
    ["#v=1&filter=sobel", "no filter named sobel"],
    ["#v=1&filter=gaussian:sigma=20", "at most 31"],
    ["#v=1&filter=gaussian:sigma=NaN", "is no number"],
    ["#v=1&filter=gaussian:width=2", "no parameter width"],
    ["#v=1&filter=2x2:1,2,3", "has 4 values"],
    ["#v=1&filter=99x99:1", "from 1 to 31"],
    ["#v=1&filter=0x1:1", "from 1 to 31"],
    ["#v=1&filter=1,2*", "is no number"],
    ["#v=1&filter=31x31~11~AAAA", "cut off"],
    ["#v=1&filter=31x31~0~AAAA", "cut off"],
    ["#v=1&filter=1x1~1~AAAAAAAAAA$", "none of theirs"],
    ["#v=1&filter=1x1~1~P__________", "no number"],
    ["#v=1&filter=1x3~2~AAAAAAAAAAAAAAAAAAAAAABBC", "no number"],
    ["#v=1&rank=-1", "from 0 to 31"],
    ["#v=1&pixel=1", "two places"],
    ["#v=1&layer=12x3", "cut off"],
    ["#v=1&layer=12x3x5x1x9999x1x1", "from 1 to 512"],
    ["#v=1&border=mirror", "is none of reflect"],
    [`#v=1&filter=${"1,".repeat(6000)}`, "at most 12000 characters"],
    ["#%E0%A4%A", '"%A" in it stands for no character'],
    ["#v=1&filter=%ff%fe", '"%ff%fe" in it stands for no character'],
  ])("refuse %s", (hash, reason) => expect(() => decode(hash)).toThrow(reason));
});
