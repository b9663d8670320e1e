// Pictures on a slow disk, and a list of those that were read: a line each in the file RANK1_TEST_READ.
import { appendFileSync } from "node:fs";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { setTimeout as wait } from "node:timers/promises";

const { readFile } = fs;
fs.readFile = (async (path: string, options: object) => {
  if (!String(path).endsWith(".png")) return readFile(path, options);
  appendFileSync(process.env.RANK1_TEST_READ!, `${path}\n`);
  await wait(Number(process.env.RANK1_TEST_SLOW));
  return readFile(path, options);
}) as typeof readFile;
syncBuiltinESMExports();
