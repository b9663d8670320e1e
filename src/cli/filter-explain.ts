// rank1 filter --explain: the plans for pictures, or for a picture of a given size, with the rejected candidates.
import { type Engine, explain, type PictureSpec, type Plan } from "../index.ts";
import { writeStdout } from "../node/files.ts";
import { type FilterStep, planSteps, type Steps } from "../node/filter-steps.ts";
import { isGrey, specOf } from "../node/work.ts";
import { readSource, usage } from "./arguments.ts";
import { openInput, type PictureFlags, planInput } from "./filter-picture.ts";
import { styled } from "./text.ts";

interface Flags extends PictureFlags {
  size?: { width: number; height: number; channels: number };
  depth?: "8" | "16";
  json?: boolean;
}

interface Explained {
  /** The file; absent where only a size is given. */
  input?: string;
  spec: PictureSpec;
  /** Of each filter in turn; two of a magnitude. */
  plans: Plan[][];
}

/** Prints the plans for each picture; pictures of equal size and type are explained once. */
export async function explainFilters(
  engine: Engine,
  steps: Steps,
  files: readonly string[],
  flags: Flags,
  signal: AbortSignal,
): Promise<void> {
  const explained: Explained[] = [];
  if (files.length === 0) {
    const spec = specOfNone(steps, flags);
    explained.push({ spec, plans: await usage(() => planSteps(engine, steps, spec), "--max-filter-side") });
  }
  for (const input of files) {
    const { pages } = await openInput(input, flags, signal, () => readSource(input, signal));
    for (const { picture, plans } of await planInput(engine, steps, pages, flags)) {
      const spec = specOf(picture);
      if (explained.some((other) => JSON.stringify(other.spec) === JSON.stringify(spec))) continue;
      explained.push({ input, spec, plans });
    }
  }
  await writeStdout(`${flags.json ? asJson(steps, explained) : asText(steps, explained)}\n`);
}

function specOfNone(steps: Steps, flags: Flags): PictureSpec {
  const { width, height, channels } = flags.size ?? { width: 1920, height: 1080, channels: 3 };
  const grey = isGrey(steps, flags) && channels > 2;
  return { width, height, channels: grey ? channels - 2 : channels, dtype: flags.depth === "16" ? "u16" : "u8" };
}

function asJson({ list }: Steps, explained: readonly Explained[]): string {
  const filters = list.map(({ text }) => text);
  const pictures = explained.map(({ input, spec: { dtype: type, ...spec }, plans }) => ({
    ...{ input, ...spec, type },
    plans: plans.flat(),
  }));
  return JSON.stringify({ version: 1, filters, pictures }, undefined, 2);
}

function asText({ list }: Steps, explained: readonly Explained[]): string {
  return explained
    .flatMap(({ input, plans }) => [
      ...(explained.length > 1 ? [styled("bold", input!)] : []),
      ...list.flatMap((step, i) => [...titleOf(step, i, list.length), ...plans[i]!.map(explain)]),
    ])
    .join("\n\n");
}

function titleOf({ text, kind }: FilterStep, index: number, count: number): string[] {
  const name = count > 1 ? `filter ${index + 1}, ${text}` : text;
  if (kind === "magnitude") return [`${name}: the magnitude √(gx² + gy²) of ${text}-x and ${text}-y`];
  if (kind === "edges") return [`${name}: pixels at which the gradient of these is greatest along itself`];
  return count > 1 ? [name] : [];
}
