import { type Painted } from "./paint.ts";
/** The landscape as an RGB picture; its height always shows the same, a wider picture shows more at the sides. */
export declare function renderScene(width?: number, height?: number, signal?: AbortSignal): Promise<Painted>;
