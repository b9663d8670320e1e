import { type Progress } from "../src/cli/text.ts";
import type { Engine } from "../src/index.ts";
import type { Report } from "../src/onnx/index.ts";
/** Files that the demo writes. */
export declare const modelFiles: {
    before: string;
    after: string;
};
export interface ModelExample {
    report: Report;
    pictures: number;
    /** Shares of right answers. */
    before: number;
    after: number;
}
/** Separates the bundled network, evaluates it on pictures that it has not seen, and writes both models. */
export declare function separateExample(engine: Engine, folder: string, progress: Progress, signal: AbortSignal): Promise<ModelExample>;
export declare function modelLines({ report, pictures, before, after }: ModelExample): string[];
