// The gate: a few models, layers and filters against native libraries, and against rank1 as another checkout has it, in one
// run: `node gate.ts [--rank1 <folder>]`. See README.md.
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Contestant, contest, type Settings } from "./contest.ts";
import { type Change, changeOf, isSlower, isSlowerTwice, median } from "./gate/change.ts";
import { furtherTasks, missing, nativeOf, type Task, tasks } from "./gate/cases.ts";
import { judgeOf, type Result } from "./gate/check.ts";
import { commitOf, describeMachine } from "./machine.ts";
import { Remote } from "./remote.ts";
import { type Entry, rounded } from "./results.ts";
import { number, table } from "./tables.ts";

const { values: options } = parseArgs({
  options: {
    rank1: { type: "string" },
    only: { type: "string", multiple: true },
    rounds: { type: "string", default: "15" },
    narrow: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
const known = [...tasks, ...furtherTasks];
const names = known.map(({ problem }) => problem.name);
if (options.help) {
  console.log(`node gate.ts [--rank1 <folder of another checkout>] [--only <name>]... [--rounds <n>] [--narrow] [--json]
names: ${names.join(", ")}; without --only the first ${tasks.length}`);
  process.exit();
}
const rounds = Number(options.rounds);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds wants a positive integer, not ${options.rounds}`);
const unknown = options.only?.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`no case "${unknown}": there are ${names.join(", ")}`);
const say = (line: string): void => console.error(line);

/** Nobody sits out, so that blocks of one round can be compared; short of time there are fewer rounds. */
const settings: Settings = {
  rounds,
  budget: Infinity,
  leastRuns: Math.min(rounds, 9),
  longestRace: 18_000,
  turn: 30,
  rest: 60,
};
/** Milliseconds of runs before anything is timed, so that code is compiled by the optimising compiler. */
const warmUp = 200;

type Role = "rank1" | "before" | "native";
const here = resolve(import.meta.dirname, "..");
const folders: Partial<Record<Role, string>> = { rank1: here };
if (options.rank1 !== undefined) folders.before = resolve(options.rank1);

interface Player {
  role: Role;
  name: string;
  threads: number;
  remote: Remote<Task, Result>;
}

interface GateContestant extends Contestant {
  player: Player;
}

/** A contestant's median of each round, or why there is none. */
interface Outcome {
  player: Player;
  blocks: number[];
  leftOut?: string;
}

async function start(role: Role, name: string, threads: number): Promise<Player[]> {
  const script = join(import.meta.dirname, "gate", "child.ts");
  try {
    return [{ role, name, threads, remote: await Remote.start<Task, Result>(script, name, threads) }];
  } catch (error) {
    if (role !== "native") throw error;
    say(`${name}, ${threads} threads, does not take part: ${(error as Error).message}`);
    return [];
  }
}

const startRank1 = (role: Role, threads: number): Promise<Player[]> =>
  start(role, `${options.narrow ? "narrow" : "wide"} ${folders[role]}`, threads);

async function race(task: Task, players: readonly Player[]): Promise<Outcome[]> {
  const { name } = task.problem;
  const entrants = players.map((player) => {
    const { role, threads } = player;
    return { rival: player, entry: { rival: role, threads } as Entry };
  });
  const blocks = new Map(players.map((player) => [player, [] as number[]]));
  const prepare = async (player: Player, entry: Entry): Promise<GateContestant> => {
    const { remote } = player;
    await remote.ask({ operation: "prepare", problem: task, warmUp });
    const turn = async (milliseconds: number) => {
      const done = await remote.ask({ operation: "turn", milliseconds });
      blocks.get(player)!.push(median(done.times));
      return done;
    };
    return { player, entry, turn, scale: 1, plans: [], dispose: () => remote.ask({ operation: "dispose" }) };
  };
  const check = async (contestants: readonly GateContestant[]): Promise<void> => {
    const judge = contestants.find(({ player }) => player.role === "native") ?? contestants[0];
    if (!judge) return;
    const wrong = judgeOf(task, await judge.player.remote.ask({ operation: "result" }));
    for (const { player, entry } of contestants) {
      entry.leftOut = wrong(await player.remote.ask({ operation: "result" }), player.role === "native");
    }
  };
  await contest(name, entrants, { prepare, check }, settings, say);
  return entrants.map(({ rival, entry: { leftOut } }) => ({ player: rival, blocks: blocks.get(rival)!, leftOut }));
}

interface Row {
  name: string;
  title: string;
  threads: number;
  /** Milliseconds: the median of the rounds' medians. */
  times: Partial<Record<Role, number>>;
  leftOut: Partial<Record<Role, string>>;
  rounds: number;
  /** rank1's time over what it was before. */
  change?: Change;
  /** The same in new processes, where it seemed slower. */
  again?: Change;
}

const gotSlower = ({ change, again }: Row): boolean => isSlowerTwice(change, again);

function rowOf({ problem: { name, title } }: Task, threads: number, outcomes: readonly Outcome[]): Row {
  const row: Row = { name, title, threads, times: {}, leftOut: {}, rounds: 0 };
  for (const { player, blocks, leftOut } of outcomes.filter(({ player }) => player.threads === threads)) {
    if (leftOut !== undefined) row.leftOut[player.role] = leftOut;
    else row.times[player.role] = rounded(median(blocks));
    row.rounds = Math.max(row.rounds, blocks.length);
  }
  row.change = comparison(outcomes, threads);
  return row;
}

function comparison(outcomes: readonly Outcome[], threads: number): Change | undefined {
  const of = (role: Role) => outcomes.find(({ player }) => player.role === role && player.threads === threads);
  const [now, before] = [of("rank1"), of("before")];
  if (!now || !before || now.blocks.length === 0 || now.blocks.length !== before.blocks.length) return undefined;
  return changeOf(now.blocks.map((time, round) => time / before.blocks[round]!));
}

/** Two processes of the same code may differ for as long as they live: whoever seems slower is heard again in new ones. */
async function again(task: Task, threads: number): Promise<Change | undefined> {
  say(`${task.problem.name}, ${threads} threads: seems slower, again in new processes`);
  const players: Player[] = [];
  for (const role of ["before", "rank1"] as const) players.push(...(await startRank1(role, threads)));
  const change = comparison(await race(task, players), threads);
  for (const { remote } of players) remote.close();
  return change;
}

const machine = describeMachine();
const players: Player[] = [];
for (const threads of [1, 2]) {
  for (const role of Object.keys(folders) as Role[]) players.push(...(await startRank1(role, threads)));
  for (const name of ["ONNX Runtime", "OpenCV"] as const) players.push(...(await start("native", name, threads)));
}
const rows: Row[] = [];
const skipped: { name: string; reason: string }[] = [];
const { only } = options;
for (const task of only ? known.filter(({ problem }) => only.includes(problem.name)) : tasks) {
  const reason = missing(task);
  if (reason !== undefined) {
    skipped.push({ name: task.problem.name, reason });
    continue;
  }
  const outcomes = await race(
    task,
    players.filter(({ role, name }) => role !== "native" || name === nativeOf(task)),
  );
  for (const threads of [1, 2]) {
    const row = rowOf(task, threads, outcomes);
    if (isSlower(row.change)) row.again = await again(task, threads);
    rows.push(row);
  }
}
for (const { remote } of players) remote.close();

const versions = [
  ...Object.entries(folders).map(([role, folder]) => {
    const { remote } = players.find((player) => player.role === role)!;
    return { name: role, version: `${remote.version}, commit ${commitOf(folder)}` };
  }),
  ...players
    .filter(({ role, threads }) => role === "native" && threads === 1)
    .map(({ name, remote }) => ({ name, version: remote.version })),
];
const wrong = rows.flatMap(({ name, threads, leftOut }) =>
  (["rank1", "before"] as const)
    .flatMap((role) => leftOut[role] ?? [])
    .map((why) => `${name}, ${threads} threads: ${why}`),
);
const load = [machine, describeMachine()].map(({ load: [minute] }) => minute!);
if (options.json)
  console.log(JSON.stringify({ format: 1, machine: { ...machine, load }, versions, rows, skipped }, null, 2));
else console.log(report());
process.exitCode = rows.some(gotSlower) || rows.some(({ leftOut }) => leftOut.rank1) ? 1 : 0;

function report(): string {
  const { cpu, cores, os, node } = machine;
  const compared = "before" in folders;
  const lines = rows.map((row) => {
    const { title, threads, times, leftOut, rounds, change } = row;
    const ms = (role: Role): string => (times[role] === undefined ? (leftOut[role] ?? "–") : number(times[role]));
    const against = times.native && times.rank1 ? `${number(times.native / times.rank1)} ×` : "";
    const verdict = row.again ? `again ${said(row.again)}: ${gotSlower(row) ? "SLOWER" : "not slower"}` : "";
    const own = compared ? [ms("before"), change ? said(change) : "", verdict] : [];
    return [title, `${threads}`, `${rounds}`, ms("rank1"), ms("native"), against, ...own];
  });
  const more = compared ? ["before, ms", "rank1 over before (95 %)", "in new processes"] : [];
  const busy = load[0]! > 0.5 ? ": BUSY, figures mean little" : "";
  return [
    `${cpu}, ${cores} cores, ${os}, Node ${node}; load ${load.join(" before, ")} after${busy}`,
    ...versions.map(({ name, version }) => `${name} ${version}`),
    "",
    table(["case", "threads", "rounds", "rank1, ms", "native, ms", "native over rank1", ...more], lines),
    ...skipped.map(({ name, reason }) => `${name} skipped: ${reason}`),
    ...wrong,
  ].join("\n");
}

function said({ median, low, high }: Change): string {
  return `${number(median)}${low > 0 ? ` (${number(low)} – ${number(high)})` : ""}`;
}
