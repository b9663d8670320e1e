// Pipelines by the text of their shaders: equal texts are compiled once, and all of a program at the same time.
import { UnsupportedError } from "../../errors.ts";

export class Pipelines {
  private readonly device: GPUDevice;
  private readonly made = new Map<string, Promise<GPUComputePipeline>>();

  constructor(device: GPUDevice) {
    this.device = device;
  }

  get count(): number {
    return this.made.size;
  }

  /** The pipelines of some texts, by text. */
  async all(texts: Iterable<string>): Promise<Map<string, GPUComputePipeline>> {
    const wanted = [...new Set(texts)];
    const found = await Promise.all(wanted.map((text) => this.one(text)));
    return new Map(wanted.map((text, i) => [text, found[i]!]));
  }

  private one(text: string): Promise<GPUComputePipeline> {
    const known = this.made.get(text) ?? this.compile(text);
    this.made.set(text, known);
    return known;
  }

  private async compile(code: string): Promise<GPUComputePipeline> {
    const { device } = this;
    const module = device.createShaderModule({ code });
    try {
      return await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
    } catch (cause) {
      this.made.delete(code);
      const { messages = [] } = (await module.getCompilationInfo?.()) ?? {};
      const said = messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join("; ") || String(cause);
      const [expected, received] = ["a GPU that takes rank1's kernels", said];
      throw new UnsupportedError({ parameter: "backend", expected, received, cause });
    }
  }
}
