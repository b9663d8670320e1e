// Two layers and two filters whose data stays in the engine: nothing is copied between them.
import { createEngine, filters } from "rank1";

const engine = await createEngine();

const sides = { x: [1, 32, 32, 16], weight: [3, 3, 16, 16] };
const weight = { shape: sides.weight, data: new Float32Array(3 * 3 * 16 * 16).fill(1 / 144) };
const problem = engine.layerProblem("conv2d", sides, { pads: "same", activation: "relu" });
const layer = await engine.prepare(problem, { weight });
const x = engine.alloc({ shape: sides.x }); // f32 unless `dtype` says otherwise
const y = engine.alloc({ shape: sides.x });
await x.write(new Float32Array(32 * 32 * 16).fill(1));
await layer.run(x, { out: y }); // resolves to y
await layer.run(y, { out: x });
const result = await x.read(); // or read(into), an array of yours
console.log(result.length); // 16384

const picture = engine.alloc({ width: 640, height: 480, channels: 3 }); // u8 unless `dtype` says otherwise
const soft = engine.alloc({ width: 640, height: 480, channels: 3 });
const edges = engine.alloc({ width: 640, height: 480, channels: 3, dtype: "i16" });
await picture.write(new Uint8Array(640 * 480 * 3).fill(100));
await engine.filter(picture, filters.gaussian({ sigma: 2 }), { out: soft });
await engine.filter(soft, filters.sobel("x"), { out: edges });

for (const value of [x, y, picture, soft, edges]) value.dispose();
layer.dispose();
engine.dispose();
