// The other side of crew.ts: a process that rank1 starts to work on some of many inputs. It is told what to do by messages, and
// ends when the process that started it does.
import { once } from "node:events";
import { ownTag } from "../node/files.ts";
import { setPatience } from "../node/patience.ts";
import type { Order, Report, Setup } from "./messages.ts";
import { attempt, type Job, type Perform, refusalOf } from "./task.ts";

/** Opens what a command needs, and calls `use` with what it does to one input. */
export type Open = (flags: never, use: (perform: Perform<never, unknown>) => Promise<void>) => Promise<void>;

/** Where the process that started this one has ended meanwhile, "disconnect" follows. */
const tell = (report: Report): void => {
  if (process.connected) process.send?.(report, undefined, {}, () => {});
};

/** Works until there is an end of it. */
export async function work(signal: AbortSignal): Promise<void> {
  const gone = (): never => process.exit(0);
  process.on("disconnect", gone);
  const [setup] = (await once(process, "message")) as [Setup];
  setPatience({ milliseconds: setup.patience, tell: (waits) => tell({ waits }) });
  try {
    const open = (setup.kind === "filter" ? (await import("./filter.ts")).openFilter : (await import("./run.ts")).openRun) as Open; // biome-ignore format: a line
    await open(setup.flags as never, (perform) => serve(perform as Perform<Job, unknown>, setup.folder, signal));
  } catch (error) {
    tell({ failed: refusalOf(error as Error) });
  } finally {
    process.off("disconnect", gone);
    if (process.connected) process.disconnect();
  }
}

/** Does what messages ask for, several things at once, until there is an end of it. */
function serve(perform: Perform<Job, unknown>, folder: string | undefined, signal: AbortSignal): Promise<void> {
  const granted = new Map<number, () => void>();
  const one = async (id: number, job: Job): Promise<void> => {
    const admit = (asks: number): Promise<void> =>
      new Promise((resolve) => {
        granted.set(id, resolve);
        tell({ id, asks });
      });
    const outcome = await attempt(perform, job, { signal, admit }, folder).catch((error: Error) => ({
      refusal: refusalOf(error),
    }));
    tell({ id, outcome: "refusal" in outcome ? { refusal: outcome.refusal } : outcome });
  };
  return new Promise((resolve) => {
    process.on("message", (order: Order) => {
      if ("end" in order) resolve();
      else if ("job" in order) void one(order.id, order.job);
      else {
        granted.get(order.id)?.();
        granted.delete(order.id);
      }
    });
    tell({ ready: ownTag });
  });
}
