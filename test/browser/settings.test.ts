// The engine in a real browser under the headers that decide what it may use: threads, WebAssembly, neither.
import { readFileSync } from "node:fs";
import { build } from "esbuild";
import type { Page } from "playwright-core";
import { beforeAll, describe, expect } from "vitest";
import { createEngine, type Filter } from "../../src/index.ts";
import { floatBound, largestOf, worst } from "../engine/engines.ts";
import { cases, type Result, runCases } from "./cases.ts";
import { browserTest } from "./chromium.ts";
import { entryOf, isolation, pageOf, permission, serve } from "./site.ts";

interface Setting {
  name: string;
  headers: Record<string, string>;
  /** What an engine that wants two threads says of itself there, and what it says on the console. */
  info: { backend: "wasm" | "reference"; threads: number; reason: string };
  warnings: RegExp[];
  /** A filter that takes a while there on 4 megapixels. */
  slow: Filter;
}

const fullRank = Array.from({ length: 15 }, (_, y) => Array.from({ length: 15 }, (_, x) => Math.sin(x * y + y * y)));

const settings: Setting[] = [
  {
    name: "an isolated page",
    headers: isolation,
    info: { backend: "wasm", threads: 2, reason: "WebAssembly SIMD is available" },
    warnings: [],
    slow: fullRank,
  },
  {
    name: "an isolated page under a policy that allows WebAssembly",
    headers: { ...isolation, ...permission },
    info: { backend: "wasm", threads: 2, reason: "WebAssembly SIMD is available" },
    warnings: [],
    slow: fullRank,
  },
  {
    name: "a page without isolation",
    headers: {},
    info: { backend: "wasm", threads: 1, reason: "memory cannot be shared on this page" },
    warnings: [/^rank1: one thread works: memory cannot be shared on this page/],
    slow: fullRank,
  },
  {
    name: "a page under a policy without 'wasm-unsafe-eval'",
    headers: { "content-security-policy": "script-src 'self'; worker-src 'self'" },
    info: { backend: "reference", threads: 1, reason: "WASM_BLOCKED" },
    warnings: [/^rank1: the slow reference loops run: WASM_BLOCKED/],
    slow: "sobel-x",
  },
];

const files: Record<string, string | Uint8Array> = {
  "/index.html": pageOf("/page.js"),
  "/worker.js": readFileSync(new URL("../../src/backend/wasm/worker.js", import.meta.url)),
};
beforeAll(async () => {
  const stdin = { contents: entryOf("../../src/index.ts"), resolveDir: import.meta.dirname };
  const { outputFiles } = await build({ stdin, bundle: true, format: "esm", write: false });
  files["/page.js"] = outputFiles[0]!.contents;
});

/** Node's results by backend, computed once. */
const known = new Map<string, Promise<Result[]>>();
function resultsOfNode(backend: "wasm" | "reference"): Promise<Result[]> {
  const results = known.get(backend) ?? createEngine({ backend, threads: 1 }).then(runCases);
  known.set(backend, results);
  return results;
}

