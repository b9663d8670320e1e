// The help of commands: rare options are listed by --help --all only.
import { type Command, Help, Option } from "commander";

/** An option that only `--help --all` lists. */
export function rare(flags: string, description: string): Option {
  return new Option(flags, description).hideHelp();
}

/** Whether a command line asks for help with all options. */
export const asksForAll = (args: readonly string[]): boolean =>
  args.includes("--all") && (args[0] === "help" || args.some((arg) => arg === "--help" || arg === "-h"));

/** Hides rare options of the program's commands, or shows them, and says which is the case. */
export function configureHelp(program: Command, all: boolean): void {
  for (const command of [program, ...program.commands]) {
    if (command.options.some(({ hidden }) => hidden)) {
      command.helpOption("-h, --help", all ? "show this" : "show this; with --all, options that few need as well");
    }
    command.configureHelp({ visibleOptions: all ? everyOption : visibleOptions });
  }
}

function visibleOptions(this: Help, command: Command): Option[] {
  return Help.prototype.visibleOptions.call(this, command);
}

function everyOption(this: Help, command: Command): Option[] {
  const visible = visibleOptions.call(this, command);
  return [...command.options, ...visible.filter((option) => !command.options.includes(option))];
}
