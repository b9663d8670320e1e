// One rival on one number of threads, in a process of its own, so that nobody's threads, flags or garbage are another's:
// `<script> <name> <threads>`, asked one thing at a time by remote.ts.
import type { Answers, Question } from "./remote.ts";
import { turnsOf } from "./turn.ts";

/** A case, prepared. */
export interface Job<R> {
  /** From arrays of the caller to arrays of the caller; returns the milliseconds that took. */
  run(): Promise<number>;
  /** What the last run made. */
  result(): R | Promise<R>;
  /** What is timed beside it: rank1's plans without the copies in and out, the chosen one first. */
  programs?: { plan: string; run(): Promise<number> }[];
  dispose(): void | Promise<void>;
}

interface Rival<P, R> {
  version: string;
  prepare(problem: P): Promise<Job<R>>;
}

/** Starts the rival that the command line names, and answers until the near side hangs up. */
export async function serve<P, R>(start: (name: string, threads: number) => Promise<Rival<P, R>>): Promise<void> {
  const [name = "", threads] = process.argv.slice(2);
  const answer = (value: object): void => void process.send!(value);
  const failure = (error: unknown): void => answer({ error: error instanceof Error ? error.message : String(error) });
  const rival = await start(name, Number(threads)).catch((error: unknown) => {
    failure(error);
    process.disconnect();
    throw error;
  });
  const operations = operationsOf(rival);
  process.on("message", (question: Question<P>) => {
    const operation = operations[question.operation] as (question: Question<P>) => Promise<unknown>;
    operation(question).then((value) => answer({ value }), failure);
  });
  // What it started may keep it alive for ever.
  process.on("disconnect", () => process.exit());
  answer({ value: rival.version });
}

type Operations<P, R> = {
  [K in keyof Answers<R>]: (question: Question<P> & { operation: K }) => Promise<Answers<R>[K]>;
};

function operationsOf<P, R>(rival: Rival<P, R>): Operations<P, R> {
  let job: Job<R> | undefined;
  let turns: ReturnType<typeof turnsOf>[] = [];
  return {
    async prepare({ problem, warmUp }) {
      job = await rival.prepare(problem);
      const programs = job.programs ?? [];
      // The first runs may be slow: code is still being compiled.
      const warm = performance.now() + warmUp;
      do {
        await job.run();
        for (const { run } of programs) await run();
      } while (performance.now() < warm);
      turns = [job, ...programs].map(({ run }) => turnsOf(run));
      return { plans: programs.map(({ plan }) => plan) };
    },
    async turn({ milliseconds }) {
      const all: number[][] = [];
      for (const turn of turns) all.push(await turn(milliseconds));
      const [times = [], ...programs] = all;
      return { times, programs };
    },
    result: async () => job!.result(),
    async dispose() {
      await job!.dispose();
      job = undefined;
    },
  };
}
