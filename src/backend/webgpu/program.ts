// A plan on the GPU: its dispatches, and what they read and write. A run is one list of commands, submitted once; results are read
// where the caller gives arrays for them.
import { Rank1Error } from "../../errors.ts";
import { kernelOf } from "../../kernels/table.ts";
import { type Operand, operandOf } from "../../kernels/shader.ts";
import type { BufferSpec } from "../../plan/types.ts";
import { bytesOf, type Elements, newArray, type TypedArray } from "../../tensor.ts";
import type {
  BackendPlan,
  Binding,
  Bindings,
  Program,
  ProgramRunOptions,
  SourceBinding,
  TargetBinding,

  Weights,
} from "../backend.ts";
import { isValue } from "../backend.ts";
import { checkBindings, targetAt } from "../bindings.ts";
import { buffersOf, find } from "../margins.ts";
import { stopwatch } from "../slices.ts";
import type { GpuMemory } from "./memory.ts";
import { roomFor } from "./memory.ts";
import { alphaOf, isAlike, isPacked, sourceIn, targetOut, tensorIn, tensorOut } from "./movers.ts";
import type { Pipelines } from "./pipelines.ts";
import { keyOf, roomsFor, tableKey, type Task, type TaskList, taskOf, tasksOf } from "./tasks.ts";
import { GpuValue } from "./value.ts";

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
  /** The caller's elements on their way, by the id of the buffer and the place of the binding. */
  private readonly outer = new Map<string, GPUBuffer>();
  private outerBytes = 0;
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

  private pack(kernel: BackendPlan["stages"][number]["steps"][number]["kernel"], reads: BufferSpec[], weights: Weights): void {
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
      const read = this.plan.stages.some(({ steps }) => steps.some(({ reads }) => reads.some((id) => own.some((b) => b.id === id))));
      const stays = own.some(({ id, scope, picture }) => lasting.has(id) || (scope === "output" && picture === undefined)) || !read;
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
    this.outer.clear();
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
      const group = bindGroup(device, pipeline, { buffer: words, offset: i * wordsStep, size: wordsStep }, task, (key) =>
        key === tableKey ? table! : buffers.get(key)!,
      );
      return { pipeline, group, task };
    });
    this.made = { station, buffers, owned, words, steps };
    return this.made;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.host.take(-this.bytes - this.outerBytes);
    for (const buffer of [...(this.made?.owned ?? []), ...this.outer.values()]) buffer.destroy();
    this.made = undefined;
    this.outer.clear();
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

  private async execute(made: Made, inputs: Bindings, outputs: Bindings, { onStage }: ProgramRunOptions): Promise<void> {
    const { station, steps } = made;
    const { device, memory, pipelines } = station;
    const [ins, outs] = [this.moversIn(made, inputs), this.moversOut(made, inputs, outputs)];
    const all = [...ins, ...outs].map(({ task }) => task.text);
    const found = await pipelines.all(all);
    const owned: GPUBuffer[] = [];
    let encoder = device.createCommandEncoder();
    const move = ({ task, bind }: Moving): void => {
      const words = memory.uniform(wordsStep);
      owned.push(words);
      device.queue.writeBuffer(words, 0, task.words as Int32Array<ArrayBuffer>);
      const pipeline = found.get(task.text)!;
      const group = bindGroup(device, pipeline, { buffer: words }, task, (key) => bind.get(key) ?? made.buffers.get(key)!);
      dispatch(encoder, [{ pipeline, group, task }]);
    };
    for (const one of ins) move(one);
    if (onStage) {
      for (let stage = 0; stage < this.plan.stages.length; stage++) {
        onStage();
        dispatch(encoder, steps.filter(({ task }) => task.stage === stage));
        device.queue.submit([encoder.finish()]);
        await device.queue.onSubmittedWorkDone();
        encoder = device.createCommandEncoder();
      }
      onStage();
    } else dispatch(encoder, steps);
    for (const one of outs) move(one);
    const reads = this.copies(made, encoder, inputs, outputs);
    device.queue.submit([encoder.finish()]);
    await Promise.all(reads.map(({ lent, take }) => take(lent)));
    for (const buffer of owned) buffer.destroy();
  }

  /** The buffer of the caller's elements of one binding: a value's own, or one that is kept for the next run. */
  private outerOf(made: Made, name: string, { data }: Binding, bytes: number): GPUBuffer {
    if (isValue(data)) return (data as GpuValue).home;
    const known = this.outer.get(name);
    if (known && known.size >= roomFor(bytes)) return known;
    known?.destroy();
    this.host.take(roomFor(bytes) - (known?.size ?? 0));
    this.outerBytes += roomFor(bytes) - (known?.size ?? 0);
    const buffer = made.station.memory.storage(bytes);
    this.outer.set(name, buffer);
    return buffer;
  }

  private moversIn(made: Made, inputs: Bindings): Moving[] {
    const { memory, device, limits } = made.station;
    return inputs.flatMap(([id, binding], i): Moving[] => {
      const place = this.operandFor(id);
      const key = keyOf(place.spec);
      const home = made.buffers.get(key)!;
      const { data } = binding;
      if (binding.kind === "tensor" && isAlike(binding, place)) {
        if (!isValue(data)) memory.upload(home, data as Float32Array);
        else {
          const encoder = device.createCommandEncoder();
          encoder.copyBufferToBuffer((data as GpuValue).home, 0, home, 0, roomFor(4 * (data as GpuValue).length));
          device.queue.submit([encoder.finish()]);
        }
        return [];
      }
      const outer = this.outerOf(made, `in ${i}`, binding, bytesIn(binding));
      if (!isValue(data)) memory.upload(outer, arrayIn(binding, data as TypedArray));
      const made1 = binding.kind === "tensor" ? tensorIn(binding, place) : sourceIn(binding as SourceBinding, place);
      const task = taskOf(made1, { x0: "outer", y: key }, limits.dispatch, 0);
      return [{ task, bind: new Map([["outer", outer]]) }];
    });
  }

  private moversOut(made: Made, inputs: Bindings, outputs: Bindings): Moving[] {
    const { limits } = made.station;
    return outputs.flatMap(([id, binding], i): Moving[] => {
      const place = this.operandFor(id);
      if (binding.kind === "tensor" && isAlike(binding, place)) return [];
      const outer = this.outerOf(made, `out ${i}`, targetIn(binding), bytesIn(binding));
      const bind = new Map([["outer", outer]]);
      if (binding.kind === "tensor")
        return [{ task: taskOf(tensorOut(binding, place), { x0: keyOf(place.spec), y: "outer" }, limits.dispatch, 0), bind }];
      const target = binding as TargetBinding;
      const from = inputs.findIndex(([, one]) => one === target.source || one.kind === "source");
      if (alphaOf(target) === "keep") bind.set("source", this.outerOf(made, `in ${from}`, inputs[from]![1], 0));
      const keys = { x0: keyOf(place.spec), x1: "source", y: "outer" };
      return [{ task: taskOf(targetOut(target, place), keys, limits.dispatch, 0), bind }];
    });
  }

  /** Copies of results to where they can be read, and what then puts them into the caller's arrays. */
  private copies(made: Made, encoder: GPUCommandEncoder, _inputs: Bindings, outputs: Bindings) {
    const { memory } = made.station;
    return outputs.flatMap(([id, binding], i) => {
      const place = this.operandFor(id);
      const alike = binding.kind === "tensor" && isAlike(binding, place);
      const from = alike ? made.buffers.get(keyOf(place.spec))! : this.outerOf(made, `out ${i}`, targetIn(binding), 0);
      const bytes = bytesIn(binding);
      const { data } = binding;
      if (isValue(data) && binding.kind !== "target") {
        if (alike) encoder.copyBufferToBuffer(from, 0, (data as GpuValue).home, 0, roomFor(bytes));
        return [];
      }
      if (isValue(data) && !isPart(binding as TargetBinding)) return [];
      const lent = memory.lend(bytes);
      encoder.copyBufferToBuffer(from, 0, lent, 0, roomFor(bytes));
      const take = (lent: GPUBuffer): Promise<void> => this.put(memory, lent, binding);
      return [{ lent, take }];
    });
  }

  private async put(memory: GpuMemory, lent: GPUBuffer, binding: Binding): Promise<void> {
    const { data } = binding;
    const target = binding as TargetBinding;
    if (binding.kind !== "target" || !isPart(target)) return memory.read(lent, arrayIn(binding, data as TypedArray));
    const { width, height, at, source, dtype } = target;
    const result = newArray(dtype, width * height * source.channels);
    await memory.read(lent, result);
    if (isValue(data)) return data.write(result, { x: at!.x, y: at!.y, width, height });
    const row = width * source.channels;
    for (let y = 0; y < height; y++)
      (data as Elements).set(result.subarray(y * row, (y + 1) * row), targetAt(target, y) * source.channels);
  }

  private operandFor(id: string): Operand {
    const known = this.operands.get(id);
    if (known) return known;
    // Of a value that is given and taken without a step.
    const spec = find(this.plan.buffers, id);
    return operandOf(spec, { grid: { images: 1, extent: 1, grain: 1 }, steps: [] });
  }
}

