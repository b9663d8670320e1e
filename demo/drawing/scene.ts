// A painted landscape that stands in for a photograph: sky with sun and clouds, mountains, woods and fields, a lake
// that mirrors them, a house and trees. Layers from back to front, all of noise and formulas, the same every time.
import {
  type Colour,
  clamp,
  clouds,
  gradient,
  hash,
  lit,
  mix,
  noise,
  type Painted,
  paint,
  smoothstep,
} from "./paint.ts";

// Points are in units of the picture's height, y downwards, x = 0.75 in the middle. Light comes from the right.
const sun = { x: 1.12, y: 0.2 };
const haze: Colour = [0.95, 0.8, 0.68];
const warm: Colour = [1, 0.93, 0.78];

function sky(x: number, y: number): Colour {
  const air: readonly Colour[] = [
    [0.17, 0.36, 0.63],
    [0.4, 0.6, 0.8],
    [0.78, 0.8, 0.78],
    [0.98, 0.8, 0.6],
  ];
  const d = Math.hypot(x - sun.x, y - sun.y);
  let colour = gradient(air, y / 0.52);
  colour = mix(colour, [1, 0.9, 0.68], clamp(0.75 * Math.exp(-7 * d) + 0.3 * Math.exp(-2.5 * d)));
  const bend = 0.35 * clouds(2 * x + 7, 3 * y, 3);
  const cover = (dx: number, dy: number): number => clouds(2.1 * (x + dx) + bend, 6.5 * (y + dy) + bend, 5);
  const here = cover(0, 0);
  const density = smoothstep(0.48, 0.7, here) * smoothstep(0.5, 0.3, y);
  const light = clamp(0.62 + 4 * (here - cover(0.03, -0.012)));
  colour = mix(colour, mix([0.62, 0.6, 0.7], [1, 0.96, 0.9], light), 0.9 * density);
  return mix(colour, warm, smoothstep(0.042, 0.038, d));
}

/** Rugged ground, 0 to 1: noise folded at its middle, over octaves. */
function crags(x: number, y: number, octaves: number): number {
  let [sum, strength, total] = [0, 1, 0];
  for (let k = 0; k < octaves; k++) {
    sum += strength * (1 - Math.abs(2 * noise(x, y) - 1));
    total += strength;
    [x, y] = [1.7 * x + 1.1 * y + 3.7, -1.1 * x + 1.7 * y + 8.2];
    strength *= 0.5;
  }
  return sum / total;
}

const summit = (x: number): number =>
  0.47 - 0.4 * crags(1.5 * x + 0.35, 0.3, 6) * (0.6 + 0.35 * noise(1.1 * x + 4.4, 9));

function mountains(x: number, y: number): Colour | undefined {
  const top = summit(x);
  if (y < top) return undefined;
  const depth = y - top;
  const [u, v] = [6 * x + 2.5 * depth, 5 * y - 2 * top]; // spurs run down from the summits
  const slope = crags(u, v, 6) - crags(u + 0.16, v - 0.1, 6);
  const light = clamp(0.5 + 3.2 * slope);
  const cover = 0.3 - y + 0.1 * (clouds(13 * x, 13 * y, 4) - 0.5) + 0.22 * (light - 0.42) - 0.25 * depth;
  const snow = smoothstep(-0.02, 0.02, cover);
  const rock = lit([0.4, 0.42, 0.5], 0.4 + 0.9 * light);
  const white = mix([0.6, 0.67, 0.8], [1, 0.98, 0.95], light);
  return mix(mix(rock, white, snow), [0.84, 0.8, 0.8], 0.1 + 0.62 * smoothstep(0.22, 0.52, y));
}