describe.each(settings)("on $name", ({ headers, info, warnings, slow }) => {
  let site: Promise<string>;
  beforeAll(() => {
    site = serve(files, headers);
  });

  browserTest("results are those of Node", async ({ open }) => {
    const { page } = await open(await site);
    // As one text: the browser's protocol is slow on long arrays.
    const text = await page.evaluate(async () => {
      const engine = await rank1.createEngine({ threads: 2 });
      const results = await rank1.runCases(engine);
      engine.dispose();
      return JSON.stringify(results);
    });
    const found: Result[] = JSON.parse(text);
    const expected = await resultsOfNode(info.backend);
    expect(found.map(({ index, solver }) => [index, solver])).toEqual(expected.map((e) => [e.index, e.solver]));
    expect(new Set(found.map(({ solver }) => solver)).size).toBeGreaterThan(2);
    for (const [i, { index, solver, data }] of found.entries()) {
      const { name, image, filter, exact } = cases[index]!;
      const bound = exact ? 0 : Math.max(1, floatBound(filter, largestOf(image.data)));
      expect(worst(data, expected[i]!.data), `${name}, ${solver}`).toBeLessThanOrEqual(bound);
    }
  });

  browserTest("info() says what runs and why, with at most one warning", async ({ open }) => {
    const { page, warnings: heard } = await open(await site);
    const before = heard.length;
    const found = await page.evaluate(async () => {
      const engine = await rank1.createEngine({ threads: 2 });
      const picture = { width: 600, height: 500, channels: 1, data: new Uint8Array(300_000) };
      for (let call = 0; call < 3; call++) await engine.filter(picture, "gaussian:3");
      const info = engine.info();
      engine.dispose();
      return info;
    });
    expect(found).toMatchObject({ ...info, reason: expect.stringContaining(info.reason) });
    expect(heard.slice(before)).toEqual(warnings.map((warning) => expect.stringMatching(warning)));
  });

  browserTest("a call reports progress, stops on a signal and leaves the engine in use", async ({ open }) => {
    const { page } = await open(await site);
    const found = await page.evaluate(async (slow) => {
      const engine = await rank1.createEngine({ threads: 2 });
      const picture = { width: 2000, height: 2000, channels: 1, data: new Uint8Array(4e6).fill(7) };
      const shares: number[] = [];
      const { data } = await engine.filter(picture, slow, { onProgress: (share) => shares.push(share) });
      const controller = new AbortController();
      let aborted = Infinity;
      // From an event of its own: it must get its turn while the call runs.
      const abort = (): void => {
        aborted = performance.now();
        controller.abort("enough");
      };
      let waiting = false;
      const onProgress = (): void => {
        if (!waiting) setTimeout(abort);
        waiting = true;
      };
      const reason = await engine
        .filter(picture, slow, { signal: controller.signal, onProgress })
        .catch((error) => error);
      const late = performance.now() - aborted;
      const again = (await engine.filter(picture, slow)).data;
      const equal = again.length === data.length && again.every((value, i) => value === data[i]);
      engine.dispose();
      return { shares, reason, late, equal };
    }, slow);
    expect(found).toMatchObject({ reason: "enough", equal: true });
    expect(found.late).toBeLessThan(250);
    expect(found.shares.length).toBeGreaterThan(2);
    expect(found.shares.at(-1)).toBe(1);
    expect(found.shares).toEqual(found.shares.toSorted((a, b) => a - b));
  });

  browserTest("no task of a 4-megapixel call blocks the page", async ({ open }) => {
    const { page } = await open(await site);
    await expectNoLongTask(page, { filter: slow, side: 2048 });
  });
});

describe("the page's main thread", () => {
  const site = serve(files, isolation);

  browserTest("is not blocked by short calls in a row", async ({ open }) => {
    const { page } = await open(await site);
    await expectNoLongTask(page, { filter: "sobel-x", side: 16, threads: 1, milliseconds: 200 });
  });

  browserTest("is watched: a task that blocks it is seen", async ({ open }) => {
    const { page } = await open(await site);
    expect(await page.evaluate(longTasks, {})).toEqual([expect.any(Number)]);
  });
});

/** A call, and further ones for a time; without a filter, a task that blocks. */
interface Work {
  filter?: Filter;
  side?: number;
  threads?: number;
  milliseconds?: number;
}

/** Other programs may steal time from some rounds, but not from all. */
async function expectNoLongTask(page: Page, work: Work): Promise<void> {
  await expect.poll(() => page.evaluate(longTasks, work), { timeout: 20_000 }).toEqual([]);
}

/** Runs in the page: the tasks of 50 ms or more during the work, in milliseconds. */
async function longTasks({ filter, side = 1, threads = 2, milliseconds = 0 }: Work): Promise<number[]> {
  const turn = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const picture = { width: side, height: side, channels: 1, data: new Uint8Array(side * side) };
  await turn(50);
  const found: number[] = [];
  const observer = new PerformanceObserver((list) => found.push(...list.getEntries().map((task) => task.duration)));
  observer.observe({ type: "longtask" });
  if (filter === undefined) {
    for (const end = performance.now() + 80; performance.now() < end; );
  } else {
    const engine = await rank1.createEngine({ threads });
    await engine.filter(picture, filter);
    await turn(0);
    for (const end = performance.now() + milliseconds; performance.now() < end; ) await engine.filter(picture, filter);
    engine.dispose();
  }
  await turn(50);
  observer.disconnect();
  return found;
}
