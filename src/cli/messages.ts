// What processes that share many inputs say to each other.
import type { Job, Outcome, Refusal } from "./task.ts";

/** What a worker is told first: plain data. */
export interface Setup {
  /** The command. */
  kind: "filter" | "run";
  /** Where results lie. */
  folder?: string;
  /** How long a store that does not answer is waited for, in milliseconds. */
  patience: number;
  /** What the command made of its flags. */
  flags: object;
}

/** To a worker. */
export type Order = { id: number; job: Job } | { id: number; granted: true } | { end: true };

/** From a worker: the tag of its temporary files when it is ready. Those with a result have an `id` alone beside it. */
export type Report =
  | { ready: string }
  | { failed: Refusal }
  | { waits: string }
  | { id: number; asks: number }
  | { id: number; outcome: Outcome<unknown> };
