// Engines with threads: they start and end with the work, keep no process alive, and outlive aborts and broken workers.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Worker as NodeWorker } from "node:worker_threads";
import fc from "fast-check";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "../../src/index.ts";
import type { Image } from "../../src/tensor.ts";
import { random, randomImage } from "../oracle.ts";

/** Every worker thread that this process starts, in order. */
const workers: NodeWorker[] = [];
process.on("worker", (worker) => workers.push(worker));

const engines: Engine[] = [];

async function engineOf(options: Parameters<typeof createEngine>[0] = {}): Promise<Engine> {
  const engine = await createEngine({ backend: "wasm", threads: 2, ...options });
  engines.push(engine);
  return engine;
}

afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

/** A filter of full rank, and pictures that take it from a moment to many slices of time. */
const next = random(3);
const filter = Array.from({ length: 25 }, () => Array.from({ length: 25 }, () => next() - 0.5));
const small = randomImage(40, 30, 1, "f32", 1);
const middle = randomImage(300, 200, 3, "u8", 2);
const large = randomImage(1600, 1200, 1, "f32", 4);
const pictures = [small, middle, large];

/** What one thread gives: threads must give the same bits. */
const single = createEngine({ backend: "wasm", threads: 1 });
const known = new Map<Image, Promise<Image>>();
function expected(image: Image): Promise<Image> {
  const result = known.get(image) ?? single.then((engine) => engine.filter(image, filter));
  known.set(image, result);
  return result;
}
afterAll(async () => (await single).dispose());

async function expectRight(image: Image, result: Image): Promise<void> {
  const { data } = await expected(image);
  expect(Buffer.compare(bytesOf(result.data), bytesOf(data))).toBe(0);
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Image["data"]): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

describe("a process", () => {
  const entry = JSON.stringify(new URL("../../src/index.ts", import.meta.url).href);

  /** Runs a module in a process of its own: what it prints, its exit code, and how long it lived after its last word. */
  async function run(code: string): Promise<{ printed: string; code: number; idle: number }> {
    const source = `
      import { createEngine } from ${entry};
      const image = { width: 600, height: 600, channels: 1, data: new Uint8Array(360000) };
      const filter = Array.from({ length: 15 }, (_, i) => Array.from({ length: 15 }, (_, j) => Math.sin(i * j)));
      const engine = await createEngine({ backend: "wasm", threads: 2 });
      ${code}`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", source], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let [printed, last] = ["", performance.now()];
    child.stdout.on("data", (chunk) => {
      printed += chunk;
      last = performance.now();
    });
    const killer = setTimeout(() => child.kill(), 20_000);
    const [exitCode] = await once(child, "exit");
    clearTimeout(killer);
    return { printed: printed.trim(), code: exitCode, idle: performance.now() - last };
  }

  it.each([
    ["an engine that was never used", 'console.log("idle");', "idle"],
    ["an engine after its call", 'await engine.filter(image, filter); console.log("idle");', "idle"],
    [
      "an engine after an abort",
      `const controller = new AbortController();
      const options = { signal: controller.signal, onProgress: () => controller.abort() };
      await engine.filter(image, filter, options).catch(({ name }) => console.log(name));`,
      "AbortError",
    ],
    [
      "an engine that was disposed of",
      'await engine.filter(image, filter); engine.dispose(); console.log("idle");',
      "idle",
    ],
  ])("ends by itself with %s", async (_name, code, printed) => {
    const result = await run(code);
    expect(result).toMatchObject({ printed, code: 0 });
    expect(result.idle).toBeLessThan(2000);
  });

  it("lives until its calls are done", async () => {
    const code = 'for (const n of [1, 2]) engine.filter(image, filter).then(() => console.log("done", n));';
    expect(await run(code)).toMatchObject({ printed: "done 1\ndone 2", code: 0 });
  });
});

