// A contestant's process in the gate: see ../serve.ts. Its name is that of a native library, or "<bits> <folder>": rank1 from
// the sources of a checkout, by its public names alone.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { filterOf, optionsOf, outputFor } from "../filters/call.ts";
import type { Case } from "../filters/cases.ts";
import { makePicture } from "../filters/picture.ts";
import { makeData } from "../layers/data.ts";
import { preparedLayer } from "../layers/prepared.ts";
import { feedsOf, pathOf } from "../models/cases.ts";
import { opened } from "../models/rivals/rank1.ts";
import { jobOf } from "../models/rivals/rival.ts";
import { timed } from "../rival.ts";
import { type Job, serve } from "../serve.ts";
import type { NativeName, Task } from "./cases.ts";
import type { Result } from "./check.ts";

interface Player {
  version: string;
  prepare(task: Task): Promise<Job<Result>>;
}

const natives: Record<NativeName, (threads: number) => Promise<Player>> = {
  "ONNX Runtime": onnxRuntime,
  OpenCV: openCv,
};

await serve<Task, Result>((name, threads) => {
  if (name in natives) return natives[name as NativeName](threads);
  const [bits, ...folder] = name.split(" ");
  return rank1(folder.join(" "), threads, bits === "wide");
});

async function rank1(folder: string, threads: number, wide: boolean): Promise<Player> {
  const source = (path: string) => import(pathToFileURL(join(folder, "src", path)).href);
  const { createEngine, filters }: typeof import("../../src/index.ts") = await source("index.ts");
  const { loadModel }: typeof import("../../src/onnx/index.ts") = await source("onnx/index.ts");
  const engine = await createEngine({ threads, wide, backend: "wasm" });
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

  async function valueJob(problem: Case): Promise<Job<Result>> {
    const { width, height, channels, output } = problem;
    const [input, result] = (["u8", output] as const).map((dtype) => engine.alloc({ width, height, channels, dtype }));
    const picture = pictureOf(problem);
    const [filter, options, out] = [filterOf(problem, filters), optionsOf(problem), outputFor(problem, picture)];
    await input!.write(picture.data);
    return {
      run: () => timed(() => engine.filter(input!, filter, { ...options, out: result! })),
      result: async () => [(await result!.read(out)) as Result[number]],
      dispose() {
        for (const value of [input!, result!]) value.dispose();
      },
    };
  }
  function filterJob(problem: Case): Job<Result> {
    const picture = pictureOf(problem);
    const [filter, options, out] = [filterOf(problem, filters), optionsOf(problem), outputFor(problem, picture)];
    return {
      run: () => timed(() => engine.filter(picture, filter, { ...options, out })),
      result: () => [out],
      dispose() {},
    };
  }
  return {
    version: `${version}, ${engine.info().lanes} lanes`,
    async prepare(task) {
      const { kind, problem } = task;
      if (kind === "filter") return task.values ? valueJob(problem) : filterJob(problem);
      if (kind === "layer") return listed(await preparedLayer(engine, problem, false));
      return jobOf(opened(await loadModel(readFileSync(pathOf(problem)), { engine })), feedsOf(problem));
    },
  };
}

async function onnxRuntime(threads: number): Promise<Player> {
  const layers = await (await import("../layers/rivals/onnx-runtime.ts")).onnxNative(threads);
  const models = await (await import("../models/rivals/onnx-runtime.ts")).onnxNative(threads);
  return {
    version: layers.version,
    async prepare({ kind, problem }) {
      if (kind === "layer") return listed(await layers.prepare(problem, makeData(problem)));
      if (kind === "model") return jobOf(await models.open(readFileSync(pathOf(problem))), feedsOf(problem));
      throw new Error("ONNX Runtime does not filter pictures");
    },
  };
}

async function openCv(threads: number): Promise<Player> {
  const rivals = await (await import("../filters/rivals/native.ts")).native();
  const { version, prepare } = rivals.find(({ name }) => name === "OpenCV")!;
  return {
    version,
    async prepare({ kind, problem }) {
      if (kind === "filter") return listed(await prepare(problem, pictureOf(problem), threads));
      throw new Error("OpenCV filters pictures only");
    },
  };
}

const pictureOf = ({ width, height, channels }: Case) => makePicture(width, height, channels);

/** With the one result as a list of one. */
const listed = <R extends Result[number]>(job: Omit<Job<R>, "result"> & { result(): R | Promise<R> }): Job<Result> => ({
  ...job,
  result: async () => [await job.result()],
});
