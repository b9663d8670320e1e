// The numbers of layers to the last bit: what is no number goes where it is seen, and threads change nothing.
import { describe, expect, it } from "vitest";
import type { F32Tensor } from "../../src/tensor.ts";
import { worstError } from "../layer-oracle.ts";
import { prepare, samples, shared, tolerance } from "../layers/samples.ts";
import { strategiesOf } from "../strategies.ts";
import { bits, engineMaker, testEngines } from "./engines.ts";

const engineOf = engineMaker();

describe.each(testEngines())("%s, given what is no number", (_name, created) => {
  const all = [...samples(true), ...shared()];
  it.each(all)("%s spreads it to the outputs that see it, until the next call", async (_kind, sample) => {
    const engine = await created;
    const first = await prepare(engine, sample);
    first.dispose();
    for (const strategy of strategiesOf(first.plan)) {
      const prepared = await prepare(engine, sample, { strategy });
      const clean = bits(await prepared.run(sample.x));
      for (const [i, value] of [NaN, Infinity, -Infinity].entries()) {
        const data = sample.x.data.slice();
        data[Math.floor(((i + 0.5) * data.length) / 3)] = value;
        const [y, wanted] = [await prepared.run({ ...sample.x, data }), sample.wanted(data)];
        const finite = (numbers: ArrayLike<number>): string => Array.from(numbers, (v) => +Number.isFinite(v)).join("");
        expect(finite(y.data), `${strategy}, ${value}`).toBe(finite(wanted));
        expect(finite(wanted)).toMatch(/0/);
        expect(finite(wanted)).toMatch(/1/);
      }
      expect(bits(await prepared.run(sample.x))).toBe(clean);
      prepared.dispose();
    }
  });
});

describe("bits", () => {
  const modes = [{}, { threads: 2 }, { deterministic: true }, { threads: 2, deterministic: true }];
  const engines = Promise.all(modes.map((mode) => engineOf({ backend: "wasm", threads: 1, ...mode })));
  it.each(samples())(
    "%s: equal on one thread and two; without fused multiply-adds nearly so",
    async (_kind, sample) => {
      const results: F32Tensor[] = [];
      for (const engine of await engines) {
        const prepared = await prepare(engine, sample);
        results.push(await prepared.run(sample.x));
        prepared.dispose();
      }
      const [one, two, plain, plainTwo] = results as [F32Tensor, F32Tensor, F32Tensor, F32Tensor];
      expect(bits(two)).toBe(bits(one));
      expect(bits(plainTwo)).toBe(bits(plain));
      expect(worstError(plain.data, Float64Array.from(one.data))).toBeLessThan(tolerance);
    },
  );
});
