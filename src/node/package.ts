// The package's version, description and bundled model, found alike from the sources and from a build.
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
