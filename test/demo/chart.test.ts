// The rendered inputs of the demo: the same every time, of any size, and with the contents that they promise.
import { expect, test } from "vitest";
import { renderChart } from "../../demo/drawing/chart.ts";
import { clouds, hash, noise } from "../../demo/drawing/paint.ts";
import { renderScene } from "../../demo/drawing/scene.ts";

test("sizes, types and determinism", async () => {
  for (const render of [renderChart, renderScene]) {
    for (const [width, height] of [
      [1, 1],
      [90, 40],
      [33, 70],
    ] as const) {
      const { data, ...shape } = await render(width, height);
      expect(shape).toEqual({ width, height, channels: 3 });
      expect(data).toBeInstanceOf(Uint8Array);
      expect(data.length).toBe(width * height * 3);
      expect((await render(width, height)).data).toEqual(data);
    }
  }
});

test("the chart holds eleven equal steps of grey, black and white, and fine detail", async () => {
  const { width, data } = await renderChart();
  const at = (x: number, y: number): number[] => [...data.subarray(3 * (y * width + x), 3 * (y * width + x) + 3)];
  for (let step = 0; step <= 10; step++) {
    const [r, g, b] = at(16 + Math.round((step + 0.5) * (240 / 11)), 480);
    expect([g, b]).toEqual([r, r]);
    expect(Math.abs(r! - 25.5 * step)).toBeLessThanOrEqual(0.5);
  }
  expect(at(4, 4)).toEqual(at(764, 508)); // the ground around the panels
  const row = Array.from({ length: 240 }, (_, x) => at(16 + x, 136)[0]!); // across the zone plate's middle
  expect(Math.max(...row) - Math.min(...row)).toBeGreaterThan(230);
  expect(row).toEqual(row.toReversed());
});

test("the scene is a picture: many colours, bright sky above, darker ground below", async () => {
  const { data } = await renderScene(192, 128);
  const third = data.length / 3;
  const mean = (part: Uint8Array): number => part.reduce((sum, v) => sum + v, 0) / part.length;
  expect(mean(data.subarray(0, third))).toBeGreaterThan(1.3 * mean(data.subarray(2 * third)));
  const colours = new Set<number>();
  for (let i = 0; i < data.length; i += 3) colours.add((data[i]! << 16) | (data[i + 1]! << 8) | data[i + 2]!);
  expect(colours.size).toBeGreaterThan(10_000);
});

test("noise is smooth and fills its range evenly", () => {
  let sum = 0;
  for (let i = 0; i < 10_000; i++) sum += hash(i, 3 * i);
  expect(Math.abs(sum / 10_000 - 0.5)).toBeLessThan(0.02);
  for (let i = 0; i < 500; i++) {
    const [x, y] = [0.37 * i, -0.91 * i];
    expect(Math.abs(noise(x, y) - noise(x + 1e-4, y))).toBeLessThan(5e-4);
    expect(clouds(x, y, 4)).toBeGreaterThanOrEqual(0);
    expect(clouds(x, y, 4)).toBeLessThanOrEqual(1);
  }
});
