// What an engine holds after many different calls, and after it was disposed of while it is still referred to: run with
// --expose-gc as `memory-child.ts <filters | layers | frames>`, prints JSON: megabytes over the start, or bytes of garbage a call.
import { createEngine, type Engine, filters } from "../../src/index.ts";

let seed = 1;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
}
const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
const list = (count: number): number[] => Array.from({ length: count }, () => random() - 0.5);

const calls: Record<string, (engine: Engine) => Promise<unknown>> = {
  filters: (engine) => {
    const image = { width: 300, height: 300, channels: 1, data: new Uint8Array(90000) };
    const [rows, columns] = [between(3, 17), between(3, 17)];
    return engine.filter(
      image,
      Array.from({ length: rows }, () => list(columns)),
    );
  },
  layers: (engine) => {
    const [inputs, outputs, kh, kw] = [between(1, 24), between(1, 48), between(1, 5), between(1, 5)];
    const tensor = (shape: number[]) => ({
      shape,
      data: Float32Array.from(list(shape.reduce((product, side) => product * side, 1))),
    });
    return engine.conv2d(tensor([1, between(8, 32), between(8, 32), inputs]), tensor([kh, kw, inputs, outputs]), {
      pads: "same",
      strides: [between(1, 2), between(1, 2)],
    });
  },
};

/** Megabytes of the heap, of buffers and WebAssembly's memories, and of the process. */
function held(): { known: number; process: number } {
  globalThis.gc!();
  globalThis.gc!();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { known: (heapUsed + external) / 2 ** 20, process: rss / 2 ** 20 };
}

async function many(call: (engine: Engine) => Promise<unknown>, count: number): Promise<object> {
  const engine = await createEngine({ threads: 1 });
  for (let i = 0; i < 20; i++) await call(engine);
  const start = held();
  for (let i = 0; i < count; i++) await call(engine);
  const full = held();
  engine.dispose();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const rest = held();
  const over = (one: typeof start) => ({ known: one.known - start.known, process: one.process - start.process });
  // Still referred to.
  return { full: over(full), rest: over(rest), bytes: engine.info().bytes };
}

async function frames(): Promise<object> {
  const engine = await createEngine({ threads: 1 });
  const [width, height, count] = [96, 64, 500];
  const image = { width, height, channels: 4, data: new Uint8Array(width * height * 4) };
  const [filter, options] = [filters.gaussian({ sigma: 8 }), { out: new Uint8Array(image.data.length) }];
  for (let i = 0; i < 2000; i++) await engine.filter(image, filter, options);
  globalThis.gc!();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < count; i++) await engine.filter(image, filter, options);
  return { garbage: (process.memoryUsage().heapUsed - before) / count };
}

const [kind = "frames", count = "500"] = process.argv.slice(2);
console.log(JSON.stringify(kind === "frames" ? await frames() : await many(calls[kind]!, Number(count))));
