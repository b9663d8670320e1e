// Draws what the network learns from and is judged by, and writes what the network does not say of itself (the names of
// its classes): `node training/shapes/pictures.ts`
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { drawShapes, shapeSide } from "../../demo/drawing/shapes/draw.ts";
import { shapeNames } from "../../demo/drawing/shapes/outlines.ts";
import { writeAtomic } from "../../src/node/files.ts";
import { writeSidecar } from "../../src/node/model-files.ts";
import { writeNpy } from "../../src/node/npy.ts";
import { exampleModel } from "../../src/node/package.ts";

const folder = join(import.meta.dirname, "data");
await mkdir(folder, { recursive: true });
for (const { name, count, seed } of [
  { name: "train", count: 20_000, seed: 1 },
  { name: "test", count: 2_000, seed: 2 },
]) {
  const shape = [count, shapeSide, shapeSide, 3];
  const data = new Uint8Array(shape.reduce((a, b) => a * b));
  for (const [i, { picture }] of drawShapes(count, seed).entries()) data.set(picture.data, i * picture.data.length);
  await writeAtomic(join(folder, `${name}.npy`), writeNpy({ shape, data }));
  console.log(`${name}.npy: ${count} pictures`);
}
await writeSidecar(fileURLToPath(exampleModel), {
  size: { width: shapeSide, height: shapeSide },
  labels: [...shapeNames],
});
