// The ten shapes that the bundled network tells apart, as signed distances: negative inside, positive outside. All have an
// area of about 2 around the origin, so that none is known by its size alone; y points downwards. The distances to a
// polygon and to a heart are Inigo Quilez's (iquilezles.org/articles/distfunctions2d).

import { clamp } from "../paint.ts";

export type Point = readonly [number, number];
export type Distance = (x: number, y: number) => number;

const disc = (radius: number, cx = 0): Distance => {
  return (x, y) => Math.hypot(x - cx, y) - radius;
};

const square = (v: number): number => v * v;

/** The distance to a closed line of any direction that does not cross itself. */
export function polygon(corners: readonly Point[]): Distance {
  const edges = corners.map(([x, y], i) => {
    const [toX, toY] = corners[(i + 1) % corners.length]!;
    return { x, y, dx: toX - x, dy: toY - y, toY };
  });
  return (x, y) => {
    let nearest = Number.POSITIVE_INFINITY;
    let sign = 1;
    for (const edge of edges) {
      const { dx, dy } = edge;
      const wx = x - edge.x;
      const wy = y - edge.y;
      const along = clamp((wx * dx + wy * dy) / (dx * dx + dy * dy));
      nearest = Math.min(nearest, square(wx - along * dx) + square(wy - along * dy));
      const passed = y >= edge.y;
      // A ray to the side crosses this edge: from in to out or from out to in
      if (passed === y < edge.toY && passed === dx * wy > dy * wx) sign = -sign;
    }
    return sign * Math.sqrt(nearest);
  };
}

/** Corners on circles, the first at the top; several radii take turns. */
function regular(count: number, ...radii: number[]): Distance {
  const corner = (_: unknown, i: number): Point => {
    const [angle, radius] = [(2 * Math.PI * i) / count, radii[i % radii.length]!];
    return [radius * Math.sin(angle), -radius * Math.cos(angle)];
  };
  return polygon(Array.from({ length: count }, corner));
}

/** Corners down the right side, and their mirror images up the left one. */
const both = (...right: Point[]): Point[] => [...right, ...right.map(([x, y]): Point => [-x, y]).reverse()];

/** Its tip points down. */
function heart(x: number, y: number): number {
  const size = 1.5;
  const [px, py] = [Math.abs(x) / size, 0.55 - y / size];
  if (px + py > 1) return size * (Math.hypot(px - 0.25, py - 0.75) - Math.SQRT2 / 4);
  const half = 0.5 * Math.max(px + py, 0);
  const nearest = Math.min(px * px + square(py - 1), square(px - half) + square(py - half));
  return size * Math.sqrt(nearest) * Math.sign(px - py);
}

const [whole, bite] = [disc(1.1, 0.2), disc(0.9, 0.75)];

/** By name, in the order of the network's results. */
export const outlines = {
  disc: disc(0.8),
  ring: (x, y) => Math.abs(Math.hypot(x, y) - 0.8) - 0.2,
  crescent: (x, y) => Math.max(whole(x, y), -bite(x, y)),
  triangle: regular(3, 1.22),
  square: regular(4, 1),
  hexagon: regular(6, 0.88),
  star: regular(10, 1.2, 0.55),
  cross: polygon(both([0.31, -1], [0.31, -0.31], [1, -0.31], [1, 0.31], [0.31, 0.31], [0.31, 1])),
  heart,
  arrow: polygon([[0, -1.2], ...both([0.95, -0.1], [0.37, -0.1], [0.37, 1.1])]),
} satisfies Readonly<Record<string, Distance>>;

export type ShapeName = keyof typeof outlines;

/** In the order of the network's results. */
export const shapeNames = Object.keys(outlines) as readonly ShapeName[];
