// The worker: holds one engine, one picture and one model, so that the page stays responsive while they compute.
import { layer } from "./layers.ts";
import { decode, filter, frame, info, measure, save, stage, stages, time } from "./pictures.ts";
import type { Calls, Context, Kind, Reply, Request, ToWorker } from "./protocol.ts";

type Answers = { [K in Kind]: (args: Calls[K]["args"], context: Context) => Promise<Calls[K]["answer"]> };

/** Models are read, run and separated by code that is loaded when the first one is opened. */
const models = () => import("./models.ts");
const answers: Answers = {
  ...{ info, decode, stage, frame, filter, time, save, stages, measure, layer },
  open: async (args) => (await models()).open(args),
  splits: async (args) => (await models()).splits(args),
  kernels: async (args) => (await models()).kernels(args),
  openSeparated: async (args) => (await models()).openSeparated(args),
  run: async (args, context) => (await models()).run(args, context),
  separate: async (args, context) => (await import("./separation.ts")).separate(args, context),
};
const running = new Map<number, AbortController>();
const scope = self as unknown as {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(reply: Reply, transfer?: Transferable[]): void;
};

scope.onmessage = ({ data }) => {
  if ("abort" in data) running.get(data.abort)?.abort();
  else void answer(data);
};

async function answer({ id, kind, args }: Request): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const progress = (done: number, what?: string): void => scope.postMessage({ id, progress: done, what });
    const found = await (answers[kind] as Answers[Kind])(args as never, { signal: controller.signal, progress });
    scope.postMessage({ id, answer: found }, buffersOf(found));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    scope.postMessage({ id, error: message, aborted: controller.signal.aborted });
  } finally {
    running.delete(id);
  }
}

/** The bytes of pictures in an answer: they move. */
function buffersOf(answer: unknown): ArrayBuffer[] {
  const all = Array.isArray(answer) ? answer : [answer];
  return all.flatMap((one) => (one?.data instanceof ArrayBuffer ? [one.data] : []));
}
