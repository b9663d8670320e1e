// The backend of the GPU: plans as dispatches of WGSL. What has no WGSL runs on another backend, and is told by `graphics`.
import { LimitError, Rank1Error } from "../../errors.ts";
import { builtInProfile } from "../../plan/cost.ts";
import type { Profile } from "../../plan/types.ts";
import type { ValueDType } from "../../tensor.ts";
import type {
  Backend,
  BackendPlan,
  Bindings,
  CompileOptions,
  GraphicsInfo,
  Program,
  ProgramRunOptions,
  Value,
  Weights,
} from "../backend.ts";
import { type DeviceOptions, lostDevice, type OpenDevice, openDevice } from "./device.ts";
import { ElsewhereProgram, MixedProgram, segmentsOf } from "./elsewhere.ts";
import { unfitFor } from "./ends.ts";
import { GpuMemory } from "./memory.ts";
import { Pipelines } from "./pipelines.ts";
import { GpuProgram, type ProgramHost, type Station } from "./program.ts";
import { missingIn, tasksOf } from "./tasks.ts";
import { GpuValue, type ValueHost } from "./value.ts";

/** Plans as for WebAssembly, but for those that there is no WGSL of: they would run elsewhere. */
const profile: Profile = {
  ...builtInProfile,
  name: "webgpu",
  multiplication: { ...builtInProfile.multiplication, fft: 1e3, fft64: 1e3 },
};

/** So many reasons are told at most. */
const mostTold = 20;

export class WebGpuBackend implements Backend, ProgramHost, ValueHost {
  readonly name = "webgpu";
  readonly profile = profile;
  readonly threads = 1;
  private readonly maxMemory: number;
  private readonly options: DeviceOptions;
  private readonly makeOther: () => Promise<Backend>;
  private opened: OpenDevice;
  private current: Station | undefined;
  private other: Promise<Backend> | undefined;
  private others: Backend | undefined;
  private readonly told = new Set<string>();
  private losses = 0;
  private held = 0;
  private disposed = false;

  private constructor(
    maxMemory: number,
    options: DeviceOptions,
    opened: OpenDevice,
    makeOther: () => Promise<Backend>,
  ) {
    this.maxMemory = maxMemory;
    this.options = options;
    this.makeOther = makeOther;
    this.opened = opened;
    this.current = this.stationOf(opened);
  }

  /** `makeOther` makes the backend that runs what has no WGSL, when there is some. */
  static async create(
    maxMemory: number,
    options: DeviceOptions,
    makeOther: () => Promise<Backend>,
  ): Promise<WebGpuBackend> {
    return new WebGpuBackend(maxMemory, options, await openDevice(options), makeOther);
  }

  get memory(): GpuMemory | undefined {
    return this.current?.memory;
  }

  get graphics(): GraphicsInfo {
    const { adapter, limits } = this.opened;
    return {
      ...{ adapter: adapter.name, software: adapter.software },
      ...{ maxBufferBytes: limits.buffer, maxBindingBytes: limits.binding, sharedBytes: limits.shared },
      ...{ elsewhere: [...this.told], losses: this.losses },
    };
  }

  take(bytes: number): void {
    const held = this.bytes() + bytes;
    if (bytes > 0 && held > this.maxMemory) {
      const [expected, received] = [`at most ${this.maxMemory} bytes of working memory`, `${held}`];
      const hint = "raise it with createEngine({ maxMemory })";
      throw new LimitError({ parameter: "maxMemory", expected, received, hint });
    }
    this.held += bytes;
  }

  isOwn(value: unknown): boolean {
    return value instanceof GpuValue && value.host === this;
  }

  async station(): Promise<Station> {
    if (this.current) return this.current;
    this.opened = await openDevice({ ...this.options, device: undefined });
    this.current = this.stationOf(this.opened);
    return this.current;
  }

  private stationOf({ device, limits }: OpenDevice): Station {
    const station: Station = {
      ...{ device, memory: new GpuMemory(device), pipelines: new Pipelines(device) },
      limits: { dispatch: limits.dispatch, shared: limits.shared, binding: limits.binding },
    };
    device.lost.then(() => {
      if (this.current !== station || this.disposed) return;
      this.current = undefined;
      this.losses++;
    });
    return station;
  }