describe("threads", () => {
  it("start at the first call, stay for the next, and end with the engine", async () => {
    const before = workers.length;
    const engine = await engineOf({ threads: 3 });
    expect(workers.length).toBe(before);
    await expectRight(large, await engine.filter(large, filter));
    await expectRight(large, await engine.filter(large, filter));
    expect(workers.length).toBe(before + 2);
    const ended = workers.slice(before).map((worker) => once(worker, "exit"));
    engine.dispose();
    engine.dispose();
    await Promise.all(ended);
    await expect(engine.filter(small, filter)).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("are made by createWorker where it is given", async () => {
    const made: NodeWorker[] = [];
    const engine = await engineOf({
      createWorker: () =>
        asWebWorker(made, new NodeWorker(new URL("../../src/backend/wasm/worker.js", import.meta.url))),
    });
    await expectRight(large, await engine.filter(large, filter));
    expect(made.length).toBe(1);
  });
});

/** A worker of Node with the face of a browser's. */
function asWebWorker(made: NodeWorker[], worker: NodeWorker): Worker {
  made.push(worker);
  return {
    postMessage: (message: unknown) => worker.postMessage(message),
    addEventListener: (_type: "error", listener: (event: unknown) => void) => worker.on("error", listener),
    terminate: () => worker.terminate(),
  } as unknown as Worker;
}

describe("calls on one engine", () => {
  it("run one after the other, in order, also past those that fail", async () => {
    const engine = await engineOf();
    const finished: number[] = [];
    const order = [large, small, middle, small, large, small];
    const results = await Promise.allSettled(
      order.map((image, i) => {
        const signal = i === 1 ? AbortSignal.abort("not this one") : undefined;
        return engine.filter(image, filter, { signal }).finally(() => finished.push(i));
      }),
    );
    expect(finished).toEqual([0, 1, 2, 3, 4, 5]);
    expect(results[1]).toEqual({ status: "rejected", reason: "not this one" });
    for (const [i, result] of results.entries()) {
      if (i !== 1) await expectRight(order[i]!, (result as PromiseFulfilledResult<Image>).value);
    }
  });

  it("that wait are rejected when the engine is disposed of", async () => {
    const engine = await engineOf();
    const waiting = engine.filter(small, filter);
    engine.dispose();
    await expect(waiting).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("that run are rejected when the engine is disposed of", { timeout: 10_000 }, async () => {
    const engine = await engineOf();
    await engine.filter(large, filter);
    const running = engine.filter(large, filter, { onProgress: () => engine.dispose() });
    await expect(running).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it.each([1, 2])("are rejected wherever they are when the engine is disposed of, with %i threads", async (threads) => {
    for (let turns = 0; turns < 16; turns++) {
      const before = workers.length;
      const engine = await engineOf({ threads });
      const call = engine.filter(middle, filter);
      call.catch(() => {});
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      engine.dispose();
      await expect(call, `after ${turns} turns`).rejects.toMatchObject({ code: "DISPOSED" });
      // A thread that had been started ends.
      await Promise.all(workers.slice(before).map((worker) => worker.threadId > 0 && once(worker, "exit")));
    }
  });
});

describe("a worker that has been idle", () => {
  it("works again, however fast it reads its mail", async () => {
    const engine = await engineOf();
    await engine.filter(large, filter);
    const worker = workers.at(-1)!;
    // The worker has read its mail before this thread goes on.
    const post = worker.postMessage.bind(worker);
    worker.postMessage = (message: unknown) => {
      post(message);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    };
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setTimeout(resolve, 800));
      await engine.filter(large, filter);
      // While it works, or looks for work, its event loop waits.
      const before = worker.performance.eventLoopUtilization();
      await expectRight(large, await engine.filter(large, filter));
      expect(worker.performance.eventLoopUtilization(before).utilization).toBeGreaterThan(0.9);
    }
  });
});

describe("a broken worker", () => {
  const failure = { name: "Rank1Error", code: "WORKER", parameter: "threads" };

  it("that is killed rejects a call that needs it, and the next call has a new one", async () => {
    const engine = await engineOf();
    await engine.filter(large, filter);
    for (let round = 0; round < 3; round++) {
      const onProgress = (): void => void workers.at(-1)!.terminate();
      // A worker may be killed when nothing of the run is left to it: then the result is right.
      const outcome = await engine.filter(large, filter, { onProgress }).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject(failure);
      else await expectRight(large, outcome as Image);
      await expectRight(large, await engine.filter(large, filter));
    }
  });

  it("whose code traps rejects the call with its message, and the next call has a new one", {
    timeout: 60_000,
  }, async () => {
    const made: NodeWorker[] = [];
    const createWorker = (): Worker => {
      const worker = asWebWorker(made, new NodeWorker(new URL("../../src/backend/wasm/worker.js", import.meta.url)));
      const post = worker.postMessage.bind(worker);
      // Without its kernels, the first worker calls what is not there.
      if (made.length > 1) return worker;
      return Object.assign(worker, { postMessage: (message: object): void => post({ ...message, entries: [] }) });
    };
    const engine = await engineOf({ threads: 3, createWorker });
    const disturbed = (): Promise<unknown> => engine.filter(large, filter).catch((error: unknown) => error);
    // On a busy machine a call may be over before the worker has begun.
    await expect
      .poll(disturbed, { timeout: 30_000 })
      .toMatchObject({ ...failure, received: expect.stringContaining("table") });
    await expectRight(large, await engine.filter(large, filter));
    // One in the place of the broken one.
    expect(made.length).toBe(3);
  });

  it("that ends between calls is replaced, and no call fails", async () => {
    const engine = await engineOf();
    await engine.filter(large, filter);
    await workers.at(-1)!.terminate();
    await expectRight(large, await engine.filter(large, filter));
  });

  it("that ends at a random moment, 100 times, costs one call at most, and no memory", {
    timeout: 120_000,
  }, async () => {
    const engine = await engineOf({ threads: 3 });
    for (const picture of pictures) await engine.filter(picture, filter);
    const { bytes } = engine.info();
    const next = random(11);
    let during = 0;
    for (let round = 0; round < 100; round++) {
      let ended = Infinity;
      const kill = async (): Promise<void> => {
        await workers.at(-1)!.terminate();
        ended = performance.now();
      };
      const timer = setTimeout(kill, next() * 25);
      const outcome = await engine.filter(large, filter).catch((error: unknown) => error);
      if (ended < Infinity) during++;
      if (outcome instanceof Error) {
        expect(outcome).toMatchObject(failure);
        expect(performance.now() - ended).toBeLessThan(500);
      } else await expectRight(large, outcome as Image);
      clearTimeout(timer);
      await expectRight(small, await engine.filter(small, filter));
    }
    await expectRight(large, await engine.filter(large, filter));
    expect(engine.info().bytes).toBe(bytes);
    expect(during).toBeGreaterThan(0);
  });

  it("that never starts is done without, and said to be", async () => {
    const made: NodeWorker[] = [];
    const createWorker = (): Worker =>
      asWebWorker(made, new NodeWorker('throw new Error("no worker here")', { eval: true }));
    const engine = await engineOf({ createWorker });
    for (const _ of [1, 2]) await expectRight(large, await engine.filter(large, filter));
    expect(made.length).toBe(1);
    // The calls may be over before the thread has failed.
    await expect.poll(() => engine.info().reason).toContain("no worker here");
  });
});

describe("an abort", () => {
  it("before the start touches nothing", async () => {
    const engine = await engineOf();
    const out = new Float32Array(large.data.length).fill(7);
    const onProgress = (): void => expect.unreachable();
    const call = engine.filter(large, filter, { out, onProgress, signal: AbortSignal.abort("early") });
    await expect(call).rejects.toBe("early");
    expect(out.every((value) => value === 7)).toBe(true);
  });

  it("during a run rejects with its reason, soon, and the engine stays in use", async () => {
    const engine = await engineOf();
    for (let round = 0; round < 3; round++) {
      const controller = new AbortController();
      const reason = new Error("enough");
      let [share, at] = [1, 0];
      const onProgress = (done: number): void => {
        if (!controller.signal.aborted) [share, at] = [done, performance.now()];
        controller.abort(reason);
      };
      await expect(engine.filter(large, filter, { signal: controller.signal, onProgress })).rejects.toBe(reason);
      expect(performance.now() - at).toBeLessThan(500);
      expect(share).toBeLessThan(0.9);
      await expectRight(middle, await engine.filter(middle, filter));
    }
  });

  it("at a random moment, 100 times, ends the call soon, and leaves the engine as it was", {
    timeout: 120_000,
  }, async () => {
    const engine = await engineOf({ threads: 3 });
    for (const picture of pictures) await engine.filter(picture, filter);
    const { bytes } = engine.info();
    const next = random(12);
    let stopped = 0;
    for (let round = 0; round < 100; round++) {
      const controller = new AbortController();
      let at = Infinity;
      const timer = setTimeout(() => {
        at = performance.now();
        controller.abort("stop");
      }, next() * 20);
      const outcome = await engine
        .filter(large, filter, { signal: controller.signal })
        .catch((error: unknown) => error);
      clearTimeout(timer);
      // Soon: 50 ms on a quiet machine, which that of a test need not be.
      if (outcome === "stop") {
        stopped++;
        expect(performance.now() - at).toBeLessThan(500);
      } else await expectRight(large, outcome as Image);
      await expectRight(small, await engine.filter(small, filter));
    }
    expect(stopped).toBeGreaterThan(0);
    expect(engine.info().bytes).toBe(bytes);
  });

  it("by another event gets its turn during a run", async () => {
    const engine = await engineOf();
    await engine.filter(large, filter);
    const call = engine.filter(large, filter, { signal: AbortSignal.timeout(15) });
    await expect(call).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("at any time in any order leaves every other result right", async () => {
    const engine = await engineOf();
    const calls = fc.array(
      fc.record({
        picture: fc.nat(pictures.length - 1),
        abort: fc.constantFrom("never", "never", "before", "at progress", "later"),
        delay: fc.nat(30),
        together: fc.boolean(),
      }),
      { minLength: 10, maxLength: 10 },
    );
    await fc.assert(
      fc.asyncProperty(calls, async (sequence) => {
        const running = [];
        for (const { picture, abort, delay, together } of sequence) {
          const image = pictures[picture]!;
          const controller = new AbortController();
          if (abort === "before") controller.abort("stop");
          if (abort === "later") setTimeout(() => controller.abort("stop"), delay);
          const onProgress = abort === "at progress" ? () => controller.abort("stop") : undefined;
          const call = engine.filter(image, filter, { signal: controller.signal, onProgress }).then(
            (result) => {
              expect(abort).not.toBe("before");
              return expectRight(image, result);
            },
            (reason) => expect([abort, reason]).toEqual([expect.not.stringMatching("never"), "stop"]),
          );
          running.push(call);
          if (!together) await call;
        }
        await Promise.all(running);
      }),
      { numRuns: 6 },
    );
  });
});
