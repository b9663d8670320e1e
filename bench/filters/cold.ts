// The first call of a new engine, in a process of its own: `node cold.ts <threads> [wide [<verdicts>]]` prints
// milliseconds as JSON, and what it learnt of wide kernels, which the next process may be given.
import { createEngine, filters } from "../../src/index.ts";
import { makePicture } from "./picture.ts";

const [threads, wide] = [Number(process.argv[2]), process.argv[3] === "wide"];
const known = JSON.parse(process.argv[4] ?? "{}");
const picture = makePicture(1024, 1024, 1);
const out = new Uint8Array(picture.data.length);
const filter = filters.gaussian({ sigma: 2, size: 13 });

async function time(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const start = performance.now();
const engine = await createEngine({ threads, wide, verdicts: known });
const create = performance.now() - start;
const call = (): Promise<unknown> => engine.filter(picture, filter, { out });
const first = await time(call);
const later: number[] = [];
for (let i = 0; i < 30; i++) later.push(await time(call));
// The first of the later calls still warm up.
const warm = later.slice(10).sort((a, b) => a - b)[10];
const { verdicts } = engine.info().wide;
engine.dispose();
console.log(JSON.stringify({ create, first, warm, verdicts }));
