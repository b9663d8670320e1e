// @ts-check
// A worker thread: keeps the modules it was sent, and for each job takes filled slots until the job ends. Plain
// JavaScript without imports, so that the same file serves sources, builds and bundlers. Its protocol is pool.ts.

/**
 * @typedef {{ base: "slot" | "scratch" | "absolute", offset: number }} OperandAddress
 * @typedef {{ module: number, entry: string, params: number, operands: OperandAddress[] }} WorkerCall
 * @typedef {{ kind: "job", epoch: number, control: number, slots: number[], scratch: number, calls: WorkerCall[] }} Job
 * @typedef {{ kind: "memory", memory: WebAssembly.Memory, started: number } | { kind: "module", id: number, module: WebAssembly.Module } | Job} Message
 */

const [epochWord, activeWord, wakeWord, finishedWord] = [0, 1, 2, 3];
const [filled, running, done] = [1, 2, 3];
const spins = 2000;

/** @type {WebAssembly.Memory} */
let memory;
/** @type {Map<number, WebAssembly.Exports>} */
const modules = new Map();

/** @param {Message} message */
function receive(message) {
  if (message.kind === "memory") {
    memory = message.memory;
    Atomics.store(new Uint8Array(memory.buffer), message.started, 1);
  } else if (message.kind === "module")
    modules.set(message.id, new WebAssembly.Instance(message.module, { env: { memory } }).exports);
  else work(message);
}

/** @param {Job} job */
function work({ epoch, control, slots, scratch, calls }) {
  const words = new Int32Array(memory.buffer);
  const at = control / 4;
  const current = () => Atomics.load(words, at + epochWord) === epoch;
  const bound = calls.map(({ module, entry, params, operands }) => ({
    run: /** @type {(...values: number[]) => void} */ (modules.get(module)?.[entry]),
    params,
    operands,
  }));
  Atomics.add(words, at + activeWord, 1);
  try {
    while (current()) {
      const seen = Atomics.load(words, at + wakeWord);
      let worked = false;
      for (const slot of slots) {
        if (Atomics.compareExchange(words, slot / 4, filled, running) !== filled) continue;
        const rows = words[slot / 4 + 1];
        for (const { run, params, operands } of bound) {
          run(
            rows,
            params,
            ...operands.map(({ base, offset }) => offset + (base === "slot" ? slot : base === "scratch" ? scratch : 0)),
          );
        }
        Atomics.store(words, slot / 4, done);
        Atomics.add(words, at + finishedWord, 1);
        Atomics.notify(words, at + finishedWord);
        worked = true;
      }
      for (let i = 0; !worked && i < spins; i++) worked = Atomics.load(words, at + wakeWord) !== seen;
      if (!worked && current()) Atomics.wait(words, at + wakeWord, seen, 1000);
    }
  } finally {
    Atomics.sub(words, at + activeWord, 1);
    Atomics.add(words, at + finishedWord, 1);
    Atomics.notify(words, at + finishedWord);
  }
}

const node = /** @type {any} */ (globalThis).process?.getBuiltinModule?.("node:worker_threads");
if (node?.parentPort) node.parentPort.on("message", receive);
else globalThis.onmessage = (/** @type {MessageEvent<Message>} */ event) => receive(event.data);
