// Plans that jobs belong to, each with its processes. Those of a plan without work end when another plan has some.
import { type BatchWorkers, openBatch } from "rank1/batch";
import type { Work } from "./server.ts";

interface Options {
  processes?: number;
  /** Ends all processes at once. */
  signal: AbortSignal;
  /** Is told how many jobs fit in at once. */
  onRoom(room: number): void;
}

interface Opened {
  workers: Promise<BatchWorkers>;
  running: number;
}

export function plansIn({ processes, signal, onRoom }: Options) {
  const plans = new Map<string, Opened>();
  const closing = new Set<Promise<void>>();
  const close = (path: string, { workers }: Opened): void => {
    plans.delete(path);
    const closed = workers.then((some) => some.close()).catch(() => {}).finally(() => closing.delete(closed)); // biome-ignore format: a line
    closing.add(closed);
  };
  const closeIdle = (but: string): void => {
    for (const [path, plan] of plans) if (path !== but && plan.running === 0) close(path, plan);
  };
  const open = (path: string): Opened => {
    const plan = { workers: openBatch(path, { processes, signal }), running: 0 };
    plan.workers.then(({ room }) => onRoom(room)).catch(() => {});
    plans.set(path, plan);
    return plan;
  };
  return {
    /** Does a job: why it has failed, or nothing. Throws where no other would fare better. */
    async run({ plan: path, job }: Work): Promise<string | undefined> {
      const plan = plans.get(path) ?? open(path);
      plan.running++;
      closeIdle(path);
      try {
        return await (await plan.workers).run(job);
      } finally {
        plan.running--;
      }
    },
    async close(): Promise<void> {
      for (const [path, plan] of plans) close(path, plan);
      await Promise.all(closing);
    },
  };
}