/** A ridge of wooded hills: rounded crowns, each lit from the right, bluer and paler with distance. */
function woods(x: number, y: number, base: number, height: number, size: number, distance: number): Colour | undefined {
  const seed = Math.round(1000 * base);
  const ridge = base - height * clouds(1.7 * x + seed, 0.5, 3);
  if (y < ridge - 2 * size) return undefined;
  // The nearest crown in the cells around; cells further down are further in front
  let found: Colour | undefined;
  const [i, j] = [Math.floor(x / size), Math.floor((y - ridge) / (0.6 * size))];
  for (let dj = -1; dj <= 2; dj++) {
    for (let di = -1; di <= 1; di++) {
      const [ci, cj] = [i + di, j + dj];
      if (cj < 0) continue;
      const [a, b] = [hash(ci + seed, cj), hash(cj, ci - seed)];
      const cx = (ci + 0.2 + 0.6 * a) * size;
      const cy = base - height * clouds(1.7 * cx + seed, 0.5, 3) + (cj + 0.3 * b) * 0.6 * size;
      const r = size * (0.55 + 0.35 * b);
      const [u, v] = [(x - cx) / r, (y - cy) / (1.25 * r)];
      const d2 = u * u + v * v + 0.35 * (noise((7 * x) / size, (7 * y) / size) - 0.5);
      if (d2 > 1 || (v > 0.55 && dj < 2)) continue;
      const light = clamp(0.55 + 0.34 * u - 0.4 * v + 0.3 * (noise((5 * x) / size, (5 * y) / size) - 0.5));
      const leaf = mix([0.16, 0.3, 0.14], [0.42, 0.42, 0.13], a * a);
      found = lit(leaf, 0.35 + 1.15 * light);
    }
  }
  if (!found && y > ridge) found = lit([0.12, 0.22, 0.12], 0.8);
  return found && mix(found, haze, distance);
}

/** Meadows on rolling ground, with the rows of ploughed fields on it. */
function meadows(x: number, y: number): Colour | undefined {
  const roll = (at: number): number => 0.575 + 0.03 * Math.sin(2.6 * at + 1.2) + 0.018 * clouds(2.3 * at, 4.5, 3);
  const top = roll(x);
  if (y < top) return undefined;
  const depth = (y - top) / 0.09;
  const plot = Math.floor(5 * x + 1.2 * depth);
  const kind = hash(plot, 77);
  const crops: readonly Colour[] = [
    [0.5, 0.58, 0.2],
    [0.78, 0.68, 0.3],
    [0.33, 0.5, 0.2],
    [0.62, 0.62, 0.26],
    [0.42, 0.52, 0.18],
  ];
  const rows =
    0.5 + 0.5 * Math.sin((kind > 0.5 ? 260 : 170) * (x + (0.3 + 0.4 * kind) * (y - top)) * (1.2 - 0.4 * depth));
  const light = 0.82 + 0.5 * (roll(x - 0.05) - top) * 8 + 0.16 * (clouds(40 * x, 90 * y, 3) - 0.5);
  const colour = lit(crops[Math.floor(5 * kind)]!, light * (0.9 + 0.14 * rows));
  return mix(colour, haze, 0.22 * (1 - depth));
}

function distance(x: number, y: number): Colour {
  return (
    meadows(x, y) ??
    woods(x, y, 0.575, 0.1, 0.014, 0.2) ??
    woods(x, y, 0.53, 0.14, 0.009, 0.52) ??
    mountains(x, y) ??
    sky(x, y)
  );
}

const shore = (x: number): number => 0.655 + 0.006 * Math.sin(5 * x) + 0.004 * clouds(9 * x, 1, 2);
const bank = (x: number): number => 0.79 + 0.035 * Math.sin(2.4 * x + 2.2) + 0.012 * clouds(6 * x, 3, 3);

/** The lake: what stands behind it, upside down, broken by ripples that grow towards the viewer. */
function lake(x: number, y: number): Colour | undefined {
  const edge = shore(x);
  if (y < edge) return undefined;
  const near = (y - edge) / 0.15;
  const ripple = clouds(12 * x, 110 * y, 3) - 0.5;
  // Steeper than a mirror would, so that mountains and sky are in it too
  const up = 2.6 * (y - edge) - 0.004 + 0.16 * near * ripple;
  const mirrored = distance(x + 0.02 * near * ripple, edge - Math.max(0.006, up));
  const sparkle = smoothstep(0.66, 0.8, noise(60 * x, 260 * y)) * Math.exp(-9 * Math.abs(x - sun.x));
  return mix(mix(mirrored, [0.22, 0.38, 0.5], 0.2 + 0.14 * near), warm, 0.75 * sparkle);
}

