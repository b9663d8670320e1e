// @ts-check
// A worker thread: keeps the modules it was sent, and for each job takes filled slots until the job ends. Plain
// JavaScript without imports, so that the same file serves sources, builds and bundlers. Its protocol is pool.ts.

/**
 * @typedef {{ base: "slot" | "scratch" | "absolute", offset: number }} OperandAddress
 * @typedef {{ module: number, entry: string, params: number, operands: OperandAddress[] }} WorkerCall
 * @typedef {{ kind: "job", epoch: number, control: number, slots: number[], scratch: number, calls: WorkerCall[] }} Job
 * @typedef {{ module: number, entry: string, arity: number }} SweepCall
 * @typedef {{ script: number, words: number, strips: number, calls: SweepCall[] }} SweepStage
 * @typedef {{ kind: "sweep", epoch: number, control: number, counters: number, scratch: number, stages: SweepStage[] }} Sweep
 * @typedef {{ kind: "memory", memory: WebAssembly.Memory, started: number } | { kind: "module", id: number, module: WebAssembly.Module } | Job | Sweep} Message
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
  else if (message.kind === "job") work(message);
  else sweep(message);
}

/** @typedef {(...values: number[]) => void} Entry */
/** @type {(module: number, entry: string) => Entry} */
const codeOf = (module, entry) => /** @type {Entry} */ (modules.get(module)?.[entry]);

/** @param {Job} job */
function work({ epoch, control, slots, scratch, calls }) {
  const words = new Int32Array(memory.buffer);
  const at = control / 4;
  const current = () => Atomics.load(words, at + epochWord) === epoch;
  const bound = calls.map(({ module, entry, params, operands }) => ({
    run: codeOf(module, entry),
    params,
    operands,
  }));
  present(words, at, () => {
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
  });
}

/**
 * Works while this thread is counted as active.
 * @param {Int32Array} words @param {number} at @param {() => void} task
 */
function present(words, at, task) {
  Atomics.add(words, at + activeWord, 1);
  try {
    task();
  } finally {
    Atomics.sub(words, at + activeWord, 1);
    Atomics.add(words, at + finishedWord, 1);
    Atomics.notify(words, at + finishedWord);
  }
}

/**
 * Stage after stage: takes strips until none is left, then waits until all are done.
 * @param {Sweep} message
 */
function sweep({ epoch, control, counters, scratch, stages }) {
  const words = new Int32Array(memory.buffer);
  const at = control / 4;
  const current = () => Atomics.load(words, at + epochWord) === epoch;
  present(words, at, () => {
    stages.forEach(({ script, words: length, strips, calls }, stage) => {
      const [begun, finished] = [counters / 4 + 2 * stage, counters / 4 + 2 * stage + 1];
      const code = calls.map(({ module, entry, arity }) => ({ run: codeOf(module, entry), arity }));
      while (current()) {
        const strip = Atomics.add(words, begun, 1);
        if (strip >= strips) break;
        let next = script / 4 + strip * length;
        for (const { run, arity } of code) {
          const values = [words[next++]];
          for (let i = 0; i < arity; i++, next++)
            values.push(words[next] & 1 ? words[next] - 1 + scratch : words[next]);
          run(...values);
        }
        if (Atomics.add(words, finished, 1) + 1 < strips) continue;
        // The last strip of the stage: whoever waits may go on.
        Atomics.notify(words, finished);
        Atomics.add(words, at + finishedWord, 1);
        Atomics.notify(words, at + finishedWord);
      }
      for (let i = 0; current(); i++) {
        const done = Atomics.load(words, finished);
        if (done >= strips) break;
        if (i > spins) Atomics.wait(words, finished, done, 1);
      }
    });
  });
}

const node = /** @type {any} */ (globalThis).process?.getBuiltinModule?.("node:worker_threads");
if (node?.parentPort) node.parentPort.on("message", receive);
else globalThis.onmessage = (/** @type {MessageEvent<Message>} */ event) => receive(event.data);
