// rank1-queue on Redis and on PostgreSQL: whatever ends a worker or the server, each picture is filtered, and stands there once.
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { contents, preload, tinyPictures } from "../../../test/cli/batch.ts";
import { spawnRank1 } from "../../../test/cli/run.ts";
import { openStore, type TestStore } from "../../../test/cli/store.ts";
import { temporaryFolder } from "../../../test/node/folder.ts";
import { placeOf, withQueue } from "../src/server.ts";
import { problemsOf, workUnderFaults } from "./faults.ts";
import { missing, queue, type RunOptions, start } from "./run.ts";
import { eventually, kinds, type TestServer } from "./servers.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const recipe = ["-f", "gaussian:sigma=1.5"];
const count = 300;
let whole: Record<string, string>;

const filter = (out: string, ...more: string[]): string[] => ["filter", path("in"), "-o", `${path(out)}/`, ...recipe, ...more]; // biome-ignore format: a line
const few = (out: string, ...more: string[]): string[] => ["filter", path("in/b"), "-o", `${path(out)}/`, ...recipe, ...more]; // biome-ignore format: a line
const fewWhole = (): Record<string, string> => Object.fromEntries(Object.entries(whole).filter(([name]) => name.startsWith("b/")).map(([name, bytes]) => [name.slice(2), bytes])); // biome-ignore format: a line

beforeAll(async () => {
  await tinyPictures(path("in"), count);
  await spawnRank1(filter("whole", "--quiet"));
  whole = contents(path("whole"));
  expect(Object.keys(whole)).toHaveLength(count);
}, 60_000);

describe.skipIf(missing)(`rank1-queue${missing ? `: ${missing}` : ""}`, () => {
  test.each<[string, string[], number, RegExp]>([
    ["no command", ["works"], 2, /unknown command 'works'/],
    ["no work", ["submit"], 2, /missing required argument 'rank1'/],
    ["another server", ["status", "--server", "http://a"], 2, /--server: expected an address such as redis:.* got http:\/\/a/],
    ["another name", ["status", "--queue", "a:b"], 2, /--queue: expected letters, .* got "a:b"/],
    ["half a process", ["work", "--processes", "0.5"], 2, /--processes.*0\.5/],
    ["no server", ["status", "--server", "redis://127.0.0.1:1"], 1, /redis:\/\/127\.0\.0\.1:1: expected a server that answers, got .*ECONNREFUSED.*; redis-server .* starts one/],
    ["no database", ["status", "--server", "postgres://a:secret@127.0.0.1:1/b"], 1, /postgres:\/\/a:\*\*\*@127.* ECONNREFUSED.* postgres starts one/],
  ])("%s", async (_, args, code, message) => {
    const result = await queue(args);
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(result.stderr).toMatch(/^rank1-queue: [^\n]*\n$/);
  }); // biome-ignore format: a table
});

