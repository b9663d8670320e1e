// Starts the command line: signals, streams and the exit code. The commands are in program.ts, which Node keeps compiled in
// its cache for the next time (NODE_DISABLE_COMPILE_CACHE=1 turns that off).
import { enableCompileCache } from "node:module";

const [, , ...args] = process.argv;
const isWorker = args[0] === "worker" && process.send !== undefined;
const interruption = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    // Terminals and supervisors signal all processes at once. What becomes of a worker is its parent's to say, which may let it finish
    if (isWorker) return;
    // A second signal, or a library that does not let go, ends the process; temporary files go with it
    if (interruption.signal.aborted) process.exit(130);
    interruption.abort();
    setTimeout(() => process.exit(130), 1000).unref();
  });
}
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0); // the reader has gone, as in `rank1 filters | head -1`
  console.error(`rank1: the standard output cannot be written: ${error.message}`);
  process.exit(1);
});

enableCompileCache();
if (isWorker) await (await import("./worker.ts")).work(interruption.signal);
else {
  const { runProgram } = await import("./program.ts");
  process.exitCode = await runProgram(args, interruption.signal);
}
