// Paints the pictures that the studio brings along, into web/public/: the scene and the test chart of the demo, as WebP.
import { join } from "node:path";
import sharp from "sharp";
import { renderChart } from "../demo/drawing/chart.ts";
import { renderScene } from "../demo/drawing/scene.ts";

const folder = join(import.meta.dirname, "..", "web", "public");
for (const [name, { width, height, data }] of Object.entries({
  landscape: await renderScene(),
  chart: await renderChart(),
})) {
  const file = join(folder, `${name}.webp`);
  const { size } = await sharp(data, { raw: { width, height, channels: 3 } })
    .webp({ quality: 88, effort: 6 })
    .toFile(file);
  console.log(`${file}: ${width} x ${height}, ${size} bytes`);
}