  async watched<T>(station: Station, work: () => Promise<T>): Promise<T> {
    const { device } = station;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    let [result, failure]: [T | undefined, unknown] = [undefined, undefined];
    try {
      result = await work();
    } catch (error) {
      failure = error ?? new Error("the GPU failed");
    }
    const found = await Promise.all([device.popErrorScope(), device.popErrorScope()]).catch(() => [null, null]);
    const loss = await Promise.race([device.lost, Promise.resolve(undefined)]);
    if (loss && this.current === station) {
      this.current = undefined;
      this.losses++;
    }
    if (loss || this.current !== station) throw lostDevice(loss?.message ?? "");
    const [memory, validation] = found;
    if (memory) {
      const [expected, received] = ["what the GPU's memory holds", memory.message];
      throw new LimitError({ parameter: "GPU memory", expected, received });
    }
    if (failure instanceof Rank1Error || (failure && !validation)) throw failure;
    if (validation) throw new Error(`WebGPU: ${validation.message}`, { cause: failure });
    return result as T;
  }

  async compile(plan: BackendPlan, weights: Weights, options?: CompileOptions): Promise<Program> {
    const why = plan.stages.map((stage) => missingIn(stage, plan.buffers));
    const onGpu = why.map((one) => one === undefined);
    const station = await this.station();
    if (onGpu.every(Boolean)) {
      const large = this.tooLarge(plan, station);
      if (large === undefined) return this.onGpu(plan, weights);
      this.tell(large);
      return this.elsewhere(plan, weights, options);
    }
    for (const one of why) if (one !== undefined) this.tell(one);
    const segments = onGpu.some(Boolean) ? segmentsOf(plan.stages, plan.buffers, onGpu) : undefined;
    if (!segments) return this.elsewhere(plan, weights, options);
    return MixedProgram.create(plan, weights, segments, (part, weights, onGpu) => {
      if (onGpu && this.tooLarge(part, station) === undefined) return this.onGpu(part, weights);
      return this.elsewhere(part, weights, options);
    });
  }

  private tooLarge(plan: BackendPlan, { limits }: Station): string | undefined {
    for (const { elements } of tasksOf(plan, limits).places.values())
      if (4 * elements > limits.binding) return `a value of ${4 * elements} bytes, more than the GPU binds at once`;
    return undefined;
  }

  private async onGpu(plan: BackendPlan, weights: Weights): Promise<Program> {
    const program = await GpuProgram.create(this, plan, weights);
    return withTwin(program, plan, (why) => {
      this.tell(why);
      return this.elsewhere(plan, weights);
    });
  }

  private async elsewhere(plan: BackendPlan, weights: Weights, options?: CompileOptions): Promise<Program> {
    this.other ??= this.makeOther();
    this.others = await this.other;
    return new ElsewhereProgram(await this.others.compile(plan, weights, options));
  }

  private tell(why: string): void {
    if (this.told.size < mostTold) this.told.add(why);
  }

  alloc({ shape, dtype }: { shape: readonly number[]; dtype: ValueDType }): Value {
    const { memory } = this;
    if (!memory) throw lostDevice("");
    return new GpuValue(this, memory, shape, dtype);
  }

  bytes(): number {
    return this.held + (this.others?.bytes() ?? 0);
  }

  dispose(): void {
    this.disposed = true;
    this.others?.dispose();
    this.current?.memory.dispose();
    if (!this.options.device) this.opened.device.destroy();
    this.current = undefined;
  }
}

/** A program that runs elsewhere what is bound to it in ways that the GPU does not know; made at the first such run. */
function withTwin(program: GpuProgram, plan: BackendPlan, make: (why: string) => Promise<Program>): Program {
  const isOfPictures = plan.buffers.some(({ scope }) => scope === "input" || scope === "output");
  if (!isOfPictures) return program;
  let twin: Promise<Program> | undefined;
  return {
    get phases() {
      return program.phases;
    },
    get bytes() {
      return program.bytes;
    },
    async run(inputs: Bindings, outputs: Bindings, options?: ProgramRunOptions) {
      const why = unfitFor(inputs, outputs);
      if (why === undefined) return program.run(inputs, outputs, options);
      twin ??= make(why);
      return (await twin).run(inputs, outputs, options);
    },
    dispose() {
      program.dispose();
      twin?.then((one) => one.dispose()).catch(() => {});
    },
  };
}