describe.each(kinds)("$name", ({ name, missing: absent, open }) => {
  const reason = missing ?? absent;

  describe.skipIf(reason)(reason ?? "works", () => {
    let server: TestServer;
    const on = (more: Record<string, string> = {}): RunOptions => ({ env: { RANK1_QUEUE_SERVER: server.address, ...more } }); // biome-ignore format: a line

    beforeAll(async () => {
      server = await open(path(name));
    }, 60_000);
    afterAll(() => server?.stop("SIGKILL"));

    test("submits each job once, works, lists what failed, and tries it again", async () => {
      const own = { RANK1_QUEUE: "first" };
      cpSync(path("in/b"), path("some"), { recursive: true });
      writeFileSync(path("some/broken.png"), "no picture");
      const some = (...more: string[]): string[] => [
        "filter",
        path("some"),
        "-o",
        `${path("first")}/`,
        ...recipe,
        ...more,
      ];
      const first = await queue(["submit", ...some()], on(own));
      expect([first.code, first.stderr]).toEqual([0, "rank1-queue: 101 jobs put into the queue first\n"]);
      const again = await queue(["submit", ...some()], on(own));
      expect(again.stderr).toBe("rank1-queue: 0 jobs put into the queue first, 101 are there already\n");
      const other = await queue(["submit", ...few("second"), "--border", "edge", "--shard", "1/4"], on(own));
      expect(other.stderr).toMatch(/^rank1-queue: (1\d|2\d|3\d|4\d) jobs put/);
      const worked = await queue(["work", "--until-empty", "--processes", "1"], on(own));
      expect([worked.code, worked.stderr]).toEqual([3, expect.stringMatching(/broken\.png: expected an intact PNG.*\n.*jobs in .* 1 failed\n$/s)]); // biome-ignore format: a line
      expect(contents(path("first"))).toEqual(fewWhole());
      expect(problemsOf(path("first"), fewWhole())).toEqual([]);
      expect(Object.keys(contents(path("second"))).length).toBeGreaterThan(10);
      const failures = await queue(["status", "--failures"], on(own));
      const [failure] = failures.stdout.trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: a line
      expect(failure).toMatchObject({
        input: path("some/broken.png"),
        message: expect.stringMatching(/broken\.png: /),
      });
      const unknown = await queue(["retry", "0123"], on(own));
      expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringMatching(/^rank1-queue: job 0123: expected a failed job of the queue first, got one that is not there/)]); // biome-ignore format: a line
      writeFileSync(path("some/broken.png"), readFileSync(path("in/b/1.png")));
      const retried = await queue(["retry", failure.id], on(own));
      expect([retried.code, retried.stderr]).toEqual([0, "rank1-queue: 1 jobs put back into the queue first\n"]);
      await queue(["work", "--until-empty", "--processes", "1"], on(own));
      expect(readFileSync(path("first/broken.png"), "base64")).toBe(whole["b/1.png"]);
      const status = JSON.parse((await queue(["status", "--json"], on(own))).stdout);
      expect(status).toMatchObject({ queue: "first", waiting: 0, working: 0 });
      expect(status.done).toBeGreaterThan(110);
      // The journal is that of rank1 itself.
      expect((await spawnRank1(some("--resume"))).stderr).toMatch(/^rank1: 0 pictures in .*, 101 were done/);
      expect((await queue(["submit", ...some("--resume")], on(own))).stderr).toBe("rank1-queue: 0 jobs put into the queue first, 101 were done before\n"); // biome-ignore format: a line
      for (const made of ["some", "first", "second"]) rmSync(path(made), { recursive: true });
    }, 60_000);

    test("what others have put there fails, and stops nobody", async () => {
      const own = { RANK1_QUEUE: "strange" };
      await withQueue(placeOf(server.address, "strange"), async (jobs) => {
        for (const data of [null, {}, { plan: 5 }, { plan: path("x.json"), job: { id: "a", input: 7 } }])
          await jobs.add("filter", data as never);
      });
      await queue(["submit", ...few("strange", "--shard", "1/20")], on(own));
      const worked = await queue(["work", "--until-empty", "--processes", "1"], on(own));
      expect([worked.code, worked.stderr]).toEqual([3, expect.stringMatching(/job \S+: expected a job that rank1-queue submit has put there.* 4 failed\n$/s)]); // biome-ignore format: a line
      expect(Object.keys(contents(path("strange"))).length).toBeGreaterThan(0);
      const failures = await queue(["status", "--failures"], on(own));
      expect([failures.code, failures.stdout.trim().split("\n").length]).toEqual([0, 4]);
    }, 60_000);

    test("SIGTERM lets what has begun end; a second one gives it back", async () => {
      const own = { RANK1_QUEUE: "stopped", RANK1_TEST_READ: path("read.txt"), RANK1_TEST_SLOW: "700" };
      writeFileSync(path("read.txt"), "");
      await queue(["submit", ...few("stopped")], on(own));
      const reads = (): number => readFileSync(path("read.txt"), "utf8").split("\n").length - 1;
      const slowly = () => start(["work", "--processes", "1"], { ...on(own), preload: preload("slow.ts") });
      const gently = slowly();
      await eventually(() => expect(reads()).toBe(2));
      gently.child.kill("SIGTERM");
      expect((await gently.result).code).toBe(0);
      expect([reads(), Object.keys(contents(path("stopped"))).length]).toEqual([2, 2]);
      const hard = slowly();
      await eventually(() => expect(reads()).toBe(4));
      hard.child.kill("SIGINT");
      await wait(50);
      hard.child.kill("SIGINT");
      expect((await hard.result).code).toBe(0);
      const status = JSON.parse((await queue(["status", "--json"], on(own))).stdout);
      expect(status).toMatchObject({ waiting: 98, working: 0, failed: 0 });
      await queue(["work", "--until-empty", "--processes", "2"], on(own));
      expect(contents(path("stopped"))).toEqual(fewWhole());
      rmSync(path("stopped"), { recursive: true });
    }, 60_000);

    test("after kill -9 of workers and a restart of the server all is there, once", async () => {
      await queue(["submit", ...filter(`killed-${name}`)], on());
      const faults = { server, folder, inputs: path("in"), workers: 4, kills: 1, restart: true, slow: 100, lock: 5 };
      const { kills, concurrency, restarts, reads, codes, stderr } = await workUnderFaults(faults);
      expect(codes, stderr).toEqual(codes.map(() => 0));
      expect(problemsOf(path(`killed-${name}`), whole)).toEqual([]);
      // A server that restarts may forget what each of the workers has.
      expect(reads - count, stderr).toBeLessThanOrEqual((kills + restarts * 4) * concurrency);
    }, 90_000);
  });
});