interface Moving {
  task: Task;
  bind: Map<string, GPUBuffer>;
}

/** A result that is a part of what takes it does not go there at once. */
const isPart = ({ at, width, height, data, source }: TargetBinding): boolean =>
  at !== undefined && (at.x !== 0 || at.y !== 0 || at.pitch !== width || lengthOf(data) !== width * height * source.channels);
const lengthOf = (data: ArrayBufferView | { shape: readonly number[] }): number =>
  ArrayBuffer.isView(data) ? (data as unknown as Elements).length : data.shape.reduce((a, b) => a * b, 1);

/** A target that takes a part is computed apart. */
const targetIn = (binding: Binding): Binding =>
  binding.kind === "target" && isPart(binding) ? { ...binding, data: new Uint8Array(0) } : binding;

/** The bytes of a binding's elements. */
function bytesIn(binding: Binding): number {
  if (binding.kind === "tensor") return 4 * binding.images * binding.height * binding.width * binding.channels;
  const { width, height, dtype } = binding;
  return width * height * (binding.kind === "target" ? binding.source : binding).channels * bytesOf[dtype];
}

/** The elements of a binding, of an array that may be longer. */
const arrayIn = (binding: Binding, data: TypedArray): TypedArray =>
  (data as Elements).subarray(0, bytesIn(binding) / data.BYTES_PER_ELEMENT);

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

/** Why a run's bindings are none for the GPU: what only the host does with them. */
export function unfitFor(inputs: Bindings, outputs: Bindings): string | undefined {
  for (const [, binding] of [...inputs, ...outputs]) {
    if (binding.kind === "tensor") continue;
    const source = binding.kind === "target" ? binding.source : binding;
    if (source.known) return "pixels with weights of their own";
    if (!isPacked(binding.dtype) || !isPacked(source.dtype)) return `pictures of ${binding.dtype}`;
    if (binding.kind === "target" && alphaOf(binding) === undefined) return "derivatives under alpha that weights colours";
  }
  return undefined;
}

