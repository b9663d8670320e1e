// Inputs and results in a store by addresses, with s3rver; a store that does not answer for a while; no SDK.
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { exampleModel } from "../../src/node/package.ts";
import { setPatience } from "../../src/node/patience.ts";
import { StopsAll } from "../../src/node/store.ts";
import { storeOf } from "../../src/node/stores.ts";
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

  test("--failures takes no other object's place", async () => {
    await store.put("some/broken.png", "no picture");
    await store.put("notes.txt", "mine");
    const run = (failures: string, ...more: string[]) => rank1In("filter", "s3://bucket/some/", "-o", "s3://bucket/listed/", ...recipe, "--failures", `s3://bucket/${failures}`, ...more); // biome-ignore format: a line
    for (const name of ["some/broken.png", "listed/broken.png", "listed/.rank1/journal-1.jsonl"])
      expect((await run(name, "--force")).stderr, name).toMatch(/--failures: expected a file of its own, got s3:/);
    expect((await run("notes.txt")).stderr).toMatch(/--failures: expected a new file, or a list of failures, got s3:/);
    expect((await store.get("notes.txt")).toString()).toBe("mine");
    for (let round = 0; round < 2; round++) expect((await run("failed.jsonl")).code).toBe(3);
    expect(JSON.parse((await store.get("failed.jsonl")).toString()).input).toBe("s3://bucket/some/broken.png");
  });

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
    const started = ({ stderr }: ChildProcess) => stderr!.once("data", () => wait(500).then(() => store.open()));
    const { code, stderr } = await spawnRank1([...args, "--resume", "--patience", "60"], { env: store.env(), started });
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

describe.skipIf(!hasStore)("answers", () => {
  const answers: ((request: IncomingMessage) => [status: number, body: string])[] = [];
  const asked: string[] = [];
  const server = createHttpServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const [status, body] = answers.shift()!(request);
    request.resume();
    request.on("end", () => response.writeHead(status, { "content-type": "application/xml" }).end(body));
  });
  const page = (key: string, next: string): string =>
    `<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><IsTruncated>${next !== ""}</IsTruncated>${next && `<NextContinuationToken>${next}</NextContinuationToken>`}<Contents><Key>${key}</Key><ETag>"${key}"</ETag><Size>5</Size></Contents></ListBucketResult>`;
  const wrong = (status: number, code: string) => (): [number, string] => [status, `<Error><Code>${code}</Code><Message>${code}!</Message></Error>`]; // biome-ignore format: a line

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    vi.stubEnv("AWS_ENDPOINT_URL", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "x");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "x");
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    setPatience({ milliseconds: 0, tell: () => {} });
    server.close();
  });

  test("of long lists come in pages; names of folders are no files", async () => {
    answers.push(() => [200, page("in/a.png", "more")], () => [200, page("in/sub/", "yet more")], () => [200, page("in/b c.png", "")]); // biome-ignore format: a line
    const found = [];
    for await (const entry of (await storeOf("s3://b/in/")).list("s3://b/in/")) found.push(entry);
    expect(found).toEqual([
      { path: "s3://b/in/a.png", stamp: { size: 5, version: '"in/a.png"' } },
      { path: "s3://b/in/b c.png", stamp: { size: 5, version: '"in/b c.png"' } },
    ]);
    expect(asked.splice(0).map((url) => /continuation-token=([^&]*)/.exec(url)?.[1])).toEqual([undefined, "more", "yet%20more"]); // biome-ignore format: a line
  });

  test("that ask to slow down are followed by others; a refusal is said at once", async () => {
    const told: string[] = [];
    setPatience({ milliseconds: 20_000, tell: (message) => told.push(message) });
    // The SDK itself asks three times.
    answers.push(...Array(4).fill(wrong(503, "SlowDown")), () => [200, "bytes"]);
    const store = await storeOf("s3://b/x");
    expect(Buffer.from((await store.read("s3://b/x")).bytes).toString()).toBe("bytes");
    expect(told).toEqual([expect.stringMatching(/^s3:\/\/b\/x: the store does not answer \(SlowDown!/)]);
    answers.push(wrong(403, "AccessDenied"));
    await expect(store.read("s3://b/y")).rejects.toThrow(
      /s3:\/\/b\/y: expected an object that can be read, got AccessDenied!/,
    );
    answers.push(wrong(403, "AccessDenied"));
    await expect(store.write("s3://b/y", "text")).rejects.toThrow(StopsAll);
    answers.push(wrong(404, "NoSuchBucket"));
    await expect(store.read("s3://none/y")).rejects.toThrow(StopsAll);
    expect(answers).toEqual([]);
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
