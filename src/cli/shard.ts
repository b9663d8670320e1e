// Which part of the inputs is this process's own: --shard 3/10, or auto/10 with the index that a cluster's job gives.
import { UsageError } from "./arguments.ts";

/** One of several parts, from 1. */
export interface Shard {
  index: number;
  count: number;
}

/** An engine of jobs: the variables in which each of its processes finds its index, and how many there are. */
interface Cluster {
  title: string;
  index: string;
  count?: string;
}

export const clusters: readonly Cluster[] = [
  { title: "Kubernetes", index: "JOB_COMPLETION_INDEX" },
  { title: "AWS Batch", index: "AWS_BATCH_JOB_ARRAY_INDEX", count: "AWS_BATCH_JOB_ARRAY_SIZE" },
  { title: "Cloud Run", index: "CLOUD_RUN_TASK_INDEX", count: "CLOUD_RUN_TASK_COUNT" },
  { title: "Slurm", index: "SLURM_ARRAY_TASK_ID", count: "SLURM_ARRAY_TASK_COUNT" },
];

type Environment = Readonly<Record<string, string | undefined>>;

/** "3/10", "auto/10", "auto". Throws an Error whose message says the form, UsageError for variables that do not fit. */
export function parseShard(text: string, environment: Environment): Shard {
  const [, first, second] = /^(auto|\d+)(?:\/(\d+))?$/.exec(text.trim()) ?? [];
  const count = second === undefined ? undefined : Number(second);
  const isPart =
    first !== undefined && (first === "auto" || (count !== undefined && isWithin(Number(first), 1, count)));
  if (!isPart || count === 0) throw new Error("Expected K/N such as 3/10, with K from 1 to N, or auto/N or auto.");
  return first === "auto" ? fromEnvironment(environment, count) : { index: Number(first), count: count! };
}

const isWithin = (value: number, least: number, most: number): boolean => value >= least && value <= most;

/** The variable that says the index of this process, where one does. */
export const clusterOf = (environment: Environment): Cluster | undefined =>
  clusters.find(({ index }) => (environment[index] ?? "") !== "");

function fromEnvironment(environment: Environment, given: number | undefined): Shard {
  const wrong = (expected: string, received: string): never => {
    throw new UsageError(`--shard: expected ${expected}, got ${received}`);
  };
  const cluster = clusterOf(environment);
  if (!cluster) return wrong(`one of ${clusters.map(({ index }) => index).join(", ")} to be set`, "none");
  const { title, index: name, count: total } = cluster;
  const number = (variable: string): number => {
    const text = environment[variable] ?? "";
    return /^\d+$/.test(text) ? Number(text) : wrong(`an integer in ${variable}`, JSON.stringify(text));
  };
  const said = total !== undefined && environment[total] ? number(total) : undefined;
  const count = given ?? said ?? wrong(`auto/N on ${title}, which does not say how many parts there are`, "auto");
  const index = number(name);
  if (index < count) return { index: index + 1, count };
  return wrong(`indices from 0 to ${count - 1} in ${name}`, `${index}`);
}
