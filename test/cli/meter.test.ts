// How far many inputs have come, as a terminal and a log see it.
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { duration, meter } from "../../src/cli/meter.ts";

let written = "";
const isTerminal = process.stderr.isTTY;

beforeEach(() => {
  written = "";
  vi.useFakeTimers();
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written += text.toString();
    return true;
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  process.stderr.isTTY = isTerminal;
});

function work(many: ReturnType<typeof meter>, count: number, each: number): void {
  for (let i = 0; i < count; i++) {
    vi.advanceTimersByTime(each);
    many.count(i % 100 === 99 ? "failed" : "done");
  }
}

test("a log gets a line a minute and one at the end, with the rate of the last half minute", () => {
  process.stderr.isTTY = false;
  const many = meter(1000, "pictures", false);
  for (let i = 0; i < 100; i++) many.count("before");
  work(many, 120, 500);
  expect(written).toMatch(/^rank1: (219|220) of 1,000 pictures, [12]\.\d a second, 6 min \d+ s left, 1 failed\n$/);
  written = "";
  work(many, 780, 100);
  const lines = written.split("\n");
  expect(lines[0]).toMatch(/^rank1: \d+ of 1,000 pictures, (9\.\d|10) a second, \d+ s left, \d failed$/);
  many.end();
  expect(written).toMatch(/rank1: 892 pictures in 2 min 18 s \(6\.5 a second\), 8 failed, 100 were done before\n$/);
});

test("a terminal gets a bar, which goes away while something else is said; a store that hangs shows", async () => {
  process.stderr.isTTY = true;
  const many = meter(100, "pictures", false);
  work(many, 50, 100);
  expect(stripVTControlCharacters(written)).toMatch(/\r█+░+ \d+ of 100 pictures, 10 a second, \d+(\.\d)? s left/);
  written = "";
  vi.advanceTimersByTime(60_000);
  expect(written).toMatch(/50 of 100 pictures, 0\.0 a second$/);
  written = "";
  await many.aside(() => void process.stderr.write("said\n"));
  expect(written).toBe("\r\x1b[Ksaid\n");
});

test("the rate at the end is that of what is done", () => {
  const many = meter(2, "pictures", false);
  vi.advanceTimersByTime(1000);
  many.count("failed");
  many.end();
  expect(written).toMatch(/rank1: 0 pictures in 1\.0 s \(0\.0 a second\), 1 failed\n$/);
});

test("--quiet says nothing", () => {
  const many = meter(10, "pictures", true);
  work(many, 10, 100_000);
  many.end();
  expect(written).toBe("");
});

test("durations", () => {
  expect([0.04, 9.96, 59, 61, 599, 3600, 10_000, 1e6].map(duration)).toEqual(["0.0 s", "10.0 s", "59 s", "1 min 1 s", "9 min 59 s", "60 min", "2 h 47 min", "277 h 47 min"]); // biome-ignore format: a line
});
