// What calls with `out` leave for the garbage collector, in a process of its own, whose young generation is large enough
// that nothing is collected meanwhile: `node --expose-gc --min-semi-space-size=256 --max-semi-space-size=256
// allocation.ts <wide or nothing> <threads>` prints bytes a call as JSON.
import { PerformanceObserver } from "node:perf_hooks";
import { createEngine, filters } from "../../src/index.ts";
import { filterOf, optionsOf } from "./call.ts";
import { cases } from "./cases.ts";
import { makePicture } from "./picture.ts";

const [calls, wide] = [200, process.argv[2] === "wide"];
const video = cases.find(({ name }) => name === "video")!;
const picture = makePicture(video.width, video.height, video.channels);
const out = new Uint8Array(picture.data.length);
const engine = await createEngine({ threads: Number(process.argv[3]), wide });
const [filter, options] = [filterOf(video, filters), { ...optionsOf(video), out }];

for (let i = 0; i < 30; i++) await engine.filter(picture, filter, options);
globalThis.gc!();
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ["gc"] });
const before = process.memoryUsage();
for (let i = 0; i < calls; i++) await engine.filter(picture, filter, options);
const after = process.memoryUsage();
// The observer hears of collections a turn later.
await new Promise((resolve) => setTimeout(resolve, 50));
engine.dispose();

const each = (key: "heapUsed" | "external"): number => Math.round((after[key] - before[key]) / calls);
console.log(JSON.stringify({ wide, calls, heap: each("heapUsed"), buffers: each("external"), collections }));
