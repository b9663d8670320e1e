// The page about a separation: what its axes mean, and what it does without.
import { expect, test } from "vitest";
import type { Evaluation } from "../../src/cli/evaluation.ts";
import { decompositionText, lossLines, separatePage, speedText } from "../../src/cli/separate-page.ts";
import type { Report } from "../../src/onnx/index.ts";

const change = { before: 1000, after: 400 };
const report: Report = {
  layers: [
    ...[
      {
        name: "a < b",
        weight: [8, 8, 3, 3],
        decomposition: "cp" as const,
        rank: 16,
        multiplications: change,
        parameters: change,
      },
    ],
    ...[{ name: "last", weight: [8, 8, 3, 3], multiplications: change, parameters: change }],
  ],
  totals: { multiplications: change, parameters: change },
  goal: { kind: "reduce", value: 2.5 },
  reached: { reduction: 2.5, speedup: 1.5, milliseconds: { before: 3, after: 2 }, loss: 0.1, met: true },
  lossFunction: "divergence",
  curve: [1, 2, 3, 4].map((reduction) => ({ reduction, loss: 0.01 * (reduction - 1) ** 2 })),
  ...{ samples: 12, apart: true, seconds: 1, difference: 0, missing: [], assumed: {}, outputs: [] },
};
const evaluation: Evaluation = {
  ...{ pictures: 1000, before: 0.804, after: 0.802, agreement: 0.937, interval: 0.014 },
  intervals: { before: [0.778, 0.827], after: [0.776, 0.826], agreement: [0.92, 0.95] },
};

const ringAt = (html: string): number => Number(html.match(/<circle cx="([\d.]+)"/)?.[1]);

test("leads with totals, names decompositions in words, and tells of the evaluation where there is one", () => {
  const html = separatePage("net.onnx", report, evaluation);
  for (const text of [
    "1,000 → 400",
    "3 ms → 2 ms, 1.5 × as fast",
    "80.4 % (77.8 to 82.7) → 80.2 % (77.6 to 82.6), −0.2 ± 1.4 points",
    "as it is",
    "a &#60; b",
  ])
    expect(html).toContain(text);
  expect(html).toContain(decompositionText("cp", 16));
  expect(html).not.toMatch(/undefined|NaN/);
  expect(separatePage("net.onnx", report)).not.toContain("right answers");
});

test("has the multiplications across, or the time where that was the goal", () => {
  const reduced = separatePage("net.onnx", report);
  expect(reduced).toContain(">multiplications, before / after</text>");
  expect(reduced).toContain(">loss, nats an input</text>");
  const timed = separatePage("net.onnx", { ...report, goal: { kind: "speedup", value: 1.5 } });
  expect(timed).toContain(">time, before / after</text>");
  expect(ringAt(timed)).toBeLessThan(ringAt(reduced));
});

test("says that only weights were judged where there was no data", () => {
  const { loss: _, ...reached } = report.reached;
  const html = separatePage("net.onnx", { ...report, reached, lossFunction: undefined, samples: 0 });
  expect(html).toContain(">relative square error of the weights</text>");
  expect(html).not.toMatch(/undefined|NaN|<circle|The ring/);
  // No column for what is known of no layer
  expect(html).not.toContain("error of the weight<");
  const layers = report.layers.map((layer) => ({ ...layer, loss: 0.25 }));
  expect(separatePage("net.onnx", { ...report, layers, reached, samples: 0 })).toContain("error of the weight<");
});

test.each([Infinity, Number.NaN, 0])("draws no ring for a loss of %s", (loss) => {
  const html = separatePage("net.onnx", { ...report, reached: { ...report.reached, loss } });
  expect(html).toContain("<polyline");
  expect(html).not.toContain("<circle");
});

test("a loss is called by what it is, with what is good, and of several outputs each by its own name", () => {
  const reached = { ...report.reached, loss: 0.02 };
  expect(lossLines({ ...report, reached })).toEqual([
    ["divergence", "0.02 of the classes' probabilities, nats an input"],
    ["", expect.stringContaining("below 0.05")],
  ]);
  const outputs = (["divergence", "relative square error"] as const).map((lossFunction, i) => {
    return { name: `y${i}`, lossFunction, loss: 0.01 * (1 + 2 * i) };
  });
  const lines = lossLines({ ...report, outputs, reached, lossFunction: "relative square error" });
  expect(lines.slice(0, 3)).toEqual([
    ["loss", "0.02 mean over the outputs"],
    ["of y0", "0.01, divergence of the classes' probabilities, nats an input"],
    ["of y1", "0.03, square error over the variance of the output"],
  ]);
  expect(lines).toHaveLength(5);
  const { loss: _, ...none } = reached;
  expect(lossLines({ ...report, reached: none })).toEqual([]);
});

test("nothing is called faster that is not", () => {
  expect([1.304, 1.001, 0.9].map(speedText)).toEqual(["1.3 × as fast", "as fast as before", "slower, by 11 %"]);
});

test("leaves the curve out where there is none", () => {
  expect(separatePage("net.onnx", { ...report, curve: [] })).not.toContain("<svg");
});
