// A plan on the GPU: its dispatches, and what they read and write. A run is one list of commands, submitted once; results are read
// where the caller gives arrays for them.
import { Rank1Error } from "../../errors.ts";
import { type Operand, operandOf } from "../../kernels/shader.ts";
import { kernelOf } from "../../kernels/table.ts";
import type { BufferSpec } from "../../plan/types.ts";
import { type Elements, newArray } from "../../tensor.ts";
import type { BackendPlan, Bindings, Program, ProgramRunOptions, Weights } from "../backend.ts";
import { checkBindings } from "../bindings.ts";
import { buffersOf } from "../margins.ts";
import { stopwatch } from "../slices.ts";
import { Ends, type Moving } from "./ends.ts";
import type { GpuMemory } from "./memory.ts";
import { roomFor } from "./memory.ts";
import type { Pipelines } from "./pipelines.ts";
import { keyOf, roomsFor, type Task, type TaskList, tableKey, tasksOf } from "./tasks.ts";

/** A device that is there, with what was made on it. */
export interface Station {
  device: GPUDevice;
  memory: GpuMemory;
  pipelines: Pipelines;
  limits: { dispatch: number; shared: number; binding: number };
}

/** What programs need of their backend. */
export interface ProgramHost {
  take(bytes: number): void;
  /** The device that there is, or a new one. */
  station(): Promise<Station>;
  /** Runs work for which validation and memory are watched; a loss is told by an error of its own. */
  watched<T>(station: Station, work: () => Promise<T>): Promise<T>;
  isOwn(value: unknown): boolean;
}

/** Bytes from one block of words to the next: portable offsets. */
const wordsStep = 256;

/** What was made on a device: it is made again on another one. */
interface Made {
  station: Station;
  buffers: Map<string, GPUBuffer>;
  owned: GPUBuffer[];
  words: GPUBuffer;
  steps: { pipeline: GPUComputePipeline; group: GPUBindGroup; task: Task }[];
}

export class GpuProgram implements Program {
  readonly phases: Record<string, number> = {};
  readonly bytes: number;
  private readonly host: ProgramHost;
  private readonly plan: BackendPlan;
  private readonly list: TaskList;
  private readonly constants = new Map<string, Elements>();
  private readonly operands = new Map<string, Operand>();
  private made: Made | undefined;
  private readonly ends: Ends;
  private disposed = false;

  private constructor(host: ProgramHost, plan: BackendPlan, weights: Weights, station: Station) {
    const watch = stopwatch();
    this.host = host;
    this.plan = plan;
    this.list = tasksOf(plan, station.limits);
    this.phases.layout = watch();
    for (const stage of plan.stages)
      for (const step of stage.steps) {
        const { reads, write } = buffersOf(step, plan.buffers);
        for (const spec of [...reads, write]) this.operands.set(spec.id, operandOf(spec, stage));
        this.pack(step.kernel, reads, weights);
      }
    this.phases.weights = watch();
    this.ends = new Ends(host, plan, this.operands);
    this.bytes = this.sizes().reduce((sum, bytes) => sum + bytes, this.list.tasks.length * wordsStep);
    host.take(this.bytes);
  }

  static async create(host: ProgramHost, plan: BackendPlan, weights: Weights): Promise<GpuProgram> {
    const station = await host.station();
    const program = new GpuProgram(host, plan, weights, station);
    const watch = stopwatch();
    try {
      await host.watched(station, () => program.on(station));
    } catch (error) {
      program.dispose();
      throw error;
    }
    program.phases.code = watch();
    return program;
  }

  private pack(
    kernel: BackendPlan["stages"][number]["steps"][number]["kernel"],
    reads: BufferSpec[],
    weights: Weights,
  ): void {
    for (const { id, scope, dtype, width, channels } of reads) {
      if (scope !== "constant" || this.constants.has(id)) continue;
      const given = weights.get(id);
      if (!given) throw new Error(`program: no weights for ${id}`);
      const packed = newArray(dtype, Math.ceil((width * channels) / 4) * 4);
      kernelOf(kernel).pack!(kernel, reads[0]!, given, packed.subarray(0, width * channels) as Elements);
      this.constants.set(id, packed);
    }
  }

  /** Bytes of rooms, constants and tables. */
  private sizes(): number[] {
    return [
      ...this.rooms().map(({ elements }) => roomFor(4 * elements)),
      ...[...this.constants.values()].map(({ byteLength }) => roomFor(byteLength)),
      ...this.list.tasks.map(({ table }) => (table ? roomFor(table.byteLength) : 0)),
    ];
  }

  private rooms() {
    const { buffers, ends = [] } = this.plan;
    const last = this.list.tasks.length;
    const lasting = new Set(ends);
    const written = new Set(this.plan.stages.flatMap(({ steps }) => steps.map(({ writes }) => writes)));
    const places = [...this.list.places.values()].flatMap((place) => {
      const own = buffers.filter((spec) => keyOf(spec) === place.key);
      if (own.some(({ scope }) => scope === "constant")) return [];
      // What the caller gives comes before all tasks; results stay, as does what nobody reads.
      const given = own.some(({ id, scope }) => !written.has(id) && scope !== "strip" && !this.isBetween(own));
      const read = this.plan.stages.some(({ steps }) =>
        steps.some(({ reads }) => reads.some((id) => own.some((b) => b.id === id))),
      );
      const stays =
        own.some(({ id, scope, picture }) => lasting.has(id) || (scope === "output" && picture === undefined)) || !read;
      return [{ ...place, first: given ? -1 : place.first, last: stays ? last : place.last }];
    });
    return roomsFor(places);
  }

