// A disk that is full after some files: their contents cannot be written, as with ENOSPC. Each process counts for itself.
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { writeFile } = fs;
let room = Number(process.env.RANK1_TEST_ROOM);
fs.writeFile = async (path, data, options) => {
  if (String(path).endsWith(".tmp") && room-- <= 0) {
    await writeFile(path, "part");
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  }
  return writeFile(path, data, options);
};
syncBuiltinESMExports();
