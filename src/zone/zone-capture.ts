/**
 * What a zone's user can see of its packets: a capture of vifs and uplinks, and the way of each
 * packet.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Observer, PacketPool } from "../wire/packet.ts";
import type { Sink } from "../pcap/block-buffer.ts";
import { Capture, type CapturedDevice } from "../pcap/capture.ts";
import { DeviceFilter, FanOut } from "./observers.ts";
import { PacketTrace } from "./packet-trace.ts";

/** The observers of one zone. */
export class ZoneCapture {
  /** The ways of packets; `null` if nothing is remembered. */
  readonly trace: PacketTrace | null;
  readonly #pool: PacketPool;
  readonly #epoch: number;
  readonly #names = new Map<Ipv4Addr, string>();
  readonly #devices = new Map<Device, CapturedDevice>();
  readonly #others: Observer[] = [];
  #running: { readonly capture: Capture; readonly filter: DeviceFilter } | null = null;

  constructor(pool: PacketPool, epoch: number, traceLimit: number) {
    this.#pool = pool;
    this.#epoch = epoch;
    this.trace =
      traceLimit === 0 ? null : new PacketTrace(traceLimit, (device) => this.#nameOf(device));
    this.#observe();
  }

  /**
   * Write a pcapng to `sink` from now on; its chunks are borrowed until it returns.
   * @throws {OptionError} if a capture runs already.
   */
  writeTo(sink: Sink, now: Instant = 0): void {
    if (this.#running !== null) {
      throw new OptionError("sink", "a second one", "one capture at a time");
    }
    const capture = new Capture({ sink, epochNs: BigInt(this.#epoch) * 1000n });
    const filter = new DeviceFilter(capture);
    this.#running = { capture, filter };
    for (const [device, shown] of this.#devices) this.#add(device, now, shown);
    for (const [address, name] of this.#names) capture.name(address, name);
    this.#observe();
  }

  /** Let `observer` see everything as well, for good. */
  observe(observer: Observer): void {
    this.#others.push(observer);
    this.#observe();
  }

  /** Show `device` in captures. */
  addDevice(device: Device, now: Instant, shown: CapturedDevice): void {
    this.#devices.set(device, shown);
    this.#add(device, now, shown);
  }

  /** Show `device` in later captures no more; one that runs goes on. */
  removeDevice(device: Device): void {
    this.#devices.delete(device);
  }

  /** Let readers of captures see `name` for `address`. */
  name(address: Ipv4Addr, name: string): void {
    if (this.#names.get(address) === name) return;
    this.#names.set(address, name);
    this.#running?.capture.name(address, name);
  }

  /** The address is nobody's any more: later captures do not name it. */
  forgetName(address: Ipv4Addr): void {
    this.#names.delete(address);
  }

  /** Give the sink all that was seen so far; how frames end after that is not told of them. */
  flush(): void {
    this.#running?.capture.flush();
  }

  /** End the capture, with its statistics. */
  close(now: Instant): void {
    this.#running?.capture.close(now);
    this.#running = null;
    this.#observe();
  }

  #add(device: Device, now: Instant, shown: CapturedDevice): void {
    if (this.#running === null) return;
    this.#running.capture.add(device, now, shown);
    this.#running.filter.add(device);
  }

  #observe(): void {
    const observers: Observer[] = [
      ...(this.#running === null ? [] : [this.#running.filter]),
      ...(this.trace === null ? [] : [this.trace]),
      ...this.#others,
    ];
    const observer = observers.length === 0 ? null : new FanOut(observers);
    this.#pool.observe(observer, this.trace !== null);
  }

  #nameOf(device: Device): string {
    return this.#devices.get(device)?.name ?? device.name;
  }
}
