// One rival on one number of threads, in a process of its own, so that nobody's threads, flags or garbage are another's:
// `child.ts <name> <threads>`, asked one thing at a time by remote.ts.
import { turnsOf } from "../turn.ts";
import { makeData } from "./data.ts";
import type { Answers, Question } from "./remote.ts";
import { entrants } from "./rivals/list.ts";

const [name, threads] = process.argv.slice(2);
const { start } = entrants.find((entrant) => entrant.name === name)!;

type Prepared = Awaited<ReturnType<typeof prepare>>;
let prepared: Prepared | undefined;

async function prepare(question: Question & { operation: "prepare" }) {
  const job = await rival.prepare(question.problem, makeData(question.problem));
  const programs = job.programs ?? [];
  // The first runs may be slow: code is still being compiled.
  const warm = performance.now() + question.warmUp;
  do {
    await job.run();
    for (const { run } of programs) await run();
  } while (performance.now() < warm);
  return {
    job,
    plans: programs.map(({ plan }) => plan),
    call: turnsOf(job.run),
    own: programs.map(({ run }) => turnsOf(run)),
  };
}

const operations: { [K in keyof Answers]: (question: Question & { operation: K }) => Promise<Answers[K]> } = {
  async prepare(question) {
    prepared = await prepare(question);
    return { plans: prepared.plans };
  },
  async turn({ milliseconds }) {
    const times = await prepared!.call(milliseconds);
    const programs: number[][] = [];
    for (const turn of prepared!.own) programs.push(await turn(milliseconds));
    return { times, programs };
  },
  result: async () => prepared!.job.result(),
  async dispose() {
    await prepared!.job.dispose();
    prepared = undefined;
  },
};

const answer = (value: object): void => void process.send!(value);
const failure = (error: unknown): void => answer({ error: error instanceof Error ? error.message : String(error) });

const rival = await start(Number(threads)).catch((error: unknown) => {
  failure(error);
  process.disconnect();
  throw error;
});
process.on("message", (question: Question) => {
  const operation = operations[question.operation] as (question: Question) => Promise<unknown>;
  operation(question).then((value) => answer({ value }), failure);
});
// What it started may keep it alive for ever.
process.on("disconnect", () => process.exit());
answer({ value: rival.version });
