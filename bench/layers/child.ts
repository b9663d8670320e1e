// One rival on one number of threads, in a process of its own, so that nobody's threads, flags or garbage are another's:
// `child.ts <name> <threads>`, asked one thing at a time.
import { takeTurn } from "../turn.ts";
import type { LayerCase } from "./cases.ts";
import { makeData } from "./data.ts";
import { starts } from "./rivals/list.ts";
import type { LayerJob } from "./rivals/rival.ts";

export type Question =
  | { operation: "prepare"; problem: LayerCase }
  | { operation: "turn"; milliseconds: number }
  | { operation: "result" }
  | { operation: "dispose" };

/** What one turn gave: milliseconds of calls, and of each of rank1's plans. */
export interface Turn {
  times: number[];
  programs: number[][];
}

const [name, threads] = process.argv.slice(2);
const answer = (value: object): void => void process.send!(value);
let job: LayerJob | undefined;

async function carryOut(question: Question): Promise<object> {
  switch (question.operation) {
    case "prepare":
      job = await rival.prepare(question.problem, makeData(question.problem));
      // The first runs may be slow: code is still being compiled.
      for (let i = 0; i < 3; i++) await job.run();
      return { plans: job.programs?.map(({ plan }) => plan) ?? [] };
    case "turn": {
      const turn: Turn = { times: await takeTurn(job!.run, question.milliseconds), programs: [] };
      for (const { run } of job!.programs ?? []) turn.programs.push(await takeTurn(run, question.milliseconds));
      return turn;
    }
    case "result":
      return { result: job!.result() };
    case "dispose":
      await job!.dispose();
      return {};
  }
}

const failure = (error: unknown): object => ({ error: error instanceof Error ? error.message : String(error) });
const rival = await starts[name as keyof typeof starts](Number(threads)).catch((error: unknown) => {
  answer(failure(error));
  process.exit(1);
});
process.on("message", (question: Question) => carryOut(question).catch(failure).then(answer));
answer({ version: rival.version });
