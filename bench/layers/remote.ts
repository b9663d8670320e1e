// The near side of a rival's process: see child.ts.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Turn } from "../contest.ts";
import type { LayerCase } from "./cases.ts";

export type Question =
  /** `warmUp`: milliseconds of runs before anything is timed. */
  | { operation: "prepare"; problem: LayerCase; warmUp: number }
  | { operation: "turn"; milliseconds: number }
  | { operation: "result" }
  | { operation: "dispose" };

export interface Answers {
  prepare: { plans: string[] };
  turn: Turn;
  result: Float32Array;
  dispose: void;
}

export class Remote {
  readonly version: string;
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, version: string) {
    this.child = child;
    this.version = version;
  }

  /** Starts a rival by its name; rejects with the reason where it cannot start. */
  static async start(name: string, threads: number): Promise<Remote> {
    const script = join(import.meta.dirname, "child.ts");
    const child = fork(script, [name, `${threads}`], {
      serialization: "advanced",
      stdio: ["ignore", 2, "ignore", "ipc"],
    });
    return new Remote(child, await answerOf(child));
  }

  ask<K extends keyof Answers>(question: Question & { operation: K }): Promise<Answers[K]> {
    const answer = answerOf<Answers[K]>(this.child);
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