const [redis] = kinds;
const noFaults = missing ?? redis!.missing;

describe.skipIf(noFaults)(`faults elsewhere${noFaults ? `: ${noFaults}` : ""}`, () => {
  let server: TestServer;
  let store: TestStore | undefined;
  const env = (more: Record<string, string> = {}) => ({ RANK1_QUEUE_SERVER: server.address, ...more });
  const work = (options: RunOptions) => queue(["work", "--until-empty", "--processes", "1"], options);

  beforeAll(async () => {
    server = await redis!.open(path("elsewhere"));
    store = await openStore(path("store"), "bucket");
  });
  afterAll(async () => {
    await server?.stop("SIGKILL");
    await store?.close();
  });

  test("a full disk fails no job: the worker ends with code 1; with room again the rest is done", async () => {
    await queue(["submit", ...few("full")], { env: env() });
    const full = await work({ env: env({ RANK1_TEST_ROOM: "15" }), preload: preload("full-disk.ts") });
    expect([full.code, full.stderr]).toEqual([1, expect.stringMatching(/got a full disk\n$/)]);
    const { stdout } = await queue(["status", "--json"], { env: env() });
    const { waiting, working, failed, done } = JSON.parse(stdout);
    expect({ working, failed, all: waiting + done }).toEqual({ working: 0, failed: 0, all: 100 });
    expect((await work({ env: env() })).code).toBe(0);
    expect(problemsOf(path("full"), fewWhole())).toEqual([]);
  }, 60_000);

  test("a store that does not answer for a while is waited for; for longer, the worker gives its jobs back", async (context) => {
    if (!store) return context.skip("s3rver or the SDK is not installed");
    const { close, open, objects } = store;
    const own = env({ RANK1_QUEUE: "store", ...store.env() });
    const into = (out: string, patience: string): string[] => ["submit", "filter", path("in/b"), "-o", `s3://bucket/${out}/`, ...recipe, "--patience", patience]; // biome-ignore format: a line
    await queue(into("waited", "60"), { env: own });
    await close();
    const waiting = start(["work", "--until-empty", "--processes", "1"], { env: own });
    await wait(2500);
    await open();
    expect((await waiting.result).code).toBe(0);
    expect((await objects("waited/")).sort()).toEqual(Object.keys(fewWhole()));
    await queue(into("later", "1"), { env: own });
    const slow = { RANK1_TEST_READ: path("read-later.txt"), RANK1_TEST_SLOW: "100" };
    const begun = work({ env: { ...own, ...slow }, preload: preload("slow.ts") });
    await eventually(async () => expect((await objects("later/")).length).toBeGreaterThan(0));
    await close();
    const stopped = await begun;
    expect([stopped.code, stopped.stderr]).toEqual([1, expect.stringMatching(/expected an object that can be .*ECONNREFUSED[^\n]*\n$/)]); // biome-ignore format: a line
    await open();
    expect((await work({ env: own })).code).toBe(0);
    expect((await objects("later/")).sort()).toEqual(Object.keys(fewWhole()));
  }, 60_000);
});