function grass(x: number, y: number): Colour | undefined {
  const top = bank(x) - 0.006 * noise(260 * x, 5);
  if (y < top) return undefined;
  const depth = (y - top) / 0.2;
  const blades = noise(230 * x + 40 * y, 42 * y) * 0.6 + noise(420 * x - 60 * y, 80 * y) * 0.4;
  const patch = clouds(5 * x, 12 * y, 4);
  let colour = mix([0.3, 0.42, 0.13], [0.6, 0.62, 0.24], smoothstep(0.35, 0.65, patch));
  colour = lit(colour, (0.62 + 0.75 * blades) * (1.05 - 0.3 * depth));
  // The shadows of the house and of the big tree fall to the left
  const shadow = Math.max(
    Math.exp(-(((x - 0.36) / 0.2) ** 4) - ((y - 0.885) / 0.022) ** 2),
    Math.exp(-(((x - 1.17) / 0.21) ** 4) - ((y - 0.945) / 0.03) ** 2),
  );
  colour = lit(colour, 1 - 0.55 * shadow);
  const cell = 0.019; // one flower at most in each square
  const [i, j] = [Math.floor(x / cell), Math.floor(y / cell)];
  const [cx, cy] = [(i + 0.2 + 0.6 * hash(i, j)) * cell, (j + 0.2 + 0.6 * hash(j, i + 9)) * cell];
  if (hash(i + 5, j) < 0.3 * patch && Math.hypot(x - cx, y - cy) < 0.13 * cell) {
    return mix([0.97, 0.95, 0.9], [0.92, 0.3, 0.24], Math.round(hash(i, j + 3)));
  }
  return colour;
}

const box = (x: number, y: number, left: number, top: number, right: number, bottom: number): boolean =>
  x >= left && x < right && y >= top && y < bottom;

/** A house of two visible walls: the gable on the right stands in the sun, the long side on the left in the shade. */
function house(px: number, py: number): Colour | undefined {
  const [x, y] = [(px - 0.56) / 0.95, (py - 0.885) / 0.95]; // from the corner of the walls, on the ground
  const boards = 1 + 0.07 * Math.sin((2 * Math.PI * y) / 0.0115) + 0.05 * (noise(90 * x, 500 * y) - 0.5);
  const verge = y + 0.228 - 1.25 * Math.abs(x - 0.075); // along the edge of the roof above the gable
  if (Math.abs(verge) < 0.007 && Math.abs(x - 0.075) < 0.09) return [0.93, 0.9, 0.83];
  const slope = (y + 0.228) / 0.1125; // 0 at the ridge of the roof, 1 at its lower edge
  const left = 0.075 - 0.09 * slope;
  if (slope >= 0 && slope < 1 && x < left && x > left - 0.225) return tiles(x - left, slope);
  if (box(x, y, -0.1, -0.268, -0.068, -0.21)) {
    return y < -0.261 ? [0.5, 0.46, 0.44] : bricks(x, y, x > -0.078 ? 1.1 : 0.75);
  }
  if (verge > 0 && box(x, y, 0, -0.24, 0.15, 0)) {
    const window = pane(x, y, 0.094, -0.098, 0.038, 0.05) ?? pane(x, y, 0.057, -0.172, 0.036, 0.036);
    if (window) return window;
    if (box(x, y, 0.022, -0.088, 0.064, 0)) {
      const door = lit([0.24, 0.42, 0.42], 0.9 + 0.35 * (noise(300 * x, 6 * y) - 0.5));
      return box(x, y, 0.027, -0.083, 0.059, 0) ? door : [0.95, 0.92, 0.86];
    }
    return lit([0.98, 0.89, 0.72], 0.95 * boards);
  }
  if (box(x, y, -0.212, -0.13, 0, 0)) {
    const window = pane(x, y, -0.178, -0.09, 0.04, 0.05) ?? pane(x, y, -0.078, -0.09, 0.04, 0.05);
    const shade = 0.62 + 0.3 * smoothstep(-0.118, -0.085, y);
    return window ? lit(window, 0.85) : lit([0.7, 0.66, 0.66], shade * boards);
  }
  return undefined;
}

const fraction = (v: number): number => v - Math.floor(v);

function tiles(along: number, slope: number): Colour {
  const row = Math.floor(10 * slope);
  const column = along / 0.016 + 0.5 * (row % 2);
  const joint = smoothstep(0.42, 0.5, Math.abs(fraction(column) - 0.5));
  const tone = 0.8 + 0.35 * hash(row, Math.floor(column));
  return lit([0.68, 0.29, 0.2], tone * (0.72 + 0.36 * fraction(10 * slope)) * (1 - 0.3 * joint));
}

function bricks(x: number, y: number, light: number): Colour {
  const row = Math.floor(y / 0.007);
  const column = x / 0.013 + 0.5 * (row & 1);
  if (fraction(y / 0.007) < 0.18 || fraction(column) < 0.1) return lit([0.75, 0.68, 0.6], light);
  return lit([0.6, 0.31, 0.24], light * (0.8 + 0.4 * hash(row, Math.floor(column))));
}

