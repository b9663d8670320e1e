// Servers of queues for tests and measurements: each on a free port, with its data in a folder of its own, to be stopped and started again.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, globSync, mkdirSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

export interface TestServer {
  address: string;
  start(): Promise<void>;
  /** What it holds stays. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface Kind {
  name: string;
  /** Why there can be none here. */
  missing?: string;
  /** Starts one whose data lies in a folder, which is made; other users may go through the folder above. */
  open(folder: string): Promise<TestServer>;
}

const folders = [...(process.env.PATH ?? "").split(delimiter), ...globSync("/usr/lib/postgresql/*/bin")];
const programOf = (name: string): string | undefined => folders.map((folder) => join(folder, name)).find((path) => existsSync(path)); // biome-ignore format: a line

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

interface Program {
  file: string;
  args: string[];
  /** What it prints when it takes requests. */
  ready: RegExp;
  user?: { uid: number; gid: number };
}

async function serve(address: string, { file, args, ready, user }: Program): Promise<TestServer> {
  let child: ChildProcess | undefined;
  const server: TestServer = {
    address,
    async start() {
      const own = spawn(file, args, { ...user, stdio: ["ignore", "pipe", "pipe"] });
      child = own;
      let text = "";
      await new Promise<void>((resolve, reject) => {
        for (const stream of [own.stdout, own.stderr])
          stream.on("data", (data) => {
            text += data;
            if (ready.test(text)) resolve();
          });
        own.on("exit", () => reject(new Error(`${file} ended: ${text}`)));
      });
    },
    async stop(signal = "SIGINT") {
      const ended = child && child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
      child?.kill(signal);
      await ended;
    },
  };
  await server.start();
  return server;
}

/** A server of PostgreSQL does not run as root. */
function postgresUser(): Program["user"] {
  if (process.getuid?.() !== 0) return undefined;
  const id = (kind: string): number => Number(execFileSync("id", [kind, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}

const redis = programOf("redis-server");
const [initdb, postgres] = [programOf("initdb"), programOf("postgres")];

export const kinds: readonly Kind[] = [
  {
    name: "Redis",
    missing: redis ? undefined : "redis-server is not installed",
    async open(folder) {
      mkdirSync(folder, { recursive: true });
      const port = await freePort();
      const kept = ["--dir", folder, "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"];
      const args = ["--port", `${port}`, "--bind", "127.0.0.1", ...kept];
      return serve(`redis://127.0.0.1:${port}`, { file: redis!, args, ready: /Ready to accept/ });
    },
  },
  {
    name: "PostgreSQL",
    missing: initdb && postgres ? undefined : "postgresql is not installed",
    async open(folder) {
      mkdirSync(folder, { recursive: true });
      const user = postgresUser();
      if (user) {
        chmodSync(dirname(folder), 0o711);
        chownSync(folder, user.uid, user.gid);
      }
      const data = join(folder, "data");
      execFileSync(initdb!, ["-D", data, "-U", "rank1", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"], { ...user, cwd: folder, stdio: "pipe" }); // biome-ignore format: a line
      const port = await freePort();
      const args = ["-D", data, "-p", `${port}`, "-k", folder, "-h", "127.0.0.1", "-c", "max_connections=200"];
      const address = `postgres://rank1@127.0.0.1:${port}/postgres`;
      return serve(address, { file: postgres!, args, ready: /ready to accept connections/, user });
    },
  },
];

/** Tries until it does not throw. */
export async function eventually<T>(what: () => Promise<T> | T, milliseconds = 20_000): Promise<T> {
  for (const end = Date.now() + milliseconds; ; await wait(100)) {
    try {
      return await what();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
