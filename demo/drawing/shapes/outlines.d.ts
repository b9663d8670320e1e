export type Point = readonly [number, number];
export type Distance = (x: number, y: number) => number;
/** The distance to a closed line of any direction that does not cross itself. */
export declare function polygon(corners: readonly Point[]): Distance;
/** Its tip points down. */
declare function heart(x: number, y: number): number;
/** By name, in the order of the network's results. */
export declare const outlines: {
    disc: Distance;
    ring: (x: number, y: number) => number;
    crescent: (x: number, y: number) => number;
    triangle: Distance;
    square: Distance;
    hexagon: Distance;
    star: Distance;
    cross: Distance;
    heart: typeof heart;
    arrow: Distance;
};
export type ShapeName = keyof typeof outlines;
/** In the order of the network's results. */
export declare const shapeNames: readonly ShapeName[];
export {};