/** A window with a white frame and bars; a lamp behind it. */
function pane(x: number, y: number, left: number, top: number, width: number, height: number): Colour | undefined {
  if (!box(x, y, left, top, left + width, top + height)) return undefined;
  const [u, v] = [(x - left) / width, (y - top) / height];
  const bars = Math.min(Math.abs(u - 0.5), Math.abs(v - 0.45)) < 0.04 || Math.min(u, 1 - u, v, 1 - v) < 0.1;
  return bars ? [0.96, 0.94, 0.9] : mix([1, 0.8, 0.42], [0.36, 0.4, 0.5], smoothstep(0.5, 1, 0.5 * u + 0.6 * v));
}

/** The big tree's clusters of leaves, from back to front. */
const clusters = Array.from({ length: 90 }, (_, k) => {
  const [angle, out] = [2.39996 * k, Math.sqrt((k + 0.5) / 90)];
  const r = 0.022 + 0.022 * hash(k, 1);
  const [x, y] = [0.15 * out * Math.cos(angle), 0.165 * out * Math.sin(angle)];
  return { x: x + 0.02 * hash(k, 2), y: y + 0.03 * hash(k, 3), r, front: r + 0.03 * hash(k, 4) - 0.06 * out };
}).sort((a, b) => a.front - b.front);

function bigTree(px: number, py: number): Colour | undefined {
  const [x, y] = [px - 0.16, py - 0.6];
  if (Math.abs(x) > 0.24 || y < -0.24 || y > 0.34) return undefined;
  for (let k = clusters.length - 1; k >= 0; k--) {
    const cluster = clusters[k]!;
    const [u, v] = [(x - cluster.x) / cluster.r, (y - cluster.y) / cluster.r];
    if (Math.abs(u) > 1.3 || Math.abs(v) > 1.3) continue;
    const leaf = noise(190 * px + k, 190 * py);
    if (u * u + v * v + 1.1 * (leaf - 0.5) > 1) continue;
    const light = clamp(0.45 + 0.26 * u - 0.26 * v + 1.1 * cluster.x - 1.3 * cluster.y + 0.5 * (leaf - 0.5));
    return lit(mix([0.1, 0.2, 0.09], [0.64, 0.63, 0.22], light), 0.55 + 0.6 * light);
  }
  const spread = 0.012 + 0.05 * smoothstep(0.2, 0.34, y) ** 2 + 0.006 * noise(30 * y, 2);
  const bend = 0.012 * Math.sin(9 * y);
  if (y < 0 || Math.abs(x - bend) > spread) return undefined;
  const round = (x - bend) / spread;
  return lit([0.4, 0.31, 0.24], 0.55 + 0.45 * round + 0.5 * noise(220 * x, 30 * y));
}

/** A spruce: tiers of drooping branches, lit from the right. */
function spruce(px: number, py: number, at: number, base: number, height: number): Colour | undefined {
  const [x, t] = [px - at, 1 - (base - py) / height];
  if (t < 0 || t > 1 || Math.abs(x) > 0.3 * height) return undefined;
  if (t > 0.93) return Math.abs(x) < 0.018 * height ? lit([0.34, 0.26, 0.2], 1 + (20 * x) / height) : undefined;
  const tier = fraction(11 * t + 0.9 * Math.abs(x / height) - 0.15);
  const needles = noise(150 * px + at, 70 * py + 240 * Math.abs(x));
  const reach = height * (0.004 + 0.26 * t * (0.6 + 0.4 * tier)) * (0.8 + 0.4 * needles);
  if (Math.abs(x) > reach) return undefined;
  const light = clamp(0.35 + (0.42 * x) / reach - 0.3 * tier + 0.75 * (needles - 0.4));
  return mix([0.06, 0.14, 0.11], [0.4, 0.48, 0.24], light);
}

function scene(x: number, y: number): Colour {
  return (
    spruce(x, y, 1.37, 0.95, 0.56) ??
    bigTree(x, y) ??
    house(x, y) ??
    spruce(x, y, 1.23, 0.87, 0.38) ??
    spruce(x, y, 1.48, 0.86, 0.42) ??
    grass(x, y) ??
    lake(x, y) ??
    distance(x, y)
  );
}

/** The landscape as an RGB picture; its height always shows the same, a wider picture shows more at the sides. */
export function renderScene(width = 768, height = 512, signal?: AbortSignal): Promise<Painted> {
  return paint(width, height, 2, (px, py) => scene(0.75 + (px - width / 2) / height, py / height), signal);
}
