// What the package says of itself and what it carries: the same places from the sources and from what is built of them.
import { readFileSync } from "node:fs";

interface Package {
  version: string;
  description: string;
}

export const { version, description }: Package = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
);

/** A small network of 3 x 3 convolutions that tells apart the shapes that `drawShape` draws; a sidecar stands beside it. */
export const exampleModel = new URL("../../assets/shapes.onnx", import.meta.url);
