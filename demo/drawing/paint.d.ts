import type { Image } from "../../src/index.ts";
/** Red, green and blue, 0 to 1, as they are displayed. */
export type Colour = readonly [number, number, number];
/** A picture as it is rendered. */
export type Painted = Image & {
    data: Uint8Array;
};
/** What is rendered: the colours at pixel coordinates (a pixel's middle is at .5), averaged over a grid of samples a pixel. */
type ColourAt = (x: number, y: number) => Colour;
/** Renders a picture. Other events get their turn between rows: a signal among them. */
export declare function paint(width: number, height: number, samples: number, colourAt: ColourAt, signal?: AbortSignal): Promise<Painted>;
/** Renders a small picture at once. */
export declare function paintAtOnce(width: number, height: number, samples: number, colourAt: ColourAt): Painted;
export declare const clamp: (v: number) => number;
export declare function smoothstep(from: number, to: number, v: number): number;
export declare function mix(a: Colour, b: Colour, t: number): Colour;
export declare const lit: (c: Colour, light: number) => Colour;
/** A colour between evenly spaced stops. */
export declare function gradient(stops: readonly Colour[], t: number): Colour;
/** A random number from 0 to 1 that belongs to the point (i, j) of the integer grid. */
export declare function hash(i: number, j: number): number;
/** Smooth value noise, 0 to 1, of wavelength about 1. */
export declare function noise(x: number, y: number): number;
/** Noise summed over octaves (each twice as fine and half as strong), 0 to 1. */
export declare function clouds(x: number, y: number, octaves: number): number;
export {};
