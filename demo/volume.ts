// Draws the tensors of a layer: channels as sheets one behind the other, filters as sets of such stacks. Inline SVG in
// the colours of the page, so that it is right on light and on dark pages.

type Shape = readonly [height: number, width: number, channels: number];

/** Pixels of the drawing for a pixel of a sheet, and how far a sheet stands behind the one before. */
interface Scale {
  pixel: number;
  step: number;
}

/** More channels than this are drawn as one block of many thin sheets. */
export const mostSheets = 8;
const blockSheets = 18;

/** Classes name colours: those of a few channels, or one for the many that are mixed of them. */
const colourOf = (channel: number, channels: number): string =>
  channels > mostSheets ? "mixed" : `channel${channel % 3}`;

/** The channels of a value, the first in front. */
export function stack(shape: Shape, scale: Scale): string {
  const { pieces, width, height } = sheets(shape, scale);
  return svg(pieces, width, height);
}

/** Filters side by side, each as a stack: as many as are drawn, and dots where there are more. */
export function filterSet(shapes: readonly { shape: Shape; first: number }[], more: boolean, scale: Scale): string {
  let x = 0;
  let tallest = 0;
  const pieces = shapes.map(({ shape, first }) => {
    const { pieces, width, height } = sheets(shape, scale, first);
    const moved = `<g transform="translate(${x} 0)">${pieces}</g>`;
    x += width + 8;
    tallest = Math.max(tallest, height);
    return moved;
  });
  const dots = [0, 1, 2].map((i) => `<circle cx="${x + 4 + 7 * i}" cy="${tallest / 2}" r="1.8" class="dot"/>`);
  return svg([...pieces, ...(more ? dots : [])].join(""), more ? x + 22 : x - 8, tallest);
}

function sheets([h, w, c]: Shape, { pixel, step }: Scale, first = 0) {
  const count = c > mostSheets ? blockSheets : c;
  const [sheetWidth, sheetHeight, deep] = [w * pixel, h * pixel, (count - 1) * step];
  const pieces: string[] = [];
  for (let k = count - 1; k >= 0; k--) {
    const [x, y] = [k * step + 1, deep - k * step + 1];
    const colour = colourOf(first + k, c);
    pieces.push(`<rect x="${x}" y="${y}" width="${sheetWidth}" height="${sheetHeight}" class="sheet ${colour}"/>`);
  }
  const lines = [
    ...Array.from({ length: w - 1 }, (_, i) => `M${1 + (i + 1) * pixel} ${deep + 1}v${sheetHeight}`),
    ...Array.from({ length: h - 1 }, (_, i) => `M1 ${deep + 1 + (i + 1) * pixel}h${sheetWidth}`),
  ];
  if (lines.length > 0) pieces.push(`<path d="${lines.join("")}" class="grid"/>`);
  return { pieces: pieces.join(""), width: sheetWidth + deep + 2, height: sheetHeight + deep + 2 };
}

const svg = (pieces: string, width: number, height: number): string =>
  `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" aria-hidden="true">${pieces}</svg>`;
