// rank1-queue status and retry: what is in the queue, and what has failed.
import type { Job } from "bullmq";
import { type Jobs, type Work, workIn } from "./server.ts";

export interface Status {
  /** Jobs that wait, also those that a server's restart has put off for a moment. */
  waiting: number;
  /** Jobs that are worked on. */
  working: number;
  failed: number;
  /** All that have been done since there is this queue. */
  done: number;
  /** How many are done a minute, by the last five. */
  rate: number;
}

/** Minutes that the rate is taken of. */
const window = 5;

export async function statusOf(queue: Jobs): Promise<Status> {
  const { waiting = 0, active = 0, failed = 0, delayed = 0, paused = 0 } = await queue.getJobCounts();
  const { meta, data } = await queue.getMetrics("completed", 0, window - 1);
  const rate = data.reduce((sum, count) => sum + count, 0) / Math.max(1, data.length);
  return { waiting: waiting + delayed + paused, working: active, failed, done: meta.count, rate };
}

/** A failed job. */
export interface FailedJob {
  id: string;
  input: string;
  message: string;
}

/** What has failed, and why; a message that does not name the input is BullMQ's. */
export function failureOf({ id = "", data, failedReason = "" }: Job<Work>): FailedJob {
  const input = workIn(data)?.job.input ?? "";
  const reason = /stalled more than/.test(failedReason) ? "expected a file that can be worked on, got the end of every worker that did" : failedReason; // biome-ignore format: a line
  if (input === "") return { id, input, message: `job ${id}: ${reason}` };
  return { id, input, message: reason.includes(input) ? reason : `${input}: ${reason}` };
}

const page = 1000;

/** Failed jobs, the latest first. */
export async function* failedJobs(queue: Jobs): AsyncGenerator<FailedJob> {
  for (let first = 0; ; first += page) {
    const jobs = await queue.getJobs(["failed"], first, first + page - 1);
    for (const job of jobs) yield failureOf(job);
    if (jobs.length < page) return;
  }
}

/** Puts failed jobs, all or those with these hashes, back into the queue; their number. Throws an Error, before anything is done, for others. */
export async function retry(queue: Jobs, ids: readonly string[]): Promise<number> {
  const fresh = { resetAttemptsMade: true };
  if (ids.length === 0) {
    const { failed = 0 } = await queue.getJobCounts("failed");
    await queue.retryJobs({ state: "failed" });
    return failed;
  }
  const jobs = await Promise.all(
    ids.map(async (id) => {
      const state = await queue.getJobState(id);
      const job = state === "failed" ? await queue.getJob(id) : undefined;
      if (job) return job;
      const received = state === "unknown" ? "one that is not there (status --failures lists them)" : `one that is ${state}`; // biome-ignore format: a line
      throw new Error(`job ${id}: expected a failed job of the queue ${queue.name}, got ${received}`);
    }),
  );
  for (const job of jobs) await job.retry("failed", fresh);
  return jobs.length;
}
