import type { Engine, FilterOptions } from "../src/index.ts";
import type { Picture } from "../src/node/pictures.ts";
import type { Inputs, View } from "./inputs.ts";
export interface Example {
    id: string;
    title: string;
    /** By its name, as the command line takes it. */
    filter: string;
    options: FilterOptions;
    input: keyof Inputs;
    story: string;
    /** Arguments of rank1 that go further; IN stands for the input's file. */
    commands: readonly string[];
    views: readonly View[];
    /** The pictures of the views, in their order. */
    run(engine: Engine, picture: Picture, signal: AbortSignal): Promise<{
        pictures: Picture[];
        note?: string;
    }>;
}
export declare const examples: readonly Example[];
