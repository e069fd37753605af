import { describe, expect, it } from "vitest";
import { OptionError, RangeFault } from "../../src/base/errors.ts";
import { StreamSink } from "../../src/pcap/stream-sink.ts";

/** A stream that takes a chunk whenever `next` is called. */
function slowStream(): { stream: WritableStream<Uint8Array>; taken: number[]; next: () => void } {
  const taken: number[] = [];
  const waiting: (() => void)[] = [];
  const stream = new WritableStream<Uint8Array>({
    write: (chunk) => {
      taken.push(...chunk);
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
  });
  return { stream, taken, next: () => waiting.shift()?.() };
}

const failing = (): WritableStream<Uint8Array> =>
  new WritableStream({ write: () => Promise.reject(new Error("disk full")) });

describe("a stream sink", () => {
  it("hands on copies in order and closes the stream", async () => {
    const taken: number[] = [];
    let isClosed = false;
    const stream = new WritableStream<Uint8Array>({
      write: (chunk) => void taken.push(...chunk),
      close: () => {
        isClosed = true;
      },
    });
    const sink = new StreamSink(stream);
    const borrowed = Uint8Array.of(1, 2);
    sink.sink(borrowed);
    borrowed.fill(9);
    sink.sink(Uint8Array.of(3));
    await sink.close();
    expect([taken, isClosed, sink.pendingOctets]).toEqual([[1, 2, 3], true, 0]);
  });

  it("is ready when the stream has taken what waited", async () => {
    const { stream, taken, next } = slowStream();
    const sink = new StreamSink(stream);
    sink.sink(Uint8Array.of(1, 2, 3));
    const ready = sink.ready().then(() => "ready");
    const turn = new Promise((resolve) => {
      setTimeout(() => resolve("not yet"), 0);
    });
    expect(await Promise.race([ready, turn])).toBe("not yet");
    expect(sink.pendingOctets).toBe(3);
    next();
    expect(await ready).toBe("ready");
    expect([taken, sink.pendingOctets]).toEqual([[1, 2, 3], 0]);
  });

  it("refuses more than may wait", () => {
    const sink = new StreamSink(slowStream().stream, { maxPendingOctets: 4 });
    sink.sink(Uint8Array.of(1, 2, 3));
    expect(() => sink.sink(Uint8Array.of(4, 5))).toThrow(RangeFault);
    sink.sink(Uint8Array.of(4));
    expect(sink.pendingOctets).toBe(4);
    expect(() => new StreamSink(slowStream().stream, { maxPendingOctets: 0 })).toThrow(OptionError);
  });

  it("tells of the stream's failure when it is asked", async () => {
    const early = new StreamSink(failing());
    early.sink(Uint8Array.of(1));
    await new Promise((resolve) => setTimeout(resolve, 0));
    await expect(early.ready()).rejects.toThrow("disk full");
    const late = new StreamSink(failing());
    late.sink(Uint8Array.of(1));
    await expect(late.close()).rejects.toThrow("disk full");
    expect(late.pendingOctets).toBe(0);
  });
});
