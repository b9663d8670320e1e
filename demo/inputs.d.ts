import { type Picture } from "../src/node/pictures.ts";
/** The words that go with a picture. */
export interface View {
    /** Its name in the output folder. */
    file: string;
    caption: string;
    /** What it shows, for those who cannot see it. */
    alt: string;
}
export interface Shot extends View {
    picture: Picture;
}
export interface Inputs {
    scene: Shot;
    chart: Shot;
}
export declare const inputFiles: {
    readonly given: "input.png";
    readonly scene: "scene.png";
    readonly chart: "chart.png";
};
/** The user's picture, made small enough for a page: 8 bits, and on white where it is transparent. */
export declare function readInputs({ name, bytes }: {
    name: string;
    bytes: Uint8Array;
}, signal: AbortSignal): Promise<Inputs>;
export declare function renderInputs(signal: AbortSignal): Promise<Inputs>;
