// Long-running work of the model view: one job at a time, with progress, until it is done or cancelled.
import { signal } from "@preact/signals";
import { type CallHooks, isAbort } from "../engine/client.ts";
import { messageOf, tell } from "../state/state.ts";

export interface Job {
  kind: "open" | "run" | "separate" | "compare";
  /** What is being done. */
  text: string;
  /** The share that is done, where it is known. */
  done?: number;
}

export const job = signal<Job | undefined>(undefined);

let controller = new AbortController();

/** Ends the job that runs; it stays until the worker has let go of it. */
export function cancel(): void {
  controller.abort();
  if (job.value) job.value = { kind: job.value.kind, text: "Cancelling…" };
}

/** Begins a job in the place of what runs. Its errors are told after the words for what failed, unless it was cancelled. */
export async function begin({ kind, text }: Job, failed: string, work: (hooks: CallHooks) => Promise<void>) {
  controller.abort();
  const own = new AbortController();
  controller = own;
  job.value = { kind, text };
  const onProgress = (done: number, what = text): void => {
    if (!own.signal.aborted) job.value = { kind, text: what, done };
  };
  try {
    await work({ signal: own.signal, onProgress });
  } catch (error) {
    if (!isAbort(error)) tell(`${failed}: ${messageOf(error)}.`);
  } finally {
    if (controller === own) job.value = undefined;
  }
}
