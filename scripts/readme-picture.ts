// Draws docs/images/sobel.png, the README's picture: `node scripts/readme-picture.ts`. The demo's scene, Sobel as a
// column times a row, and the scene's edges. The text is set in the machine's own sans-serif font.
import { join } from "node:path";
import sharp from "sharp";
import { renderScene } from "../demo/drawing/scene.ts";
import { drawFactors } from "../src/cli/draw.ts";
import { createEngine, factorize, type Image } from "../src/index.ts";
import { encodePicture } from "../src/node/encode.ts";
import { writeAtomic } from "../src/node/files.ts";

const [width, height] = [1200, 332];
const [margin, photoWidth, photoHeight] = [20, 384, 256];
const middle = width / 2;
const captionLine = margin + photoHeight + 34;

const embed = (type: string, data: Uint8Array | string): string =>
  `data:${type};base64,${Buffer.from(data).toString("base64")}`;

async function photo(image: Image, x: number): Promise<string> {
  const png = await encodePicture({ ...image, data: image.data as Uint8Array, alpha: false }, "png");
  const place = `x="${x}" y="${margin}" width="${photoWidth}" height="${photoHeight}"`;
  return `<image ${place} href="${embed("image/png", png)}"/>`;
}

/** The drawing in the middle, as large as fits between the photographs. */
function drawing(): string {
  const svg = drawFactors(factorize("sobel-x"));
  const [own, tall] = svg.match(/(?<= (width|height)=")\d+/g)!.map(Number) as [number, number];
  const scale = (width - 2 * (margin + photoWidth)) / own;
  const place = `translate(${middle - (scale * own) / 2} ${margin + (photoHeight - scale * tall) / 2}) scale(${scale})`;
  return `<g transform="${place}">${svg}</g>`;
}

const caption = (x: number, text: string): string => `<text class="caption" x="${x}" y="${captionLine}">${text}</text>`;

const engine = await createEngine();
const scene = await renderScene(photoWidth, photoHeight);
const edges = await engine.filter(scene, "sobel");
engine.dispose();
const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
<style>.caption { font: 18px sans-serif; text-anchor: middle; fill: #57606a }</style>
<rect width="${width}" height="${height}" rx="12" fill="#fff"/>
${await photo(scene, margin)}
${drawing()}
${await photo(edges, width - margin - photoWidth)}
${caption(margin + photoWidth / 2, "before")}
${caption(middle, "sobel-x: 9 multiplications become 3 + 3")}
${caption(width - margin - photoWidth / 2, "after, with sobel-y")}
</svg>`;
const png = await sharp(Buffer.from(picture)).png({ palette: true, effort: 10, dither: 0.8 }).toBuffer();
await writeAtomic(join(import.meta.dirname, "../docs/images/sobel.png"), png);
