// Where test data lies that is not part of the project.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

export const data = process.env.RANK1_DATA ?? join(root, "../shared/data");
