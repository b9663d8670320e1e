type Shape = readonly [height: number, width: number, channels: number];
/** Pixels of the drawing for a pixel of a sheet, and how far a sheet stands behind the one before. */
interface Scale {
    pixel: number;
    step: number;
}
/** More channels than this are drawn as one block of many thin sheets. */
export declare const mostSheets = 8;
/** The channels of a value, the first in front. */
export declare function stack(shape: Shape, scale: Scale): string;
/** Filters side by side, each as a stack: as many as are drawn, and dots where there are more. */
export declare function filterSet(shapes: readonly {
    shape: Shape;
    first: number;
}[], more: boolean, scale: Scale): string;
export {};
