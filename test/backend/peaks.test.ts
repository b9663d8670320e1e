// The loops that measure peaks do the work that is counted, and no measurement outlasts an abort.
import { describe, expect, it, vi } from "vitest";
import { leastTime } from "../../src/backend/wasm/least-time.ts";
import { cachedBytes, measurePeaks, peakLoops, unrolled, vectorsOf } from "../../src/backend/wasm/peaks.ts";
import { wideSupport } from "../../src/backend/wasm/wide.ts";

const modes = [false, true].flatMap((wide) => [false, true].map((relaxed) => ({ wide, relaxed })));

describe.each(modes.filter(({ wide }) => !wide || wideSupport().supported))("with code %o", (mode) => {
  const { loops, memory } = peakLoops(mode);
  const count = 3;
  const lanes = 4 * vectorsOf(mode);

  function run<T>(name: string, view: { fill(value: number): T; slice(from: number, to: number): T }, start: number) {
    view.fill(start);
    loops[name]!(count);
    return view;
  }

  it("each chain takes as many steps as are counted", () => {
    const steps = count * unrolled;
    const f32 = run("f32", new Float32Array(memory.buffer), 1).slice(0, lanes);
    // sum / 2 + 1, from 1 on: 2 − 2^−steps.
    expect([...f32]).toEqual(new Array(lanes).fill(2 - 2 ** -steps));
    const i16 = run("i16", new Int16Array(memory.buffer), 1).slice(0, 2 * lanes);
    let [small, large] = [1, 1];
    for (let step = 0; step < steps; step++) {
      small = (small * 3 + 1) & 0xffff;
      large = (Math.imul(large, 0x30003) + 1) | 0;
    }
    expect([...i16]).toEqual(new Array(2 * lanes).fill((small << 16) >> 16));
    const i32 = run("i32", new Int32Array(memory.buffer), 1).slice(0, lanes);
    expect([...i32]).toEqual(new Array(lanes).fill(large));
    let pairs = 1;
    for (let step = 0; step < steps; step++) pairs = 3 * ((pairs << 16) >> 16) + 3 * (pairs >> 16) + 1;
    const fixed = run("fixed", new Int32Array(memory.buffer), 1).slice(0, lanes);
    expect([...fixed]).toEqual(new Array(lanes).fill(pairs));
    const sums = run("addition", new Int32Array(memory.buffer), 5).slice(0, lanes);
    expect([...sums]).toEqual(new Array(lanes).fill(5 + 5 * steps));
  });

  it("every vector of the cached block is loaded as often as is counted", () => {
    const words = run("cache", new Int32Array(memory.buffer), 1);
    const vectors = mode.wide ? 16 : 8;
    const sums = words.slice(cachedBytes / 4, cachedBytes / 4 + 4 * vectors);
    expect([...sums]).toEqual(new Array(4 * vectors).fill(1 + (count * cachedBytes) / (16 * vectors)));
  });
});

it("peaks are numbers above zero, and progress ends at 1", async () => {
  const seen: number[] = [];
  const peaks = await measurePeaks({ mode: { wide: false, relaxed: true }, onProgress: (done) => seen.push(done) });
  const { multiplications, ...rest } = peaks;
  for (const value of [...Object.values(multiplications), ...Object.values(rest)]) {
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(1e4);
  }
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(seen.at(-1)).toBeCloseTo(1);
});

describe("the least time", () => {
  it("is that of the quickest of at least three runs, in nanoseconds", async () => {
    const waits = [8, 2, 30, 1, 4];
    for (const [milliseconds, runs, least] of [
      [5, 3, 2e6],
      [40, 3, 2e6],
      [41, 4, 1e6],
      [42, 5, 1e6],
    ] as const) {
      let [now, run] = [1000, 0];
      const clock = vi.spyOn(performance, "now").mockImplementation(() => now);
      const time = await leastTime(() => (now += waits[run++]!), { milliseconds });
      clock.mockRestore();
      expect([run, time]).toEqual([runs, least]);
    }
  });

  it("ends with an abort", async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    await expect(leastTime(() => {}, { signal: abort.signal, milliseconds: 60_000 })).rejects.toThrow(/abort/i);
  });
});
