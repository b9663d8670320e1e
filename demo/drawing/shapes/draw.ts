// Pictures of shapes to learn from and to be judged by: one shape each, of any colour, size, place and turn, on a patterned
// ground, among scraps, partly covered, in uneven light and with noise. Drawn from formulas: equal numbers, equal pictures.
import type { Image } from "../../../src/index.ts";
import { type Colour, clamp, clouds, hash, lit, mix, paintAtOnce, smoothstep } from "../paint.ts";
import { type Distance, outlines, polygon, type ShapeName, shapeNames } from "./outlines.ts";

/** Width and height of every picture. */
export const shapeSide = 32;

/** Random numbers in a range, each roll the next of a series. */
type Dice = (least: number, most: number) => number;

/** What is seen at a point where something else was seen before. Points go from 0 to 1 across the picture. */
type Layer = (x: number, y: number, under: Colour) => Colour;

/**
 * Picture number `index` of a shape: 32 x 32 pixels of red, green and blue. Every `seed` begins another series; the bundled
 * network learned from series 1 and was judged by series 2.
 */
export function drawShape(shape: ShapeName, index: number, seed = 0): Omit<Image, "data"> & { data: Uint8Array } {
  const dice = diceOf([seed, shapeNames.indexOf(shape), index]);
  const ground = colour(dice);
  const layers = [
    patterned(dice, ground, 0.5),
    ...repeat(dice(0, 6), () => scrap(dice)),
    ...figure(dice, outlines[shape], ground),
    light(dice),
  ];
  const image = paintAtOnce(shapeSide, shapeSide, 3, (px, py) => {
    const [x, y] = [px / shapeSide, py / shapeSide];
    return layers.reduce((under, layer) => layer(x, y, under), black);
  });
  addNoise(dice, image.data);
  return image;
}

/** The first pictures of a series, the shapes taking turns; `label` is the shape's place in `shapeNames`. */
export function drawShapes(count: number, seed = 0): { label: number; picture: ReturnType<typeof drawShape> }[] {
  return Array.from({ length: count }, (_, i) => {
    const label = i % shapeNames.length;
    return { label, picture: drawShape(shapeNames[label]!, Math.floor(i / shapeNames.length), seed) };
  });
}

const black: Colour = [0, 0, 0];
const white: Colour = [1, 1, 1];

function diceOf(numbers: readonly number[]): Dice {
  const series = numbers.reduce((all, number) => 2 ** 32 * hash(all, number), 0);
  let rolls = 0;
  return (least, most) => least + (most - least) * hash(series, rolls++);
}

const repeat = <T>(count: number, make: () => T): T[] => Array.from({ length: Math.floor(count) }, make);

const pick = <T>(dice: Dice, list: readonly T[]): T => list[Math.floor(dice(0, list.length))]!;

function colour(dice: Dice): Colour {
  const hue = dice(0, 6);
  const channel = (shift: number): number => clamp(Math.abs(((hue + shift) % 6) - 3) - 1);
  return lit(mix(white, [channel(0), channel(4), channel(2)], dice(0.1, 0.9)), dice(0.25, 1));
}

/** A colour that differs from another one at least so much that it can be seen. */
function contrasting(dice: Dice, other: Colour): Colour {
  for (;;) {
    const found = colour(dice);
    if (Math.hypot(...found.map((value, i) => value - other[i]!)) > 0.35) return found;
  }
}

/** From 0 to 1, with details of about a unit: a gradient, clouds, stripes, checkers and dots. */
const patterns: readonly ((x: number, y: number) => number)[] = [
  (x) => clamp(0.5 + x / 8),
  (x, y) => smoothstep(0.3, 0.7, clouds(x, y, 3)),
  (x) => smoothstep(0.35, 0.65, Math.abs((x % 1) * 2) % 1),
  (x, y) => Math.abs(Math.floor(x) + Math.floor(y)) % 2,
  (x, y) => smoothstep(0.4, 0.3, Math.hypot(x - Math.floor(x) - 0.5, y - Math.floor(y) - 0.5)),
];

