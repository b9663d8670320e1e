// The few differences between Node and browsers that threads need. Node's modules are asked for at run time: a static
// import of "node:" would break bundles for browsers.

/** A thread as both worlds offer it. */
export interface Thread {
  post(message: unknown): void;
  onFailure(listener: (error: Error) => void): void;
  /** Whether this thread keeps the process alive (Node). */
  hold(alive: boolean): void;
  /** Resolves when the thread runs no more. */
  terminate(): Promise<unknown>;
}

interface NodeWorker {
  postMessage(message: unknown): void;
  on(event: "error" | "exit", listener: (value: unknown) => void): void;
  ref(): void;
  unref(): void;
  terminate(): Promise<number>;
}

interface NodeWorkerOptions {
  execArgv: string[];
  stdout: boolean;
  stderr: boolean;
}

interface Builtins {
  getBuiltinModule?: (
    name: string,
  ) =>
    | { Worker: new (url: URL, options: NodeWorkerOptions) => NodeWorker; availableParallelism?: () => number }
    | undefined;
}

const builtins = (globalThis as { process?: Builtins }).process;

/** Starts a thread that runs worker.js. `createWorker` replaces the way it is made, for pages with needs of their own. */
export function startThread(createWorker?: () => Worker): Thread {
  const nodeWorkers = builtins?.getBuiltinModule?.("node:worker_threads");
  if (nodeWorkers && !createWorker) {
    const { Worker } = nodeWorkers;
    // With none of the process's own flags: some, such as --input-type, are refused for a file. And with output that goes
    // nowhere, for there is none: to connect it to the process's own takes longer than all else here. Bundlers want the
    // options as a literal.
    return nodeThread(
      new Worker(new URL("./worker.js", import.meta.url), { execArgv: [], stdout: true, stderr: true }),
    );
  }
  return webThread(createWorker?.() ?? new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
}

function nodeThread(worker: NodeWorker): Thread {
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    onFailure(listener) {
      worker.on("error", (error) => listener(error instanceof Error ? error : new Error(String(error))));
      worker.on("exit", (code) => listener(new Error(`a worker thread ended with exit code ${code}`)));
    },
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
    terminate: () => worker.terminate(),
  };
}

function webThread(worker: Worker): Thread {
  return {
    post: (message) => worker.postMessage(message),
    onFailure(listener) {
      worker.addEventListener("error", (event) =>
        listener(new Error(event.message || "its script could not be loaded")),
      );
    },
    hold: () => {},
    terminate: async () => worker.terminate(),
  };
}

export function hardwareThreads(): number {
  const nodeOs = builtins?.getBuiltinModule?.("node:os");
  return nodeOs?.availableParallelism?.() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}
