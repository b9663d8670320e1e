import type { Findings } from "./tour.ts";
/** A picture as it stands in the page. */
export interface EmbeddedShot {
    file: string;
    caption: string;
    alt: string;
    width: number;
    height: number;
    webp: Uint8Array;
}
/** What the page tells of an example. */
export interface Chapter extends Omit<Findings, "before" | "after"> {
    before: EmbeddedShot;
    after: EmbeddedShot[];
}
/** Where the times were measured. */
export interface Machine {
    backend: string;
    threads: number;
    processor: string;
    node: string;
}
/** The whole page. `given` names the user's own picture, where it took the place of the rendered ones. */
export declare function demoPage(chapters: readonly Chapter[], machine: Machine, given?: string): string;
