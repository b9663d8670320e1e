// rank1 filters: the named filters, their parameters and ranks.
import type { Command } from "commander";
import { composedFilters, type FilterInfo, gradientNames, type NamedInfo, namedFilters } from "../index.ts";
import { writeStdout } from "../node/files.ts";
import { styled, table } from "./text.ts";

export function addFilters(program: Command): void {
  program
    .command("filters")
    .description("list the named filters, their parameters and ranks")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExamples:\n  rank1 filters\n  rank1 filters --json | jq -r '.filters[].name'")
    .action(async ({ json }: { json?: boolean }) => writeStdout(`${json ? listAsJson() : listAsText()}\n`));
}

function listAsJson(): string {
  const filters = listed.map(({ name, summary, parameters, rank = null }) => ({
    name,
    summary,
    rank,
    parameters: parameters.map((p) => ({ name: p.name, summary: p.summary, default: p.initial ?? null })),
  }));
  return JSON.stringify({ version: 1, filters, gradients: gradientNames }, undefined, 2);
}

/** The linear filters, which have a rank, and the others. */
const listed: readonly (NamedInfo & Partial<Pick<FilterInfo, "rank">>)[] = [...namedFilters, ...composedFilters];

const parametersOf = ({ parameters }: NamedInfo): string =>
  parameters.map(({ name, initial }) => (initial === undefined ? `[${name}]` : `${name}=${initial}`)).join(",");

function listAsText(): string {
  const rows = listed.map((info) => [info.name, parametersOf(info), String(info.rank ?? "-"), info.summary]);
  const parameters = new Set(listed.flatMap((info) => info.parameters.map((p) => `${p.name}: ${p.summary}`)));
  return [
    table(["name", "parameters", "rank", "what it is"], rows, ["rank"]),
    "",
    styled("bold", "parameters"),
    ...[...parameters].map((line) => `  ${line}`),
    "",
    `${gradientNames.join(", ")} alone mean the magnitude of the gradient: edges in every direction.`,
    "Ranks are those at the parameters shown. Written as gaussian:sigma=2 or box:5x9 (y, then x).",
  ].join("\n");
}
