// @ts-check
// A worker thread: it instantiates the modules that it is sent, and otherwise lives in the driver's `watch`, which returns
// when there is mail, or nothing to do for long. Plain JavaScript without imports, so that the same file serves sources, builds and bundlers.

/**
 * @typedef {{ kind: "start", memory: WebAssembly.Memory, driver: WebAssembly.Module, thread: number, started: number }} Start
 * @typedef {{ kind: "kernels", module: WebAssembly.Module, entries: [name: string, index: number][] }} Kernels
 * @typedef {{ kind: "forget", indices: number[] }} Forget
 * @typedef {{ kind: "wake" }} Wake
 */

/** @type {WebAssembly.Memory} */
let memory;
/** @type {WebAssembly.Table} */
let table;
/** @type {(thread: number, read: number) => void} */
let watch;
let thread = 0;
let read = 0;

/** @param {Start | Kernels | Forget | Wake} message */
function receive(message) {
  if (message.kind === "start") {
    ({ memory, thread } = message);
    table = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
    const { exports } = new WebAssembly.Instance(message.driver, { env: { memory, table, due: () => 0 } });
    watch = /** @type {any} */ (exports.watch);
    Atomics.store(new Uint8Array(memory.buffer), message.started, 1);
  } else if (message.kind === "kernels") {
    const { exports } = new WebAssembly.Instance(message.module, { env: { memory } });
    for (const [name, index] of message.entries) {
      if (index >= table.length) table.grow(index + 1 - table.length);
      table.set(index, exports[name]);
    }
  } else if (message.kind === "forget") {
    for (const index of message.indices) if (index < table.length) table.set(index, null);
  }
  // Returns at once while more mail waits.
  watch(thread, ++read);
}

const node = /** @type {any} */ (globalThis).process?.getBuiltinModule?.("node:worker_threads");
if (node?.parentPort) node.parentPort.on("message", receive);
else globalThis.onmessage = (/** @type {MessageEvent<Start | Kernels | Forget | Wake>} */ event) => receive(event.data);
