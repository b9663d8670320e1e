// Operators that few networks name: of detectors, attention, signals and losses, and those of ONNX Runtime. Loaded where a
// network names one that is neither common nor rare.
import type { Operator } from "../../graph/types.ts";
import { attention } from "./attention.ts";
import { contrib } from "./contrib.ts";
import { crops } from "./crop.ts";
import { deformConv } from "./deform-conv.ts";
import { detection } from "./detection.ts";
import { einsum } from "./einsum.ts";
import { fills } from "./fill.ts";
import { grids } from "./grid-sample.ts";
import { indexing } from "./indexing.ts";
import { losses } from "./losses.ts";
import { measured } from "./measured.ts";
import { norms } from "./norms.ts";
import { rarePools } from "./rare-pools.ts";
import { rotaryEmbedding } from "./rotary.ts";

export const rarest: readonly Operator[] = [
  ...[...contrib, ...crops, deformConv, ...detection, einsum, ...fills, ...grids, ...indexing, ...losses, ...measured],
  ...[attention, ...norms, ...rarePools, rotaryEmbedding],
];
