// A picture of 400 megapixels: streamed through a little memory beyond its input and output, and right in its rows.
import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";

const side = 20_000;
const filters = ["gaussian:sigma=2", "gaussian:sigma=20", "box:size=31"];
const mostExtra = 256 * 2 ** 20;

/** The process: input and output, the filters one after the other, and each time some rows against those of a crop. */
const source = `
  import { createEngine } from ${JSON.stringify(new URL("../../src/index.ts", import.meta.url).href)};
  const side = ${side};
  const [data, out] = [new Uint8Array(side * side), new Uint8Array(side * side)];
  // Noise with a period that no width divides.
  const period = 1_000_003;
  for (let i = 0, state = 1; i < period; i++) data[i] = (state = (Math.imul(state, 1664525) + 1013904223) | 0) >>> 24;
  for (let held = period; held < data.length; held *= 2) data.copyWithin(held, 0, Math.min(held, data.length - held));

  const engine = await createEngine({ backend: "wasm", threads: 2, wide: true, maxMemory: 96 * 2 ** 20 });
  const margin = 100; // more than any of the filters reaches
  const results = new Uint8Array((2 * margin + 1) * side);
  const wrong = [];
  for (const filter of ${JSON.stringify(filters)}) {
    out.fill(0);
    await engine.filter({ width: side, height: side, channels: 1, data }, filter, { out });
    const { solver: strategy } = engine.plan(
      engine.filterProblem({ width: side, height: side, channels: 1, dtype: "u8" }, filter),
    );
    for (const row of [0, 1, 8192, 13_337, side - 1]) {
      const [top, bottom] = [Math.max(0, row - margin), Math.min(side, row + margin + 1)];
      const crop = { width: side, height: bottom - top, channels: 1, data: data.subarray(top * side, bottom * side) };
      await engine.filter(crop, filter, { strategy, out: results.subarray(0, crop.data.length) });
      const expected = results.subarray((row - top) * side, (row - top + 1) * side);
      // What a transform rounds depends on where its tiles begin, which may show where a level ends.
      const allowed = strategy === "fft" ? 1 : 0;
      if (expected.some((v, i) => Math.abs(v - out[row * side + i]) > allowed)) wrong.push(filter + ", row " + row);
    }
  }
  console.log(JSON.stringify({ wrong, peak: process.resourceUsage().maxRSS * 1024 }));`;

const enough = process.availableMemory() > 2 * 2 ** 30;

describe(`${side} × ${side} pixels${enough ? "" : " (skipped: less than 2 GB of memory is free)"}`, () => {
  it.skipIf(!enough)("are filtered within 256 MB beyond input and output, row by row as a crop is", () => {
    const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", source], {
      encoding: "utf8",
      timeout: 100_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { wrong, peak } = JSON.parse(stdout);
    expect(wrong).toEqual([]);
    const extra = peak - 2 * side * side;
    expect(extra).toBeGreaterThan(0);
    expect(extra).toBeLessThan(mostExtra);
  });
});
