// A decoder that brings its process down with some pictures.
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { readFile } = fs;
fs.readFile = (async (path: string, options: object) => {
  if (String(path).endsWith("poison.png")) process.kill(process.pid, "SIGKILL");
  return readFile(path, options);
}) as typeof readFile;
syncBuiltinESMExports();
