import { type Painted } from "./paint.ts";
/** The test chart as an RGB picture. It is laid out on 768 × 512 units, scaled to fit and centred. */
export declare function renderChart(width?: number, height?: number, signal?: AbortSignal): Promise<Painted>;
