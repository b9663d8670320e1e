// The near side of a rival's process: see serve.ts.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Turn } from "./contest.ts";

/** `P` is what is prepared for. */
export type Question<P> =
  /** `warmUp`: milliseconds of runs before anything is timed. */
  | { operation: "prepare"; problem: P; warmUp: number }
  | { operation: "turn"; milliseconds: number }
  | { operation: "result" }
  | { operation: "dispose" };

/** `R` is what a run makes. */
export interface Answers<R> {
  prepare: { plans: string[] };
  turn: Turn;
  result: R;
  dispose: void;
}

export class Remote<P, R> {
  readonly version: string;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, version: string) {
    this.child = child;
    this.version = version;
  }

  /** Starts a rival by its name in `script`, which serves it; rejects with the reason where it cannot start. */
  static async start<P, R>(script: string, name: string, threads: number): Promise<Remote<P, R>> {
    const child = fork(script, [name, `${threads}`], {
      serialization: "advanced",
      stdio: ["ignore", 2, "ignore", "ipc"],
    });
    return new Remote<P, R>(child, await answerOf(child));
  }

  ask<K extends keyof Answers<R>>(question: Question<P> & { operation: K }): Promise<Answers<R>[K]> {
    const answer = answerOf<Answers<R>[K]>(this.child);
    this.child.send(question);
    return answer;
  }

  close(): void {
    this.child.disconnect();
  }
}

/** The next message; a process that ends instead rejects. */
async function answerOf<T>(child: ChildProcess): Promise<T> {
  const over = new AbortController();
  const [message] = await Promise.race([
    once(child, "message", over),
    once(child, "exit", over).then(([code]) => [{ error: `its process ended with ${code}` }]),
  ]).finally(() => over.abort());
  if (message.error !== undefined) throw new Error(message.error);
  return message.value;
}
