import { type LayerCost } from "../src/index.ts";
/** The numbers of the example. */
export declare const layerExample: {
    layer: {
        readonly input: readonly [12, 12, 3];
        readonly size: readonly [5, 5];
        readonly outputs: 256;
    };
    direct: LayerCost;
    separable: LayerCost;
};
/** For the terminal. */
export declare function layerLines(): string[];
/** For the page. */
export declare function layerHtml(): string;
