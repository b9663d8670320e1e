// What package.json says: the same place from the sources and from what is built of them.
import { readFileSync } from "node:fs";

interface Package {
  version: string;
  description: string;
}

export const { version, description }: Package = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
);
