// rank1-queue work: takes jobs from the queue until it is stopped, or the queue is empty. They are done in rank1's own processes, so
// nothing keeps this one from renewing their locks, however long a picture takes.
import { availableParallelism } from "node:os";
import { type Job, UnrecoverableError, WaitingError, Worker } from "bullmq";
import { plansIn } from "./plans.ts";
import { type Jobs, type Place, reasonOf, type Work, workIn } from "./server.ts";
import { failureOf, statusOf } from "./status.ts";

export interface WorkOptions {
  /** Processes (default: as many as cores and memory are for). */
  processes?: number;
  /** Ends when there is no job left, here or elsewhere. */
  untilEmpty?: boolean;
  /** A worker that is silent for so long is taken for dead; in seconds. */
  lock: number;
  /** What is not done so long after the first signal is given back; in seconds. */
  grace: number;
}

/** What ends it, and where it speaks. */
export interface Controls {
  /** Takes no more jobs. */
  stop: AbortSignal;
  /** Gives back those that have begun. */
  halt: AbortController;
  say(message: string): void;
}

/** A job that so many workers have died of, and one more, fails. */
const mostDeaths = 10;
/** BullMQ counts what is done, a number a minute, for so many minutes. */
const maxDataPoints = 60;
const second = 1000;

/**
 * Works on the queue, and gives the number of jobs that have failed here.
 *
 * @throws Error where the work cannot go on here: the disk is full, a store does not answer. What has begun is given back.
 */
export async function work(place: Place, queue: Jobs, options: WorkOptions, controls: Controls): Promise<number> {
  const { processes, untilEmpty, lock, grace } = options;
  const { stop, halt, say } = controls;
  const { name, shown, connection, backend } = place;
  const counts = { done: 0, failed: 0, running: 0 };
  let stopped: unknown;
  const plans = plansIn({ processes, signal: halt.signal, onRoom: (room) => void (worker.concurrency = room) });
  const perform = async (job: Job<Work>, token?: string): Promise<void> => {
    const data = workIn(job.data);
    if (!data) throw new UnrecoverableError("expected a job that rank1-queue submit has put there, got other data");
    let failure: string | undefined;
    counts.running++;
    try {
      failure = await plans.run(data);
    } catch (error) {
      if (!halt.signal.aborted) stopped ??= error;
      end();
      await job.moveToWait(token);
      throw new WaitingError();
    } finally {
      counts.running--;
    }
    if (failure !== undefined) throw new UnrecoverableError(failure);
  };
  // A plan's processes say how many fit; until then, two for each core.
  const concurrency = 2 * (processes ?? availableParallelism());
  const times = { lockDuration: lock * second, stalledInterval: lock * second, runRetryDelay: second };
  const worker: Worker<Work> = new Worker(
    name,
    perform,
    { connection, ...times, concurrency, maxStalledCount: mostDeaths, metrics: { maxDataPoints } },
    backend,
  );
  const heard = new Map<string, number>();
  worker.on("error", (error) => {
    const reason = reasonOf(error);
    if (performance.now() - (heard.get(reason) ?? Number.NEGATIVE_INFINITY) < 60 * second) return;
    heard.set(reason, performance.now());
    say(`${shown}: ${reason}`);
  });
  worker.on("completed", () => counts.done++);
  worker.on("failed", (job) => {
    if (!job?.finishedOn) return; // is tried again
    counts.failed++;
    say(failureOf(job).message);
  });
  let ended: (() => void) | undefined;
  const over = new Promise<void>((resolve) => {
    ended = resolve;
  });
  /** What BullMQ asks of a server that has gone might never be answered. */
  const end = (): void => void worker.close().then(ended, ended);
  const start = performance.now();
  const timers = [
    setInterval(() => say(rateOf(counts, performance.now() - start)), 60 * second),
    ...(untilEmpty ? [setInterval(() => void endIfEmpty(), second)] : []),
  ];
  const endIfEmpty = async (): Promise<void> => {
    if (counts.running > 0) return;
    const { waiting, working } = await statusOf(queue).catch(() => ({ waiting: 1, working: 0 }));
    if (waiting + working === 0) end();
  };
  if (untilEmpty) worker.on("drained", () => void endIfEmpty());
  halt.signal.addEventListener("abort", () => timers.push(setTimeout(() => ended?.(), 5 * second)));
  stop.addEventListener("abort", () => {
    if (counts.running > 0) say(`ends ${counts.running} jobs, or gives them back in ${grace} s`);
    timers.push(setTimeout(() => halt.abort(), grace * second));
    end();
  });
  if (stop.aborted) end();
  await over;
  for (const timer of timers) clearTimeout(timer);
  await plans.close();
  say(rateOf(counts, performance.now() - start));
  if (stopped) throw stopped;
  return counts.failed;
}

function rateOf({ done, failed }: { done: number; failed: number }, milliseconds: number): string {
  const rate = (1000 * done) / milliseconds;
  const seconds = Math.round(milliseconds / 100) / 10;
  return `${done} jobs in ${seconds} s (${rate.toFixed(rate < 10 ? 1 : 0)} a second)${failed > 0 ? `, ${failed} failed` : ""}`;
}
