// Random uses of operators: shapes, types, attributes and elements, the same for the same seed.
import { heads } from "./cases/attention.ts";
import { elementwise } from "./cases/elementwise.ts";
import { grids } from "./cases/grids.ts";
import { indexing } from "./cases/indexing.ts";
import { detection, norms } from "./cases/norms.ts";
import { recurrents } from "./cases/recurrent.ts";
import { reductions } from "./cases/reductions.ts";
import { shapes } from "./cases/shapes.ts";
import { types } from "./cases/types.ts";
import type { Cases } from "./cases/use.ts";
import { windows } from "./cases/windows.ts";

export const cases: Cases = {
  ...{ ...elementwise, ...windows, ...shapes, ...reductions, ...recurrents, ...types },
  ...{ ...indexing, ...norms, ...detection, ...grids, ...heads },
};
