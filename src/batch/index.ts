// The public face of a command's work on many inputs, for queues of jobs: exports only.

export {
  type BatchJob,
  type BatchOptions,
  type BatchPlan,
  BatchStopped,
  BatchUsageError,
  type BatchWorkers,
  openBatch,
  type PlanOptions,
  planBatch,
} from "../cli/work.ts";
