// rank1-queue submit: plans what a command line of rank1 would do, and puts a job for each input into the queue.
import { planBatch } from "rank1/batch";
import type { Jobs } from "./server.ts";

/** What became of a plan's inputs. */
export interface Submitted {
  /** Jobs that are in the queue now and were not before. */
  added: number;
  /** Jobs that were in the queue, and wait or are worked on. */
  waiting: number;
  /** Jobs that have failed before, and stay so until they are tried again. */
  failed: number;
  /** Inputs that were done, by the journal. */
  done: number;
}

/** So many are put there by one request. */
const most = 1000;

/** A job that a server has interrupted is done again; one whose input is broken fails at once. */
const options = { attempts: 10, backoff: { type: "exponential", delay: 500 }, removeOnComplete: true } as const;

/** Puts jobs there, each once: those that are there already, by their hash, stay as they are. */
export async function submit(queue: Jobs, args: readonly string[], signal: AbortSignal): Promise<Submitted> {
  const { command, jobs, done, save } = await planBatch(args, { signal });
  const counts = { added: 0, waiting: 0, failed: 0, done };
  const plan = jobs.length > 0 ? await save() : "";
  for (let first = 0; first < jobs.length; first += most) {
    signal.throwIfAborted();
    const some = jobs.slice(first, first + most);
    const states = await Promise.all(some.map(({ id }) => queue.getJobState(id)));
    for (const state of states) counts[state === "unknown" ? "added" : state === "failed" ? "failed" : "waiting"]++;
    const wanted = some.filter((_, i) => states[i] === "unknown");
    await queue.addBulk(wanted.map((job) => ({ name: command, data: { plan, job }, opts: { ...options, jobId: job.id } }))); // biome-ignore format: a line
  }
  return counts;
}