/** A colour and at most so much of another one, in a pattern. */
function patterned(dice: Dice, main: Colour, strength: number): Layer {
  const [pattern, other] = [pick(dice, patterns), mix(main, colour(dice), dice(0, strength))];
  const place = placement(dice, { x: dice(0, 1), y: dice(0, 1), size: dice(0.1, 0.3) });
  return (x, y) => mix(main, other, pattern(...place(x, y)));
}

/** From points of the picture to those of something that lies there, turned and a little squeezed. */
function placement(dice: Dice, { x: cx, y: cy, size }: { x: number; y: number; size: number }) {
  const [angle, squeeze] = [dice(0, 2 * Math.PI), dice(0.85, 1.18)];
  const [cos, sin] = [Math.cos(angle) / size, Math.sin(angle) / size];
  return (x: number, y: number): [number, number] => {
    const [dx, dy] = [x - cx, y - cy];
    return [(cos * dx + sin * dy) * squeeze, (cos * dy - sin * dx) / squeeze];
  };
}

/** A line, a crumb and a splinter. */
const scraps: readonly Distance[] = [
  (x, y) => Math.max(Math.abs(x) - 3, Math.abs(y) - 0.25),
  (x, y) => Math.hypot(x, y) - 0.7,
  polygon([
    [-1, 0.5],
    [1.2, 0.4],
    [0, -0.8],
  ]),
];

function scrap(dice: Dice): Layer {
  const [distance, fill] = [pick(dice, scraps), colour(dice)];
  const place = placement(dice, { x: dice(0, 1), y: dice(0, 1), size: dice(0.03, 0.1) });
  return (x, y, under) => (distance(...place(x, y)) < 0 ? fill : under);
}

/** The shape on its shadow, and now and then a bar across it. */
function figure(dice: Dice, distance: Distance, ground: Colour): Layer[] {
  const size = dice(0.19, 0.34);
  const [x, y] = [dice(1.15 * size, 1 - 1.15 * size), dice(1.15 * size, 1 - 1.15 * size)];
  const place = placement(dice, { x, y, size });
  const fill = patterned(dice, contrasting(dice, ground), 0.35);
  const [dark, shift] = [dice(0, 0.5), dice(0.02, 0.06)];
  const shadow: Layer = (x, y, under) =>
    lit(under, 1 - dark * smoothstep(0.25, -0.25, distance(...place(x - shift, y - shift))));
  const body: Layer = (x, y, under) => (distance(...place(x, y)) < 0 ? fill(x, y, under) : under);
  return [shadow, body, ...repeat(dice(0, 1.6), () => bar(dice, { x, y, size }))];
}

/** Lies across the picture and covers part of the shape. */
function bar(dice: Dice, where: { x: number; y: number; size: number }): Layer {
  const [fill, offset, half] = [colour(dice), dice(-0.9, 0.9), dice(0.1, 0.3)];
  const place = placement(dice, where);
  return (x, y, under) => (Math.abs(place(x, y)[0] - offset) < half ? fill : under);
}

/** From one side, and not everywhere the same. */
function light(dice: Dice): Layer {
  const [level, across, down] = [dice(0.75, 1.1), dice(-0.4, 0.4), dice(-0.4, 0.4)];
  return (x, y, under) => lit(under, level + across * (x - 0.5) + down * (y - 0.5));
}

/** More or less of it: each value is off by the sum of three rolls, which is nearly normal. */
function addNoise(dice: Dice, data: Uint8Array): void {
  const strength = 255 * dice(0.01, 0.08);
  for (let i = 0; i < data.length; i++) {
    const error = dice(-1, 1) + dice(-1, 1) + dice(-1, 1);
    data[i] = Math.min(255, Math.max(0, Math.round(data[i]! + strength * error)));
  }
}
