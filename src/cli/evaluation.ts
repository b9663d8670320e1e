// Evaluates a model and its separated form on labelled pictures: the accuracy of each, and how often they agree.
import { relative, sep } from "node:path";
import type { Tensor } from "../index.ts";
import type { Model } from "../onnx/index.ts";
import { plural } from "../words.ts";
import { UsageError } from "./arguments.ts";
import type { InputFolder } from "./calibration.ts";
import { count } from "./text.ts";

export interface Evaluation {
  pictures: number;
  /** Shares of right answers, and of equal ones. */
  before: number;
  after: number;
  agreement: number;
  /** Half the width of the 95 % interval of the difference: the pictures are the same for both. */
  interval: number;
  /** The 95 % intervals of the three shares themselves, from low to high. */
  intervals: { before: [number, number]; after: [number, number]; agreement: [number, number] };
}

/** Labels are the first folders below `folder`, in alphabetical order; answers are the largest of the first output. */
export async function evaluate(before: Model, after: Model, inputs: InputFolder, folder: string): Promise<Evaluation> {
  const labelOf = (file: string): string | undefined => {
    const [first, ...rest] = relative(folder, file).split(sep);
    return rest.length > 0 ? first : undefined;
  };
  const labels = [...new Set(inputs.files.flatMap((file) => labelOf(file) ?? []))].sort();
  const tally = { pictures: 0, before: 0, after: 0, agreement: 0, gained: 0, lost: 0 };
  for (const [i, file] of inputs.files.entries()) {
    const label = labels.indexOf(labelOf(file) ?? "");
    if (label < 0) continue;
    for (const input of await inputs.inputsOf(file, i)) {
      const [a, b] = [answerOf(await before.run(input), labels), answerOf(await after.run(input), labels)];
      tally.pictures++;
      tally.before += Number(a === label);
      tally.after += Number(b === label);
      tally.agreement += Number(a === b);
      tally.gained += Number(a !== label && b === label);
      tally.lost += Number(a === label && b !== label);
    }
  }
  const { pictures, gained, lost } = tally;
  if (pictures === 0) throw new UsageError("--eval: expected pictures in subfolders, one a class, got none");
  const variance = (gained + lost - (gained - lost) ** 2 / pictures) / pictures ** 2;
  return {
    ...{ pictures, before: tally.before / pictures, after: tally.after / pictures },
    ...{ agreement: tally.agreement / pictures, interval: 1.96 * Math.sqrt(variance) },
    intervals: {
      before: wilson(tally.before, pictures),
      after: wilson(tally.after, pictures),
      agreement: wilson(tally.agreement, pictures),
    },
  };
}

/** The 95 % interval of a share of so many (Wilson 1927), which holds for few pictures and shares near 1, too. */
function wilson(count: number, of: number): [number, number] {
  const [share, z2] = [count / of, 1.96 ** 2 / of];
  const middle = (share + z2 / 2) / (1 + z2);
  const half = Math.sqrt(z2 * share * (1 - share) + z2 ** 2 / 4) / (1 + z2);
  return [middle - half, middle + half];
}

function answerOf(outputs: Record<string, Tensor>, labels: readonly string[]): number {
  const [{ shape, data } = { shape: [], data: new Float32Array() }] = Object.values(outputs);
  if (data.length !== labels.length) {
    const received = `[${shape.join(", ")}]`;
    throw new UsageError(
      `--eval: expected a model with ${plural(labels.length, "class")}, as there are subfolders, got ${received}`,
    );
  }
  let best = 0;
  for (let i = 1; i < data.length; i++) if (data[i]! > data[best]!) best = i;
  return best;
}

/** Shares with their 95 % intervals, and how many points lie between them with that of the difference. */
export function evaluationLines(found: Evaluation): [what: string, text: string][] {
  const { pictures, before, after, agreement, interval, intervals } = found;
  const number = (share: number): string => (100 * share).toFixed(1);
  const shown = (share: number, [low, high]: [number, number]): string =>
    `${number(share)} % (${number(low)} to ${number(high)})`;
  const change = 100 * (after - before);
  const points = `${change < 0 ? "−" : "+"}${Math.abs(change).toFixed(1)} ± ${(100 * interval).toFixed(1)} points`;
  return [
    [
      "right answers",
      `${shown(before, intervals.before)} → ${shown(after, intervals.after)}, ${points}, of ${plural(pictures, "picture", count)}`,
    ],
    ["the same answer", `${shown(agreement, intervals.agreement)}; in brackets: 95 % intervals`],
  ];
}

export const evaluationText = (found: Evaluation): string =>
  evaluationLines(found)
    .map(([what, text]) => `${what.padEnd(16)} ${text}`)
    .join("\n");
