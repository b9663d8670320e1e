// Which pictures are too large to be held whole, and the way that these go instead.
import { stat } from "node:fs/promises";
import { checkInteger, UnsupportedError } from "../errors.ts";
import { isPlainOrFree } from "./files.ts";
import type { Steps } from "./filter-steps.ts";
import { checkWhole } from "./filter-strips.ts";
import { bytesWhenDecoded } from "./pictures.ts";
import { lookAt, type RowsFile } from "./rows.ts";
import type { Work } from "./work.ts";

/** Limits of an engine whose pictures are checked as they are read, and may be rows of larger ones. */
export const anyPicture = { side: 1e8, pixels: Number.MAX_SAFE_INTEGER };

/** So many times its decoded bytes a picture takes until it is written: with results, and what encoders make of them. */
export const timesDecoded = ({ floats }: Pick<Steps, "floats">): number => (floats ? 20 : 7);

export const checkMemory = (memory: number): number => checkInteger("memory", memory, { min: 2 ** 20 });

/** The picture that is to be filtered strip by strip. */
export interface Large {
  file: RowsFile;
  memory: number;
}

/** The input where it would take more memory than it may; undefined of all others. `name` is what messages call it. */
export async function findLarge(
  { job, steps, options }: Omit<Work, "pages">,
  name: string,
): Promise<Large | undefined> {
  const { input, output } = job;
  const found = await stat(input).catch(() => undefined);
  if (!found?.isFile() || !(await isPlainOrFree(output))) return undefined;
  const memory = options.memory ?? process.availableMemory() / 4;
  const decoded = options.raw ? found.size : await bytesWhenDecoded(input, found.size, options.page);
  const need = found.size + timesDecoded(steps) * decoded;
  if (need <= memory) return undefined;
  try {
    const file = await lookAt(input, { ...options, name });
    checkWhole({ file, job, steps, options });
    return { file, memory };
  } catch (error) {
    // What needs the whole picture gets it where nobody says otherwise and it fits.
    if (error instanceof UnsupportedError && options.memory === undefined && need < process.availableMemory()) return undefined; // biome-ignore format: a line
    throw error;
  }
}
