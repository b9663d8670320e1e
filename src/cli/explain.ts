// rank1 explain: the plan for a filter on a picture of some size, and the plans that it beat; what a layer costs; or how a
// model is computed.
import type { Command } from "commander";
import { Option } from "commander";
import { explain, type ImageDType, type PictureSpec } from "../index.ts";
import { writeStdout } from "../node/files.ts";
import { addFilterOptions, type FilterFlags, filtersOf, parseFilter, parseSize, planOf } from "./arguments.ts";
import { addEngineOptions, type EngineFlags, withEngine } from "./engine.ts";
import { type ExplainModelFlags, explainModelFile, isModel } from "./explain-model.ts";
import { addLayerOptions, explainLayer, isLayer, type LayerFlags } from "./layer.ts";
import { addModelOptions } from "./model.ts";

interface Flags extends FilterFlags, EngineFlags, LayerFlags, ExplainModelFlags {
  size: { width: number; height: number; channels: number };
  image?: string;
  type: ImageDType;
  json?: boolean;
}

export function addExplain(program: Command): void {
  const command = program
    .command("explain")
    .description(
      "show how a filter would be computed, what it costs, and the plans that it beats; a layer's cost; or a model's parts",
    )
    .argument(
      "[filter]",
      "a name (see rank1 filters), [[...]], a JSON file, or - for JSON on the standard input; or an ONNX file",
    )
    .addOption(
      new Option("--size <WxHxC>", "size of the picture")
        .argParser(parseSize)
        .default(parseSize("1920x1080x3"), "1920x1080x3"),
    )
    .addOption(
      new Option("--type <type>", "element type of the picture").choices(["u8", "u16", "i16", "f32"]).default("u8"),
    )
    .option("--image <file>", "take size and type from a picture file");
  addModelOptions(addLayerOptions(addEngineOptions(addFilterOptions(command))), "of a model: the shape of an input")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      `
Examples:
  rank1 explain gaussian:sigma=3
  rank1 explain sobel --image photo.jpg
  rank1 explain disk:9 --tolerance 0.05 --size 4000x3000x3
  rank1 explain --layer 12x12x3 --kernel 5x5 --out 256
  rank1 explain model.onnx`,
    )
    .action(async (filter: string | undefined, flags: Flags, self: Command) => {
      if (isModel(filter, self)) await writeStdout(`${await explainModelFile(filter!, flags)}\n`);
      else if (isLayer(filter, self)) await writeStdout(`${await explainLayer(flags)}\n`);
      else await explainFilter(filter!, flags);
    });
}

async function explainFilter(text: string, flags: Flags): Promise<void> {
  const filter = await parseFilter(text);
  const picture = flags.image === undefined ? { ...flags.size, dtype: flags.type } : await specOf(flags.image);
  const limits = flags.maxFilterSide === undefined ? undefined : { filterSide: flags.maxFilterSide };
  await withEngine({ wide: flags.wide, limits }, async (engine) => {
    const parts = filtersOf(filter);
    const plans = await Promise.all(parts.map((part) => planOf(engine, picture, part, flags)));
    if (flags.json) return await writeStdout(`${JSON.stringify({ version: 1, filter: text, plans }, undefined, 2)}\n`);
    const title = parts.length > 1 ? [`${filter}: the magnitude √(gx² + gy²) of ${parts.join(" and ")}`] : [];
    await writeStdout(`${[...title, ...plans.map(explain)].join("\n\n")}\n`);
  });
}

async function specOf(path: string): Promise<PictureSpec> {
  const { readPicture } = await import("../node/pictures.ts");
  const { width, height, channels, data, alpha } = await readPicture(path);
  return { width, height, channels, dtype: data instanceof Uint16Array ? "u16" : "u8", knownAlpha: alpha };
}
