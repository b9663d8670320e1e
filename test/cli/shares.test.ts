// Memory for many inputs: they wait for each other, in their order, and one that is larger than all there is waits to be alone.
import { expect, test } from "vitest";
import { shares } from "../../src/cli/shares.ts";

test("jobs wait until they fit", () => {
  const memory = shares(100);
  const jobs = [60, 30, 20, 500, 10].map((bytes) => ({ bytes }));
  const granted: number[] = [];
  for (const job of jobs) memory.ask(job, job.bytes, () => granted.push(job.bytes));
  expect(granted).toEqual([60, 30]);
  memory.end(jobs[1]!);
  expect(granted).toEqual([60, 30, 20]);
  memory.end(jobs[0]!);
  expect(granted).toEqual([60, 30, 20]);
  memory.end(jobs[2]!);
  expect(granted).toEqual([60, 30, 20, 500]);
  memory.end(jobs[3]!);
  expect(granted).toEqual([60, 30, 20, 500, 10]);
});

test("a job that ends while it waits is in nobody's way", () => {
  const memory = shares(100);
  const [first, second, third] = [{}, {}, {}];
  const granted: number[] = [];
  memory.ask(first, 80, () => granted.push(1));
  memory.ask(second, 90, () => granted.push(2));
  memory.ask(third, 20, () => granted.push(3));
  memory.end(second);
  expect(granted).toEqual([1, 3]);
});
