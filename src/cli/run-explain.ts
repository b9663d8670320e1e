// rank1 run --explain: the parts of a compiled model, what each does on the machine or the host, and its kernels.
import type { Tensor } from "../index.ts";
import type { Model, ModelPlan, Work } from "../onnx/index.ts";
import { sides } from "./inspect-page.ts";
import { harmless, quantity, shortName, styled, table } from "./text.ts";

/** The whole answer, as text or JSON, for some inputs or for the shapes that the model was loaded with. */
export async function explainRun(
  model: Model,
  name: string,
  inputs: Record<string, Tensor> | undefined,
  json: boolean | undefined,
): Promise<string> {
  const { explainModel } = await import("../onnx/index.ts"); // other commands start without it
  const plan = await explainModel(model, inputs && { inputs });
  return json ? JSON.stringify({ version: 1, model: name, ...plan }, undefined, 2) : asText(name, plan);
}

function asText(name: string, { parts, kernels, bytes }: ModelPlan): string {
  const works = parts.flatMap((part) => part.works);
  const count = (wanted: Work["place"]): number => works.filter(({ place }) => place === wanted).length;
  const [stages, nodes] = [count("machine"), count("host")];
  return [
    `${styled("bold", harmless(name))}  ${stages} stages by ${kernels.length} kernels, ${nodes} nodes on the host; ${quantity(bytes)}B of memory`,
    ...parts.flatMap(({ place, works }, i) => {
      const rows = works.map((work) => [
        work.op,
        shortName(work.name),
        work.shape ? sides(work.shape) : "",
        ...(place === "machine" ? [work.steps.join(", then ")] : []),
      ]);
      const title = `part ${i + 1}, on the ${place}`;
      return [
        "",
        styled("bold", title),
        table(["what", "of", "result", ...(place === "machine" ? ["how"] : [])], rows),
      ];
    }),
    "",
    "Stages are computed on the machine's threads, one after another; those of several steps strip by strip, so that what",
    "lies between the steps never leaves the cache.",
  ].join("\n");
}
