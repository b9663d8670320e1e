// Stores what was measured on this machine, verdicts on wide kernels, in wisdom.json in the user's cache folder. It never
// fails: a file that is missing, broken or of another version counts as empty, and a folder that is read-only is left
// alone.
import { mkdir, readFile } from "node:fs/promises";
import { cpus, homedir } from "node:os";
import { dirname, join } from "node:path";
import { writeAtomic } from "./files.ts";
import { version } from "./package.ts";

/** What is known, by the machine and runtime for which it holds. */
interface Wisdom {
  version: 1;
  package: string;
  machines: Record<string, Machine>;
}

interface Machine {
  /** What became of each wide kernel. */
  verdicts: Record<string, string>;
}

/** The folder for files that may be lost: RANK1_CACHE, or the system's usual place. */
export function cacheFolder(): string {
  const { RANK1_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (RANK1_CACHE) return RANK1_CACHE;
  if (process.platform === "darwin") return join(homedir(), "Library/Caches/rank1");
  if (process.platform === "win32") return join(LOCALAPPDATA || join(homedir(), "AppData/Local"), "rank1");
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "rank1");
}

/** Verdicts hold for the code that this compiler makes, on this processor. */
const machineKey = (): string => `v8 ${process.versions.v8} ${process.arch} ${cpus()[0]?.model.trim() ?? ""}`;

/** The verdicts on wide kernels of this machine, as far as they are among the `known` ones. */
export async function readVerdicts<T extends string>(known: readonly T[]): Promise<Record<string, T>> {
  const { verdicts } = machineOf(await readWisdom());
  return Object.fromEntries(
    Object.entries(verdicts).filter((entry): entry is [string, T] => (known as readonly string[]).includes(entry[1])),
  );
}

/** Adds verdicts to those that are remembered of this machine. False: nothing can be remembered here. */
export async function writeVerdicts(verdicts: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    const { machines } = await readWisdom(); // again: other processes learn as well
    const machine = machineOf({ machines });
    const learnt = { ...machine, verdicts: { ...machine.verdicts, ...verdicts } };
    const wisdom: Wisdom = { version: 1, package: version, machines: { ...machines, [machineKey()]: learnt } };
    // Level by level: a recursive mkdir never ends where the system does not tell what is wrong, as in /proc.
    for (const folder of [dirname(cacheFolder()), cacheFolder()]) await mkdir(folder).catch(() => {});
    await writeAtomic(wisdomFile(), `${JSON.stringify(wisdom, undefined, 2)}\n`);
    return true;
  } catch {
    return false; // the next process learns it again
  }
}

/** Where it is kept. */
export const wisdomFile = (): string => join(cacheFolder(), "wisdom.json");

async function readWisdom(): Promise<Pick<Wisdom, "machines">> {
  try {
    const wisdom: unknown = JSON.parse(await readFile(wisdomFile(), "utf8"));
    if (isObject(wisdom) && wisdom.version === 1 && wisdom.package === version && isObject(wisdom.machines))
      return wisdom as unknown as Wisdom;
  } catch {
    // As good as none.
  }
  return { machines: {} };
}

function machineOf({ machines }: Pick<Wisdom, "machines">): Machine {
  const machine: unknown = machines[machineKey()];
  return isObject(machine) && isObject(machine.verdicts) ? (machine as unknown as Machine) : { verdicts: {} };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
