// Where the queue lies: Redis or PostgreSQL, by an address. BullMQ's classes take either.
import { setTimeout as wait } from "node:timers/promises";
import { createPostgresBackend, createRedisBackend, Queue } from "bullmq";

/** A server and the name of a queue on it, as BullMQ's classes take them. */
export interface Place {
  name: string;
  /** The address without its password, for messages. */
  shown: string;
  /** To be made one: `new Queue(name, { connection }, backend)`. */
  connection: object;
  // Both kinds have the same methods; their types differ in what connects to them.
  backend: typeof createRedisBackend;
}

/** What jobs of this package hold. */
export interface Work {
  /** Where the plan is that the job belongs to. */
  plan: string;
  job: { id: string; input: string };
}

/** What a job on the server holds, if that is {@link Work}: others may have put something there. */
export function workIn(data: unknown): Work | undefined {
  const { plan, job } = (data ?? {}) as { plan?: unknown; job?: { id?: unknown; input?: unknown } | null };
  const isWork =
    typeof plan === "string" && plan !== "" && typeof job?.id === "string" && typeof job.input === "string";
  return isWork ? (data as Work) : undefined;
}

export type Jobs = Queue<Work, void>;

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {}

export const usualServer = "redis://127.0.0.1:6379";

const starts = {
  redis: "redis-server --appendonly yes --maxmemory-policy noeviction starts one",
  postgres: "docker run -p 5432:5432 -e POSTGRES_PASSWORD=... postgres starts one",
};

/** Reads an address. Throws {@link UsageError} for others than those of Redis and PostgreSQL. */
export function placeOf(address: string, name: string): Place {
  const [, scheme = ""] = /^(\w+):\/\/./.exec(address) ?? [];
  const isRedis = /^rediss?$/.test(scheme);
  const wrong = (what: string, expected: string, received: string): never => {
    throw new UsageError(`${what}: expected ${expected}, got ${received}`);
  };
  if ((!isRedis && !/^postgres(ql)?$/.test(scheme)) || !URL.canParse(address))
    wrong("--server", `an address such as ${usualServer} or postgres://user:password@host:5432/database`, address);
  if (!/^[\w.-]+$/.test(name)) wrong("--queue", "letters, digits, dots, - and _", JSON.stringify(name));
  const url = new URL(address);
  if (url.password) url.password = "***";
  const shown = url.href;
  if (isRedis) return { name, shown, connection: { url: address }, backend: createRedisBackend };
  const connection = { connectionString: address, migrate: true };
  return { name, shown, connection, backend: createPostgresBackend as unknown as typeof createRedisBackend };
}

/** How long a server may take to answer at first, in milliseconds. */
const patience = 10_000;

/** Calls `use` with the queue, and leaves it. Throws an Error that says how to start a server where none answers. */
export async function withQueue<T>(place: Place, use: (queue: Jobs) => Promise<T>): Promise<T> {
  const { name, shown, connection, backend } = place;
  const queue: Jobs = new Queue<Work, void, string, Work, void, string>(name, { connection }, backend);
  let ready = false;
  try {
    await new Promise<void>((resolve, reject) => {
      // What comes after the first contact is for the calls that fail by it.
      queue.on("error", (error) => (ready ? undefined : reject(error)));
      queue.waitUntilReady().then(() => resolve(), reject);
      setTimeout(() => reject(new Error(`no answer in ${patience / 1000} s`)), patience).unref();
    });
    ready = true;
    return await use(queue);
  } catch (error) {
    if (ready) throw error;
    const hint = shown.startsWith("redis") ? starts.redis : starts.postgres;
    const received = reasonOf(error as Error);
    throw new Error(`${shown}: expected a server that answers, got ${received}; ${hint}, --server names another`, {
      cause: error,
    });
  } finally {
    // A server that has gone may never take leave.
    await Promise.race([queue.close().catch(() => {}), wait(2000, undefined, { ref: false })]);
  }
}

/** Where several addresses of a host were tried, the message of all is empty. */
export function reasonOf({ message, ...error }: Error & { code?: string; errors?: Error[] }): string {
  return message || error.errors?.[0]?.message || error.code || "no answer";
}
