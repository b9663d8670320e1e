// The studio's addresses: everything that they hold comes back, they stay short, and what cannot be read is refused.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lessons } from "../../web/src/learn/state.ts";
import { type Choice, choiceOf, isExact, largestSide, textOf, weightsOf } from "../../web/src/state/choice.ts";
import { borders, decode, encode, initial, layerRanges, type Shared, tabs, types } from "../../web/src/state/hash.ts";

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
  it("hold everything, within 2,000 characters", () => {
    fc.assert(
      fc.property(shared, (state) => {
        const hash = encode(state);
        expect(hash.length).toBeLessThanOrEqual(2000);
        const back = decode(hash);
        expect({ ...back, filter: undefined }).toEqual({ ...state, filter: undefined });
        if (isExact(state.filter)) expect(weightsOf(back.filter)).toEqual(weightsOf(choiceOf(textOf(state.filter))));
        const [before, after] = [weightsOf(state.filter), weightsOf(back.filter)];
        const most = before.values.reduce((largest, one) => Math.max(largest, Math.abs(one)), 0);
        const error = before.values.reduce((worst, one, i) => Math.max(worst, Math.abs(one - after.values[i]!)), 0);
        expect(after).toMatchObject({ kh: before.kh, kw: before.kw, gain: before.gain });
        expect(error).toBeLessThanOrEqual(isExact(state.filter) ? 0 : most / 2 ** 9);
      }),
      { numRuns: 300 },
    );
  });

  it("keep large filters of whole numbers as they are", () => {
    const values = Array.from({ length: 13 * 13 }, (_, i) => ((i * 7) % 19) - 9);
    const filter: Choice = { kind: "values", kh: 13, kw: 13, values, gain: 1 };
    expect(isExact(filter)).toBe(true);
    expect(choiceOf(textOf(filter))).toEqual(filter);
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
    ["#v=1&filter=31x31~11~0.1~AAAA", "cut off"],
    ["#v=1&filter=1x1~6~1~$", "none of theirs"],
    ["#v=1&rank=-1", "from 0 to 31"],
    ["#v=1&pixel=1", "two places"],
    ["#v=1&layer=12x3", "cut off"],
    ["#v=1&layer=12x3x5x1x9999x1x1", "from 1 to 512"],
    ["#v=1&border=mirror", "is none of reflect"],
    [`#v=1&filter=${"1,".repeat(1200)}`, "at most 2000 characters"],
    ["#%E0%A4%A", "URI malformed"],
  ])("refuse %s", (hash, reason) => expect(() => decode(hash)).toThrow(reason));
});
