// Inputs and results in a store by addresses, with s3rver; a store that does not answer for a while; no SDK.
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleModel } from "../../src/node/package.ts";
import { temporaryFolder } from "../node/folder.ts";
import { contents, preload, tinyPictures } from "./batch.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const recipe = ["-f", "gaussian:sigma=1.5"];

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

test("without the SDK the message says what to install", async () => {
  const env = { NODE_OPTIONS: preload("no-sdk.ts") };
  const { code, stderr } = await spawnRank1(["filter", "s3://bucket/a.png", "-o", path("none.png"), ...recipe], {
    env,
  });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^rank1: s3:\/\/: expected the package @aws-sdk\/client-s3, got none; npm install @aws-sdk\/client-s3 /)]); // biome-ignore format: a line
});

describe.skipIf(!S3rver)("a store", () => {
  let server: Server;
  let port = 0;
  const env = (): Record<string, string> => ({
    ...{ AWS_ACCESS_KEY_ID: "S3RVER", AWS_SECRET_ACCESS_KEY: "S3RVER", AWS_EC2_METADATA_DISABLED: "true" },
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
  });
  const serve = async (): Promise<Server> => {
    const one = new S3rver!({ port, address: "127.0.0.1", silent: true, directory: path("store"), configureBuckets: [{ name: "bucket" }] }); // biome-ignore format: a line
    port = (await one.run()).port;
    return one;
  };
  const ask = (key: string, options?: RequestInit) => fetch(`http://127.0.0.1:${port}/bucket/${key}`, options);
  const put = (key: string, body: string | Uint8Array<ArrayBuffer>) => ask(key, { method: "PUT", body });
  const objects = async (prefix: string): Promise<string[]> => {
    const text = await (await ask(`?list-type=2&prefix=${prefix}`)).text();
    const keys = [...text.matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key]) => key!.slice(prefix.length));
    return keys.filter((key) => !key.startsWith(".rank1"));
  };
  const rank1In = (...args: string[]) => spawnRank1(args, { env: env() });
  let names: string[];
  let whole: Record<string, string>;

  beforeAll(async () => {
    mkdirSync(path("store"));
    server = await serve();
    names = await tinyPictures(path("in"), 40);
    for (const name of names) await put(`in/${name}`, Uint8Array.from(readFileSync(path(`in/${name}`))));
    await rank1("filter", path("in"), "-o", `${path("whole")}/`, ...recipe, "--quiet", "--workers", "1");
    whole = contents(path("whole"));
  });

  afterAll(() => server.close());

  test("one object, a pattern into a folder, a folder into the store with shards and --resume", async () => {
    const one = ["filter", "s3://bucket/in/a/0.png", "-o", "s3://bucket/single.png", ...recipe];
    const single = await rank1In(...one);
    expect([single.code, single.stderr]).toEqual([0, expect.stringMatching(/^s3:\/\/bucket\/single\.png {2}/)]);
    expect(Buffer.from(await (await ask("single.png")).arrayBuffer()).toString("base64")).toBe(whole["a/0.png"]);
    const again = await rank1In(...one);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/single\.png: expected a name that is free, got a file; --force/)]); // biome-ignore format: a line

    await rank1In("filter", "s3://bucket/in/**/*.png", "-o", `${path("out")}/`, ...recipe, "--quiet", "--workers", "2");
    expect(contents(path("out"))).toEqual(whole);

    const folders = ["filter", "s3://bucket/in/", "-o", "s3://bucket/out/", ...recipe, "--workers", "1"];
    for (const k of [1, 2]) expect((await rank1In(...folders, "--shard", `${k}/2`)).code).toBe(0);
    expect((await objects("out/")).sort()).toEqual(names.sort());
    expect((await rank1In(...folders, "--resume")).stderr).toMatch(/^rank1: 0 pictures in .*, 40 were done before\n$/);
  });

  test("that does not answer for a while is waited for; with less patience the work stops and is resumed", async () => {
    await server.close();
    const args = ["filter", path("in"), "-o", "s3://bucket/later/", ...recipe, "--workers", "1"];
    const impatient = await rank1In(...args, "--force", "--patience", "0");
    expect([impatient.code, impatient.stderr]).toEqual([1, expect.stringMatching(/expected an object that can be \w+, got .*ECONNREFUSED.*/)]); // biome-ignore format: a line
    const waiting = rank1In(...args, "--resume", "--patience", "60");
    await wait(2500);
    server = await serve();
    const { code, stderr } = await waiting;
    expect([code, stderr]).toEqual([0, expect.stringMatching(/the store does not answer \(.*ECONNREFUSED.*\n.*40 pictures in/s)]); // biome-ignore format: a line
    expect(await objects("later/")).toHaveLength(40);
  });

  test("holds models and lists, too; a missing object fails alone", async () => {
    await put("m.onnx", Uint8Array.from(readFileSync(exampleModel)));
    const list = ["s3://bucket/in/a/0.png", "s3://bucket/in/none.png", "s3://bucket/in/b/1.png", ""].join("\n");
    await put("list.txt", list);
    const args = ["run", "s3://bucket/m.onnx", "--list", "s3://bucket/list.txt", "-o", `${path("scores")}/`];
    const { code, stderr } = await rank1In(...args);
    expect([code, stderr]).toEqual([3, expect.stringMatching(/^rank1: s3:\/\/bucket\/in\/none\.png: expected a readable file, got a name that does not exist\n/)]); // biome-ignore format: a line
    expect(readdirSync(path("scores/in")).sort()).toEqual(["a", "b"]);
  });
});

test("a port on which nothing listens is no store", async () => {
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  if (!S3rver) return;
  const env = { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x", AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
  const { code, stderr } = await spawnRank1(["filter", "s3://b/a.png", "-o", path("x.png"), ...recipe], { env });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^rank1: s3:\/\/b\/a\.png: expected an object that can be read, got .*ECONNREFUSED/)]); // biome-ignore format: a line
});
