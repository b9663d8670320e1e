import type { Image } from "../../../src/index.ts";
import { type ShapeName } from "./outlines.ts";
/** Width and height of every picture. */
export declare const shapeSide = 32;
/**
 * Picture number `index` of a shape: 32 x 32 pixels of red, green and blue. Every `seed` begins another series; the bundled
 * network learned from series 1 and was judged by series 2.
 */
export declare function drawShape(shape: ShapeName, index: number, seed?: number): Omit<Image, "data"> & {
    data: Uint8Array;
};
/** The first pictures of a series, the shapes taking turns; `label` is the shape's place in `shapeNames`. */
export declare function drawShapes(count: number, seed?: number): {
    label: number;
    picture: ReturnType<typeof drawShape>;
}[];
