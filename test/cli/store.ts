// A store that speaks S3's protocol (s3rver), filled and read by plain requests.
import { mkdirSync } from "node:fs";

/** What is used of s3rver, which has no types. */
interface Server {
  run(): Promise<{ port: number }>;
  close(): Promise<void>;
}

// Whoever works on rank1 without these packages gets the other tests.
const load = (name: string): Promise<{ default: new (options: object) => Server }> => import(name);
const [S3rver] = await Promise.all(["s3rver", "@aws-sdk/client-s3"].map(load)).then(
  (modules) => modules.map((one) => one.default),
  () => [],
);

/** Whether there can be one. */
export const hasStore = S3rver !== undefined;

export interface TestStore {
  /** The variables by which rank1 finds it. */
  env(): Record<string, string>;
  get(key: string): Promise<Buffer>;
  put(key: string, body: string | Uint8Array): Promise<void>;
  /** Keys below a prefix but the journal's, without it. */
  objects(prefix: string): Promise<string[]>;
  /** Goes away, and what it holds stays. */
  close(): Promise<void>;
  /** Comes back. */
  open(): Promise<void>;
}

/** A store with one bucket, whose objects lie in a folder; nothing where s3rver or the SDK is not installed. */
export async function openStore(directory: string, bucket: string): Promise<TestStore | undefined> {
  if (!S3rver) return undefined;
  mkdirSync(directory, { recursive: true });
  let port = 0;
  let server: Server;
  const open = async (): Promise<void> => {
    server = new S3rver({ port, address: "127.0.0.1", silent: true, directory, configureBuckets: [{ name: bucket }] });
    port = (await server.run()).port;
  };
  await open();
  const ask = async (key: string, options?: RequestInit): Promise<Response> => {
    const answer = await fetch(`http://127.0.0.1:${port}/${bucket}/${key}`, options);
    if (!answer.ok) throw new Error(`${key}: ${answer.status}`);
    return answer;
  };
  return {
    open,
    close: () => server.close(),
    env: () => ({
      ...{ AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER", AWS_EC2_METADATA_DISABLED: "true" },
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    }),
    get: async (key) => Buffer.from(await (await ask(key)).arrayBuffer()),
    async put(key, body) {
      await ask(key, { method: "PUT", body: typeof body === "string" ? body : Uint8Array.from(body) });
    },
    async objects(prefix) {
      const text = await (await ask(`?list-type=2&prefix=${prefix}`)).text();
      const keys = [...text.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key!.slice(prefix.length));
      return keys.filter((key) => !key.startsWith(".rank1"));
    },
  };
}
