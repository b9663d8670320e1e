// Several processes that work on many inputs: one computing thread and one thread of libvips each, started as they are needed. A
// process and not a thread, so that a file which brings down a decoder, or takes all memory, costs itself alone.
import { type ChildProcess, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { removeLeft } from "../node/files.ts";
import { StopsAll } from "../node/store.ts";
import { below, folderOf, isAddress } from "../node/stores.ts";
import type { Order, Report, Setup } from "./messages.ts";
import { shares } from "./shares.ts";
import { errorOf, type Job, type Outcome } from "./task.ts";
import { say } from "./text.ts";

export interface Crew<J extends Job, R> {
  /** So many jobs are taken at once. */
  room: number;
  run(job: J): Promise<Outcome<R>>;
  close(): Promise<void>;
}

/** Two at a time: one is read and decoded, or encoded and written, while the other is computed. */
const atOnce = 2;

/** So often a job is tried in a process of its own: others than it may have ended the first. */
const triesAlone = 2;
/** The same where processes are killed from outside, for which the job is not at fault unless it takes all memory. */
const triesKilled = 5;
/** So many processes may end one after another, with no result between them, before they have begun to work. */
const mostUnready = 20;

/** What a process takes before it has read anything, in bytes. */
const ownMemory = 200e6;

/** How many processes there is work for, and memory. `extra` is what each takes besides, in bytes. */
export function usualCrew(jobs: number, extra: number): number {
  const fit = Math.floor((0.7 * process.availableMemory()) / (ownMemory + extra));
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(jobs / atOnce), fit));
}

/** The command line's first file: beside this one, or in the package that this one is bundled into. */
const main = (): string => {
  const file = import.meta.url.endsWith(".ts") ? "src/cli/main.ts" : "dist/cli/main.js";
  return fileURLToPath(new URL(`../../${file}`, import.meta.url));
};

/** How a process has ended. */
type Ending = string | Error;

interface Member<R> {
  child: ChildProcess;
  /** Of its temporary files. */
  tag?: string;
  jobs: Map<number, (outcome: Outcome<R> | { ended: Ending }) => void>;
  ended: Promise<void>;
  /** It has one job and gets no other. */
  single: boolean;
}

/** Of pictures there is little garbage on V8's heap: a young generation of its usual 48 MB would only be filled. */
const smallHeap = ["--max-semi-space-size=2"];

/** Memory that one thread gives back stands to the others again; glibc has eight arenas a core otherwise. */
const fewArenas = { MALLOC_ARENA_MAX: "2" };

/** Processes for jobs of one kind. `count` of them at most. */
export function openCrew<J extends Job, R>(setup: Setup, count: number, signal: AbortSignal): Crew<J, R> {
  const members = new Set<Member<R>>();
  const memory = shares(0.6 * process.availableMemory());
  let next = 0;
  let alone: Promise<unknown> = Promise.resolve();
  const stop = (): void => {
    for (const { child } of members) if (child.connected) child.disconnect(); // ends it
  };
  signal.addEventListener("abort", stop);

  const start = (single = false): Member<R> => {
    const env = { ...fewArenas, ...process.env, VIPS_CONCURRENCY: "1" };
    const stdio = ["ignore", "ignore", "inherit", "ipc"] as const;
    const execArgv = [...process.execArgv, ...smallHeap];
    const child = fork(main(), ["worker"], { env, execArgv, serialization: "advanced", stdio: [...stdio] });
    const member: Member<R> = { child, jobs: new Map(), ended: Promise.resolve(), single };
    let failed: Error | undefined;
    child.on("message", (report: Report) => {
      if ("ready" in report) member.tag = report.ready;
      else if ("failed" in report) failed = errorOf(report.failed);
      else if ("waits" in report) sayOnce(report.waits);
      else {
        const resolve = member.jobs.get(report.id);
        if (!resolve) return;
        if ("asks" in report) memory.ask(resolve, report.asks, () => tell(member, { id: report.id, granted: true }));
        else resolve(report.outcome as Outcome<R>);
      }
    });
    const over = (ending: string): void => {
      members.delete(member);
      for (const resolve of member.jobs.values()) resolve({ ended: failed ?? ending });
    };
    member.ended = new Promise((resolve) => {
      child.on("exit", (code, killed) => resolve(over(killed ?? `code ${code}`)));
      child.on("error", ({ message }) => resolve(over(message)));
    });
    tell(member, setup);
    members.add(member);
    return member;
  };

  const give = async (member: Member<R>, job: J): Promise<Outcome<R> | { ended: Ending }> => {
    const id = next++;
    const outcome = await new Promise<Outcome<R> | { ended: Ending }>((resolve) => {
      member.jobs.set(id, resolve);
      tell(member, { id, job });
    });
    memory.end(member.jobs.get(id)!);
    member.jobs.delete(id);
    signal.throwIfAborted();
    if (!("ended" in outcome)) return outcome;
    if (outcome.ended instanceof Error) throw outcome.ended;
    if (setup.folder !== undefined && !isAddress(setup.folder))
      await removeLeft(folderOf(below(setup.folder, job.name)), member.tag);
    return outcome;
  };

  /** A job at which a process has ended, in a process of its own and while no other such job runs. */
  const again = async (job: J): Promise<Outcome<R>> => {
    let ended: Ending = "";
    let tries = 0;
    let unready = 0;
    for (let most = triesKilled; tries < most; ) {
      const member = start(true);
      const outcome = await give(member, job);
      if (!("ended" in outcome)) {
        await leave(member);
        return outcome;
      }
      ended = outcome.ended;
      if (ended !== "SIGKILL" && ended !== "SIGTERM") most = triesAlone;
      // One that ends before it has begun says nothing about the job.
      if (member.tag !== undefined) tries++;
      else if (++unready >= mostUnready || (most === triesAlone && unready >= triesAlone))
        throw new StopsAll(`a process to work in: expected one that starts, got one that ended (${ended})`);
      // Who kills them may be at it still, and memory that was full may be free in a moment.
      await wait(Math.min(2000, 50 * 2 ** (tries + unready)), undefined, { signal });
    }
    const message = `${job.input}: expected a file that can be worked on, got the end of the process that did (${ended})`;
    return { refusal: { message, of: "input" } };
  };

  const leave = async (member: Member<R>): Promise<void> => {
    tell(member, { end: true });
    const late = setTimeout(() => member.child.kill("SIGKILL"), 5000);
    await member.ended;
    clearTimeout(late);
  };

  return {
    room: atOnce * count,
    async run(job) {
      signal.throwIfAborted();
      const shared = [...members].filter(({ single }) => !single);
      const [idle] = shared.sort((a, b) => a.jobs.size - b.jobs.size);
      const member = idle && (idle.jobs.size === 0 || shared.length >= count) ? idle : start();
      const outcome = await give(member, job);
      if (!("ended" in outcome)) return outcome;
      const tried = alone.then(() => again(job));
      alone = tried.catch(() => {});
      return tried;
    },
    async close() {
      signal.removeEventListener("abort", stop);
      await Promise.all([...members].map(leave));
    },
  };
}

function tell<R>({ child }: Member<R>, message: Order | Setup): void {
  if (child.connected) child.send(message, () => {}); // what cannot be sent is noticed when the process ends
}

let said = Number.NEGATIVE_INFINITY;

/** All processes notice a store that does not answer: one line a minute says so. */
function sayOnce(message: string): void {
  if (performance.now() - said < 60_000) return;
  said = performance.now();
  say(message);
}
