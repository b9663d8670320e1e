// A test chart, drawn from formulas: each part shows what a kind of filter does. Zone plate (all frequencies and
// directions), Siemens star, text, steps and ramps of grey and colour, checkers, gratings, and a shaded ball.
import { type Colour, clamp, gradient, lit, mix, type Painted, paint, smoothstep } from "./paint.ts";

/** The content of a panel: the colour at a point, in chart units from its top left corner. */
type Drawing = (x: number, y: number, width: number, height: number) => Colour;

const ink: Colour = [0.13, 0.14, 0.17];
const paper: Colour = [0.96, 0.95, 0.92];
const ground: Colour = [0.72, 0.73, 0.74];
const accent: Colour = [0.8, 0.2, 0.16];
const grey = (v: number): Colour => [v, v, v];

const zonePlate: Drawing = (x, y, width) => {
  const r2 = (x - width / 2) ** 2 + (y - width / 2) ** 2;
  return grey(0.5 + 0.47 * Math.cos((0.8 * Math.PI * r2) / width)); // 0.4 cycles a unit at the middle of an edge
};

const siemensStar: Drawing = (x, y, width) => {
  const [dx, dy] = [x - width / 2, y - width / 2];
  const r = Math.hypot(dx, dy);
  if (r > 0.47 * width) return paper;
  if (r < 0.014 * width) return accent;
  return Math.sin(36 * Math.atan2(dy, dx)) > 0 ? ink : paper;
};

/** A font of 5 × 7 dots: a letter is seven rows, each the base-32 digit of its five bits. */
// biome-ignore format: a table reads better in columns
const font: Readonly<Record<string, string>> = {
  A: "ehhvhhh", B: "uhhuhhu", C: "ehggghe", D: "uhhhhhu", E: "vgguggv", F: "vgguggg", G: "ehgjhhf", H: "hhhvhhh",
  I: "e44444e", J: "72222ic", K: "hikokih", L: "ggggggv", M: "hrllhhh", N: "hplljhh", O: "ehhhhhe", P: "uhhuggg",
  Q: "ehhhlid", R: "uhhukih", S: "fgge11u", T: "v444444", U: "hhhhhhe", V: "hhhhaa4", W: "hhhllrh", X: "hha4ahh",
  Y: "hha4444", Z: "v1248gv", 0: "ehjlphe", 1: "4c4444e", 2: "eh168gv", 3: "eh161he", 4: "26aiv22", 5: "vgu11he",
  6: "egguhhe", 7: "v124488", 8: "ehhehhe", 9: "ehhf11e", ".": "00000cc", "-": "000v000", "=": "00v0v00", "×": "0ha4ah0",
};

/** Whether a point is inked by a line of text that begins at the origin, with dots of the given size. */
function inked(text: string, dot: number, x: number, y: number): boolean {
  const [column, row] = [Math.floor(x / dot), Math.floor(y / dot)];
  if (column < 0 || row < 0 || row > 6 || column % 6 === 5) return false;
  const glyph = font[text[Math.floor(column / 6)] ?? ""];
  return glyph !== undefined && ((Number.parseInt(glyph[row]!, 32) >> (4 - (column % 6))) & 1) === 1;
}

const lines: readonly { text: string; dot: number; top: number; colour?: Colour }[] = [
  { text: "RANK1", dot: 6, top: 14, colour: accent },
  { text: "FACTOR PLAN RUN", dot: 2, top: 72 },
  { text: "A = U S V", dot: 3, top: 100 },
  { text: "ABCDEFGHIJKLMNOPQRSTUVWXYZ", dot: 1, top: 136 },
  { text: "0123456789 = 9 × 9 - 0.9", dot: 1, top: 150 },
  { text: "9 TO 6", dot: 4, top: 172 },
  { text: "SIX SQUARED CHARTS QUIETLY", dot: 1, top: 214 },
  { text: "JUDGE MY VEXING FOCUS BLOWN", dot: 1, top: 228 },
];

const text: Drawing = (x, y) => {
  const line = lines.find(({ text, dot, top }) => inked(text, dot, x - 8, y - top));
  return line ? (line.colour ?? ink) : paper;
};

