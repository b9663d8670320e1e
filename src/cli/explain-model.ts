// rank1 explain model.onnx: the parts of a compiled model, what each does on the machine or the host, and its kernels.
import { basename } from "node:path";
import type { Command } from "commander";
import type { ModelPlan, Work } from "../onnx/index.ts";
import { UsageError } from "./arguments.ts";
import { type EngineFlags, withEngine } from "./engine.ts";
import { sides } from "./inspect-page.ts";
import { type ModelFlags, withModel } from "./model.ts";
import { harmless, quantity, shortName, styled, table } from "./text.ts";

export interface ExplainModelFlags extends ModelFlags, EngineFlags {
  json?: boolean;
}

const [own, shared] = [["shape", "externalData"], ["json", "wide"]]; // biome-ignore format: a line

/** Whether a model is meant and not a filter; a mix of both is wrong usage. */
export function isModel(argument: string | undefined, command: Command): boolean {
  const model = argument !== undefined && /\.onnx$/i.test(argument);
  const given = command.options.filter((option) => command.getOptionValueSource(option.attributeName()) === "cli");
  const stray = given.find((option) => {
    const name = option.attributeName();
    return model ? ![...own, ...shared].includes(name) : own.includes(name);
  });
  if (!stray) return model;
  const expected = model ? "a filter or layer, of which it is an option" : "an ONNX file with it";
  throw new UsageError(`${stray.long}: expected ${expected}, got ${argument ?? "none"}`);
}

/** The whole answer: text, or JSON. */
export async function explainModelFile(file: string, flags: ExplainModelFlags): Promise<string> {
  const { explainModel } = await import("../onnx/index.ts"); // other commands start without it
  const plan = await withEngine({ wide: flags.wide }, (engine) =>
    withModel(file, flags, (model) => explainModel(model), { engine, shapes: flags.shape }),
  );
  const name = basename(file);
  return flags.json ? JSON.stringify({ version: 1, model: name, ...plan }, undefined, 2) : asText(name, plan);
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
