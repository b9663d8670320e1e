// Budgets over layers against all combinations of their options.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Allocation, frontier, type Option, withinCost, withinLoss } from "../../src/separate/budget.ts";

type Layers = Option<number>[][];

/** A layer's options from the dearest, without loss, on: each saves less for the loss that it adds. */
const layer = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 })), { maxLength: 4 })
  .map((steps) => {
    const sorted = steps.toSorted(([s, d], [t, e]) => d / s - e / t);
    const options: Option<number>[] = [{ cost: 100, loss: 0, choice: 0 }];
    for (const [saved, lost] of sorted) {
      const { cost, loss, choice } = options.at(-1)!;
      options.push({ cost: cost - saved, loss: loss + lost, choice: choice + 1 });
    }
    return options;
  });
const layersOf = fc.array(layer, { minLength: 1, maxLength: 4 });

/** All that can be taken. */
const combinations = (layers: Layers): { cost: number; loss: number }[] =>
  layers.reduce(
    (all, options) => all.flatMap((one) => options.map((o) => ({ cost: one.cost + o.cost, loss: one.loss + o.loss }))),
    [{ cost: 0, loss: 0 }],
  );

const least = (all: readonly number[]): number => Math.min(...all);

/** What the layers' choices cost and lose is what is said. */
function expectHonest(layers: Layers, { choices, cost, loss }: Allocation<number>): void {
  const taken = layers.map((options, i) => options.find(({ choice }) => choice === choices[i])!);
  expect(cost).toBe(taken.reduce((sum, one) => sum + one.cost, 0));
  expect(loss).toBe(taken.reduce((sum, one) => sum + one.loss, 0));
}

/** Loss at which a budget may stop: layers whose steps have one price move together. */
const largestMove = (layers: Layers): number => {
  const moves = new Map<number, number>();
  for (const options of layers)
    for (const [i, { cost, loss }] of options.entries()) {
      if (i === 0) continue;
      const [saved, lost] = [options[i - 1]!.cost - cost, loss - options[i - 1]!.loss];
      const price = Math.round((1e9 * lost) / saved);
      moves.set(price, (moves.get(price) ?? 0) + lost);
    }
  return Math.max(0, ...moves.values());
};

describe("withinCost", () => {
  const budget = fc.tuple(layersOf, fc.integer({ min: 0, max: 410 }));

  it("keeps to the cost, says so if nothing is as cheap, and no other choice for one layer that fits loses less", () => {
    fc.assert(
      fc.property(budget, ([layers, most]) => {
        const all = combinations(layers);
        const found = withinCost(layers, most);
        if (least(all.map(({ cost }) => cost)) > most) {
          expect(found).toBeUndefined();
          return;
        }
        expectHonest(layers, found!);
        expect(found!.cost).toBeLessThanOrEqual(most);
        for (const [i, { cost, loss }] of found!.taken.entries()) {
          const rivals = layers[i]!.filter((one) => found!.cost - cost + one.cost <= most);
          expect(least(rivals.map((one) => one.loss))).toBe(loss);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("loses no more than the best choice and one move", () => {
    let kept = 0;
    fc.assert(
      fc.property(budget, ([layers, most]) => {
        const found = withinCost(layers, most);
        if (!found) return;
        kept++;
        const fits = combinations(layers).filter(({ cost }) => cost <= most);
        const best = least(fits.map(({ loss }) => loss));
        expect(found.loss).toBeLessThanOrEqual(best + largestMove(layers));
      }),
      { numRuns: 300 },
    );
    expect(kept).toBeGreaterThan(50);
  });

  it("takes what is without loss where that is cheap enough", () => {
    fc.assert(
      fc.property(layersOf, (layers) => {
        expect(withinCost(layers, 100 * layers.length)!.loss).toBe(0);
      }),
    );
  });
});

describe("withinLoss", () => {
  it("keeps to the loss, and no other choice of that loss is cheaper", () => {
    fc.assert(
      fc.property(layersOf, fc.integer({ min: 0, max: 200 }), (layers, most) => {
        const found = withinLoss(layers, most);
        expectHonest(layers, found);
        expect(found.loss).toBeLessThanOrEqual(most);
        const rivals = combinations(layers).filter(({ loss }) => loss <= found.loss);
        expect(found.cost).toBe(least(rivals.map(({ cost }) => cost)));
      }),
      { numRuns: 300 },
    );
  });

  it("takes the cheapest of all where any loss will do", () => {
    fc.assert(
      fc.property(layersOf, (layers) => {
        expect(withinLoss(layers, Infinity).cost).toBe(least(combinations(layers).map(({ cost }) => cost)));
      }),
    );
  });
});

it("the frontier goes from the cheapest to what loses nothing, and nothing lies below it", () => {
  fc.assert(
    fc.property(layersOf, (layers) => {
      const points = frontier(layers, 8);
      const all = combinations(layers);
      expect(points).toHaveLength(8);
      expect(points[0]!.cost).toBe(least(all.map(({ cost }) => cost)));
      expect(points.at(-1)!.loss).toBe(0);
      for (const [i, { cost, loss }] of points.entries()) {
        if (i > 0) expect(cost).toBeGreaterThanOrEqual(points[i - 1]!.cost);
        expect(all.some((one) => one.cost <= cost && one.loss < loss)).toBe(false);
      }
    }),
  );
});