const hues: readonly Colour[] = [
  [0.86, 0.22, 0.2],
  [0.93, 0.72, 0.2],
  [0.35, 0.68, 0.3],
  [0.2, 0.66, 0.72],
  [0.24, 0.36, 0.76],
  [0.68, 0.28, 0.66],
  [0.86, 0.22, 0.2],
];

/** Hues across and lightness down, then a smooth ramp of grey and the same in eleven steps. */
const ramps: Drawing = (x, y, width, height) => {
  const [t, below] = [x / width, y - 0.6 * height];
  if (below < 0) {
    const light = y / (0.6 * height);
    const hue = gradient(hues, t);
    return light < 0.5 ? mix(paper, hue, 2 * light) : mix(hue, ink, 2 * light - 1);
  }
  return below < 0.2 * height ? grey(t) : grey(Math.floor(11 * t) / 10);
};

/** Checkers whose squares halve from left to right, over upright and level bars that get finer, over a dark window. */
const patterns: Drawing = (x, y, width, height) => {
  const cell = height / 3;
  const size = 32 / 2 ** Math.min(5, Math.floor((6 * x) / width));
  if (y < cell) return (Math.floor(x / size) + Math.floor(y / size)) % 2 ? ink : paper;
  const chirp = (v: number): Colour => grey(0.5 + 0.45 * Math.cos(0.006 * v * v));
  if (y < 2 * cell) return chirp(x);
  if (x < width / 2) return chirp(y - 2 * cell);
  return Math.hypot(x - 0.75 * width, y - 2.5 * cell) < 0.3 * cell ? paper : ink;
};

/** A ball on a table: smooth shading, a highlight and a soft shadow. */
const ball: Drawing = (x, y, width, height) => {
  const [cx, cy, r] = [0.5 * width, 0.46 * height, 0.34 * height];
  const [dx, dy] = [(x - cx) / r, (y - cy) / r];
  const d2 = dx * dx + dy * dy;
  if (d2 >= 1) {
    const table = smoothstep(0.5 * height, 0.53 * height, y);
    const shadow = 1 - 0.65 * Math.exp(-(((dx - 0.35) / 0.95) ** 2) - ((dy - 1.02) / 0.22) ** 2);
    return mix(lit([0.78, 0.85, 0.9], 1 - (0.12 * y) / height), lit([0.86, 0.8, 0.7], shadow), table);
  }
  const z = Math.sqrt(1 - d2);
  const light = -0.5 * dx - 0.6 * dy + 0.62 * z;
  const stripe = Math.sin(9 * (dy * 0.9 - dx * 0.35)) > 0 ? 1 : 0.82;
  const highlight = clamp(-0.36 * dx - 0.44 * dy + 0.83 * z) ** 60;
  return mix(lit([0.2, 0.5, 0.62], stripe * (0.22 + 0.95 * clamp(light))), [1, 1, 1], 0.8 * highlight);
};

const panels: readonly { x: number; y: number; width: number; height: number; draw: Drawing }[] = [
  { x: 16, y: 16, width: 240, height: 240, draw: zonePlate },
  { x: 272, y: 16, width: 240, height: 240, draw: siemensStar },
  { x: 528, y: 16, width: 224, height: 240, draw: text },
  { x: 16, y: 272, width: 240, height: 224, draw: ramps },
  { x: 272, y: 272, width: 240, height: 224, draw: patterns },
  { x: 528, y: 272, width: 224, height: 224, draw: ball },
];

/** The test chart as an RGB picture. It is laid out on 768 × 512 units, scaled to fit and centred. */
export function renderChart(width = 768, height = 512, signal?: AbortSignal): Promise<Painted> {
  const scale = Math.max(768 / width, 512 / height);
  const colourAt = (px: number, py: number): Colour => {
    const [x, y] = [384 + (px - width / 2) * scale, 256 + (py - height / 2) * scale];
    const panel = panels.find((p) => x >= p.x && x < p.x + p.width && y >= p.y && y < p.y + p.height);
    return panel?.draw(x - panel.x, y - panel.y, panel.width, panel.height) ?? ground;
  };
  return paint(width, height, 3, colourAt, signal);
}
