// Lets programs that import rank1 by its public names run on the sources: `node --import ./test/source.ts program.ts`.
import { registerHooks } from "node:module";

const sources = new Map([
  ["rank1", new URL("../src/index.ts", import.meta.url).href],
  ["rank1/onnx", new URL("../src/onnx/index.ts", import.meta.url).href],
  ["rank1/node", new URL("../src/node/index.ts", import.meta.url).href],
  ["rank1/batch", new URL("../src/batch/index.ts", import.meta.url).href],
]);

registerHooks({ resolve: (name, context, next) => next(sources.get(name) ?? name, context) });
