// Measures filters: the contest, first calls, and what calls leave for the garbage collector.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Request } from "../request.ts";
import { timesOf } from "../results.ts";
import { summary } from "../tables.ts";
import { type Case, cases } from "./cases.ts";
import { type FilterSettings, filterContest } from "./contest.ts";
import type { Allocation, Cold, FilterCaseResult, FilterMeasured } from "./results.ts";

const execute = promisify(execFile);

export const names = [...cases.map(({ name }) => name), "cold", "allocation"];

/** An eighth of each side: shows that everything runs, and measures nothing. */
const small = (problem: Case): Case => ({ ...problem, width: problem.width >> 3, height: problem.height >> 3 });

export async function measure({ wanted, quick, rounds, say }: Request): Promise<FilterMeasured> {
  const settings: FilterSettings = quick
    ? { rounds, budget: 1000, leastRuns: 2, longest: 500, turn: 0, longestRace: Infinity }
    : { rounds, budget: 6000, leastRuns: 3, longest: 5000, turn: 0, longestRace: Infinity };
  const cold = wanted("cold") ? await measureCold(quick, say) : [];
  const allocations = wanted("allocation") ? await measureAllocations(say) : [];
  const chosen = cases.filter(({ name }) => wanted(name)).map((problem) => (quick ? small(problem) : problem));
  // Rivals need not be installed for the other parts.
  const rivals = chosen.length > 0 ? await (await import("./rivals/list.ts")).startRivals(say) : [];
  const done: FilterCaseResult[] = [];
  for (const problem of chosen) {
    const result = await filterContest(problem, rivals, settings, say);
    done.push(result);
    say(summary(result));
  }
  for (const rival of rivals) await rival.close();
  return { rivals: rivals.map(({ name, version, note }) => ({ name, version, note })), cases: done, cold, allocations };
}

async function child<T>(flags: string[], script: string, ...args: string[]): Promise<T> {
  const { stdout } = await execute(process.execPath, [...flags, join(import.meta.dirname, script), ...args]);
  return JSON.parse(stdout);
}

interface FirstCall {
  create: number;
  first: number;
  warm: number;
  verdicts: Record<string, string>;
}

async function measureCold(quick: boolean, say: Request["say"]): Promise<Cold[]> {
  const kinds = [{ wide: false }, { wide: true, cached: false }, { wide: true, cached: true }];
  const variants = kinds.flatMap((kind) => [1, 2].map((threads) => ({ ...kind, threads })));
  const seen = variants.map((): FirstCall[] => []);
  const { verdicts } = await child<FirstCall>([], "cold.ts", "1", "wide");
  const repetitions = quick ? 2 : 9;
  for (let i = 0; i < repetitions; i++) {
    say(`cold: ${i + 1} of ${repetitions}`);
    for (const [at, { wide, cached, threads }] of variants.entries()) {
      const known = JSON.stringify(cached ? verdicts : {});
      seen[at]!.push(await child([], "cold.ts", `${threads}`, wide ? "wide" : "", known));
    }
  }
  return variants.map((variant, at) => ({
    ...variant,
    create: timesOf(seen[at]!.map(({ create }) => create)),
    first: timesOf(seen[at]!.map(({ first }) => first)),
    warm: timesOf(seen[at]!.map(({ warm }) => warm)),
    extra: timesOf(seen[at]!.map(({ first, warm }) => first - warm)),
  }));
}

async function measureAllocations(say: Request["say"]): Promise<Allocation[]> {
  say("allocation");
  return [await measureAllocation(false, 1), await measureAllocation(true, 1)];
}

export function measureAllocation(wide: boolean, threads: number): Promise<Allocation> {
  const flags = ["--expose-gc", "--min-semi-space-size=256", "--max-semi-space-size=256"];
  return child(flags, "allocation.ts", wide ? "wide" : "", `${threads}`);
}
