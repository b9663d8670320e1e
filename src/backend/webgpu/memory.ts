// Buffers of one device: storage, which is counted, and buffers that results are read through, which are kept.
import { mapRead, usage } from "./device.ts";

/** Counts memory, and refuses what is too much. */
export interface Account {
  take(bytes: number): void;
}

/** Bytes of a buffer that holds so many: whole vectors. */
export const roomFor = (bytes: number): number => Math.max(16, Math.ceil(bytes / 16) * 16);

/** Buffers that results are read through are kept up to so many bytes. */
const mostKept = 2 ** 26;

export class GpuMemory {
  readonly device: GPUDevice;
  private readonly free: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.device = device;
  }

  storage(bytes: number): GPUBuffer {
    return this.device.createBuffer({ size: roomFor(bytes), usage: usage.storage | usage.copyFrom | usage.copyTo });
  }

  uniform(bytes: number): GPUBuffer {
    return this.device.createBuffer({ size: roomFor(bytes), usage: usage.uniform | usage.copyTo });
  }

  /** Copies an array's bytes, of any number and at any place of its own buffer. */
  upload(buffer: GPUBuffer, data: ArrayBufferView): void {
    const { queue } = this.device;
    const whole = data.byteLength - (data.byteLength % 4);
    if (whole > 0) queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, whole);
    if (whole === data.byteLength) return;
    const rest = new Uint8Array(4);
    rest.set(new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset + whole, data.byteLength - whole));
    queue.writeBuffer(buffer, whole, rest);
  }

  /** A buffer to read through, of at least so many bytes. */
  lend(bytes: number): GPUBuffer {
    const size = roomFor(bytes);
    const fitting = this.free.findIndex((buffer) => buffer.size >= size && buffer.size <= 2 * size + 4096);
    if (fitting >= 0) return this.free.splice(fitting, 1)[0]!;
    return this.device.createBuffer({ size, usage: usage.copyTo | usage.mapRead });
  }

  /** Waits for what was copied into a lent buffer, copies it to an array, and takes the buffer back. */
  async read(buffer: GPUBuffer, into: ArrayBufferView): Promise<void> {
    try {
      await buffer.mapAsync(mapRead, 0, roomFor(into.byteLength));
      const bytes = new Uint8Array(buffer.getMappedRange(0, roomFor(into.byteLength)), 0, into.byteLength);
      new Uint8Array(into.buffer as ArrayBuffer, into.byteOffset, into.byteLength).set(bytes);
      buffer.unmap();
    } catch (error) {
      buffer.destroy();
      throw error;
    }
    this.free.push(buffer);
    let kept = this.free.reduce((sum, { size }) => sum + size, 0);
    while (kept > mostKept) {
      const oldest = this.free.shift()!;
      kept -= oldest.size;
      oldest.destroy();
    }
  }

  dispose(): void {
    for (const buffer of this.free.splice(0)) buffer.destroy();
  }
}
