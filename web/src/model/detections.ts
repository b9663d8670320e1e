// Boxes that a detector has found, from its scores and places: corners, or offsets from a fixed grid as UltraFace gives them.
import type { ModelRun } from "../engine/protocol.ts";

/** Its corners as shares of the picture's sides. */
export interface Box {
  score: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

type Sides = readonly (number | string | undefined)[] | undefined;

/** The first output of `sides` numbers for each of a list of places. */
const listOf = <T extends { shape?: Sides }>(outputs: readonly T[], sides: number): T | undefined =>
  outputs.find(({ shape }) => shape?.length === 3 && shape[2] === sides);

/** Whether outputs are two scores and four sides for each of the same places. */
export function isDetector(outputs: readonly { shape?: Sides }[]): boolean {
  const [scores, places] = [listOf(outputs, 2), listOf(outputs, 4)];
  return scores !== undefined && places !== undefined && scores.shape![1] === places.shape![1];
}

const leastScore = 0.7;
const mostOverlap = 0.3;

/** What was found, the surest first: of boxes that overlap, one. Undefined where places cannot be read. */
export function boxesOf({ outputs, shape: [, , height, width] }: ModelRun): Box[] | undefined {
  if (!isDetector(outputs)) return undefined;
  const [scores, places] = [listOf(outputs, 2)!.data, listOf(outputs, 4)!.data];
  const boxAt = readerOf(places, width!, height!);
  if (!boxAt) return undefined;
  const all = Array.from({ length: places.length / 4 }, (_, i) => ({ score: scores[2 * i + 1]!, i }));
  const found: Box[] = [];
  for (const { score, i } of all.filter(({ score }) => score > leastScore).sort((a, b) => b.score - a.score)) {
    const box = { score, ...boxAt(i) };
    if (found.every((other) => overlap(other, box) < mostOverlap)) found.push(box);
  }
  return found;
}

/** How many of some boxes stand where one of the others does. */
export const inCommon = (some: readonly Box[], others: readonly Box[]): number =>
  some.filter((box) => others.some((other) => overlap(box, other) > 0.5)).length;

type Place = Omit<Box, "score">;

function readerOf(places: Float32Array, width: number, height: number): ((i: number) => Place) | undefined {
  const corners = (i: number): Place => {
    const [left, top, right, bottom] = places.subarray(4 * i, 4 * i + 4) as unknown as [number, number, number, number];
    return { left, top, right, bottom };
  };
  const count = places.length / 4;
  const areCorners = Array.from({ length: count }, (_, i) => corners(i)).every(
    ({ left, top, right, bottom }) => left <= right && top <= bottom && left > -2 && bottom < 3,
  );
  if (areCorners) return corners;
  const grid = gridOf(width, height);
  if (grid.length !== count) return undefined;
  return (i) => {
    const { x, y, side } = grid[i]!;
    const { left: dx, top: dy, right: dw, bottom: dh } = corners(i);
    const [middleX, middleY] = [x + 0.1 * dx * side, y + 0.1 * dy * side];
    const [halfWidth, halfHeight] = [(side * Math.exp(0.2 * dw)) / 2, (side * Math.exp(0.2 * dh)) / 2];
    return {
      ...{ left: (middleX - halfWidth) / width, right: (middleX + halfWidth) / width },
      ...{ top: (middleY - halfHeight) / height, bottom: (middleY + halfHeight) / height },
    };
  };
}

/** UltraFace's squares, in pixels: of some sides in every cell of four grids. */
function gridOf(width: number, height: number): { x: number; y: number; side: number }[] {
  const grids: [step: number, sides: number[]][] = [[8, [10, 16, 24]], [16, [32, 48]], [32, [64, 96]], [64, [128, 192, 256]]]; // biome-ignore format: one line
  return grids.flatMap(([step, sides]) => {
    const [columns, rows] = [Math.ceil(width / step), Math.ceil(height / step)];
    return Array.from({ length: columns * rows }, (_, cell) =>
      sides.map((side) => ({ x: ((cell % columns) + 0.5) * step, y: (Math.floor(cell / columns) + 0.5) * step, side })),
    ).flat();
  });
}

/** What two boxes have in common, as a share of what both cover. */
function overlap(a: Place, b: Place): number {
  const area = ({ left, right, top, bottom }: Place): number => (right - left) * (bottom - top);
  const shared =
    Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
    Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  return shared / (area(a) + area(b) - shared);
}
