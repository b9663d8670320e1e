// Inputs and results in a store by addresses, with s3rver; a store that does not answer for a while; no SDK.
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { exampleModel } from "../../src/node/package.ts";
import { temporaryFolder } from "../node/folder.ts";
import { contents, preload, tinyPictures } from "./batch.ts";
import { rank1, spawnRank1 } from "./run.ts";
import { hasStore, openStore, type TestStore } from "./store.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const recipe = ["-f", "gaussian:sigma=1.5"];

test("without the SDK the message says what to install", async () => {
  const env = { NODE_OPTIONS: preload("no-sdk.ts") };
  const { code, stderr } = await spawnRank1(["filter", "s3://bucket/a.png", "-o", path("none.png"), ...recipe], {
    env,
  });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^rank1: s3:\/\/: expected the package @aws-sdk\/client-s3, got none; npm install @aws-sdk\/client-s3 /)]); // biome-ignore format: a line
});

describe.skipIf(!hasStore)("a store", () => {
  let store: TestStore;
  const rank1In = (...args: string[]) => spawnRank1(args, { env: store.env() });
  let names: string[];
  let whole: Record<string, string>;

  beforeAll(async () => {
    store = (await openStore(path("store"), "bucket"))!;
    names = await tinyPictures(path("in"), 40);
    for (const name of names) await store.put(`in/${name}`, readFileSync(path(`in/${name}`)));
    await rank1("filter", path("in"), "-o", `${path("whole")}/`, ...recipe, "--quiet", "--workers", "1");
    whole = contents(path("whole"));
  });

  afterAll(() => store.close());

  test("one object, a pattern into a folder, a folder into the store with shards and --resume", async () => {
    const one = ["filter", "s3://bucket/in/a/0.png", "-o", "s3://bucket/single.png", ...recipe];
    const single = await rank1In(...one);
    expect([single.code, single.stderr]).toEqual([0, expect.stringMatching(/^s3:\/\/bucket\/single\.png {2}/)]);
    expect((await store.get("single.png")).toString("base64")).toBe(whole["a/0.png"]);
    const again = await rank1In(...one);
    expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/single\.png: expected a name that is free, got a file; --force/)]); // biome-ignore format: a line

    await rank1In("filter", "s3://bucket/in/**/*.png", "-o", `${path("out")}/`, ...recipe, "--quiet", "--workers", "2");
    expect(contents(path("out"))).toEqual(whole);

    const folders = ["filter", "s3://bucket/in/", "-o", "s3://bucket/out/", ...recipe, "--workers", "1"];
    for (const k of [1, 2]) expect((await rank1In(...folders, "--shard", `${k}/2`)).code).toBe(0);
    expect((await store.objects("out/")).sort()).toEqual(names.sort());
    expect((await rank1In(...folders, "--resume")).stderr).toMatch(/^rank1: 0 pictures in .*, 40 were done before\n$/);
  });

  test("that does not answer for a while is waited for; with less patience the work stops and is resumed", async () => {
    await store.close();
    const args = ["filter", path("in"), "-o", "s3://bucket/later/", ...recipe, "--workers", "1"];
    const impatient = await rank1In(...args, "--force", "--patience", "0");
    expect([impatient.code, impatient.stderr]).toEqual([1, expect.stringMatching(/expected an object that can be \w+, got .*ECONNREFUSED.*/)]); // biome-ignore format: a line
    const waiting = rank1In(...args, "--resume", "--patience", "60");
    await wait(2500);
    await store.open();
    const { code, stderr } = await waiting;
    expect([code, stderr]).toEqual([0, expect.stringMatching(/the store does not answer \(.*ECONNREFUSED.*\n.*40 pictures in/s)]); // biome-ignore format: a line
    expect(await store.objects("later/")).toHaveLength(40);
  });

  test("holds models and lists, too; a missing object fails alone", async () => {
    await store.put("m.onnx", readFileSync(exampleModel));
    const list = ["s3://bucket/in/a/0.png", "s3://bucket/in/none.png", "s3://bucket/in/b/1.png", ""].join("\n");
    await store.put("list.txt", list);
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
  if (!hasStore) return;
  const env = { AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x", AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
  const { code, stderr } = await spawnRank1(["filter", "s3://b/a.png", "-o", path("x.png"), ...recipe], { env });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^rank1: s3:\/\/b\/a\.png: expected an object that can be read, got .*ECONNREFUSED/)]); // biome-ignore format: a line
});