  /** Pictures between stages are written under one name and read under another. */
  private isBetween(own: readonly BufferSpec[]): boolean {
    return own.some(({ picture }) => picture !== undefined);
  }

  /** What stands on a device; made anew on another one. */
  private async on(station: Station): Promise<Made> {
    if (this.made?.station === station) return this.made;
    const { memory, pipelines, device } = station;
    const buffers = new Map<string, GPUBuffer>();
    const owned: GPUBuffer[] = [];
    this.ends.clear();
    const own = (buffer: GPUBuffer): GPUBuffer => {
      owned.push(buffer);
      return buffer;
    };
    for (const { elements, keys } of this.rooms()) {
      const buffer = own(memory.storage(4 * elements));
      for (const key of keys) buffers.set(key, buffer);
    }
    for (const [id, packed] of this.constants) {
      const buffer = own(memory.storage(packed.byteLength));
      memory.upload(buffer, packed);
      buffers.set(id, buffer);
    }
    const { tasks } = this.list;
    const words = own(memory.uniform(Math.max(1, tasks.length) * wordsStep));
    const found = await pipelines.all(tasks.map(({ text }) => text));
    const steps = tasks.map((task, i) => {
      device.queue.writeBuffer(words, i * wordsStep, task.words as Int32Array<ArrayBuffer>);
      let table: GPUBuffer | undefined;
      if (task.table) {
        table = own(memory.storage(task.table.byteLength));
        memory.upload(table, task.table);
      }
      const pipeline = found.get(task.text)!;
      const group = bindGroup(
        device,
        pipeline,
        { buffer: words, offset: i * wordsStep, size: wordsStep },
        task,
        (key) => (key === tableKey ? table! : buffers.get(key)!),
      );
      return { pipeline, group, task };
    });
    this.made = { station, buffers, owned, words, steps };
    return this.made;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.host.take(-this.bytes);
    for (const buffer of this.made?.owned ?? []) buffer.destroy();
    this.made = undefined;
    this.ends.clear();
  }

  async run(inputs: Bindings, outputs: Bindings, options: ProgramRunOptions = {}): Promise<void> {
    if (this.disposed) {
      const [expected, received] = ["one in use", "a disposed one"];
      throw new Rank1Error("DISPOSED", { parameter: "layer", expected, received });
    }
    const { signal, onProgress } = options;
    signal?.throwIfAborted();
    for (const bindings of [inputs, outputs]) checkBindings(bindings, (value) => this.host.isOwn(value));
    const station = await this.host.station();
    await this.host.watched(station, async () => this.execute(await this.on(station), inputs, outputs, options));
    signal?.throwIfAborted();
    onProgress?.(1);
  }

  private async execute(
    made: Made,
    inputs: Bindings,
    outputs: Bindings,
    { onStage }: ProgramRunOptions,
  ): Promise<void> {
    const { station, steps } = made;
    const { device, memory, pipelines } = station;
    const ins = this.ends.moversIn(station, made.buffers, inputs);
    const outs = this.ends.moversOut(station, inputs, outputs);
    const all = [...ins, ...outs].map(({ task }) => task.text);
    const found = await pipelines.all(all);
    const owned: GPUBuffer[] = [];
    let encoder = device.createCommandEncoder();
    const move = ({ task, bind }: Moving): void => {
      const words = memory.uniform(wordsStep);
      owned.push(words);
      device.queue.writeBuffer(words, 0, task.words as Int32Array<ArrayBuffer>);
      const pipeline = found.get(task.text)!;
      const group = bindGroup(
        device,
        pipeline,
        { buffer: words },
        task,
        (key) => bind.get(key) ?? made.buffers.get(key)!,
      );
      dispatch(encoder, [{ pipeline, group, task }]);
    };
    for (const one of ins) move(one);
    if (onStage) {
      for (let stage = 0; stage < this.plan.stages.length; stage++) {
        onStage();
        dispatch(
          encoder,
          steps.filter(({ task }) => task.stage === stage),
        );
        device.queue.submit([encoder.finish()]);
        await device.queue.onSubmittedWorkDone();
        encoder = device.createCommandEncoder();
      }
      onStage();
    } else dispatch(encoder, steps);
    for (const one of outs) move(one);
    const reads = this.ends.copies(station, made.buffers, encoder, outputs);
    device.queue.submit([encoder.finish()]);
    await Promise.all(reads.map(({ lent, take }) => take(lent)));
    for (const buffer of owned) buffer.destroy();
  }
}

function bindGroup(
  device: GPUDevice,
  pipeline: GPUComputePipeline,
  words: GPUBufferBinding,
  task: Task,
  bufferOf: (key: string) => GPUBuffer,
): GPUBindGroup {
  const entries = [words, ...task.binds.map((key): GPUBufferBinding => ({ buffer: bufferOf(key) }))];
  return device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: entries.map((resource, binding) => ({ binding, resource })),
  });
}

function dispatch(
  encoder: GPUCommandEncoder,
  steps: readonly { pipeline: GPUComputePipeline; group: GPUBindGroup; task: Task }[],
): void {
  const pass = encoder.beginComputePass();
  for (const { pipeline, group, task } of steps) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...task.groups);
  }
  pass.end();
}
