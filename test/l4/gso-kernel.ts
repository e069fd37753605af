/** This computer's kernel as a router that cuts large segments by its software segmentation. */
import { HelperProcess, missingForNamespaces } from "../oracle/helper-process.ts";

/** Frames in hexadecimal, by the device that they left. */
export interface Forwarded {
  readonly far: readonly string[];
  readonly near: readonly string[];
}

/** Why there can be no {@link GsoKernel} here; `null` if there can. */
export const missingForGso = (): string | null => missingForNamespaces();

/** A process that has a router made of the kernel. */
export class GsoKernel {
  readonly #helper: HelperProcess;

  /** @param mtu of the device by which frames leave. */
  constructor(mtu: number) {
    this.#helper = new HelperProcess(new URL("gso_kernel.py", import.meta.url), String(mtu));
  }

  /** @throws {Error} if the kernel does not take the frame. */
  forward(frame: Uint8Array, segmentSize: number): Promise<Forwarded> {
    const octets = Buffer.from(frame).toString("hex");
    return this.#helper.ask<Forwarded>({ frame: octets, segmentSize });
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#helper.close();
  }
}
