import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame, FrameDecoder, LONGEST_FRAME } from "../../src/backend/frame-stream.ts";

const frame = fc.uint8Array({ minLength: 14, maxLength: 300 });

/** `octets` in pieces of the given lengths, again and again. */
function pieces(octets: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const cut: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < octets.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    cut.push(octets.subarray(at, at + length));
    at += length;
  }
  return cut;
}

const joined = (parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

/** What a decoder makes of `chunks`. */
function decode(chunks: readonly Uint8Array[]) {
  const frames: Uint8Array[] = [];
  const decoder = new FrameDecoder((one) => frames.push(one.slice()));
  for (const chunk of chunks) {
    const fault = decoder.push(chunk);
    if (fault !== null) return { frames, fault, isBetweenFrames: decoder.isBetweenFrames };
  }
  return { frames, fault: null, isBetweenFrames: decoder.isBetweenFrames };
}

describe("a stream of frames", () => {
  it("gives the frames that went in, however it is cut", () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
        (frames, lengths) => {
          const octets = joined(frames.map(encodeFrame));
          expect(decode(pieces(octets, lengths))).toEqual({
            frames,
            fault: null,
            isBetweenFrames: true,
          });
        },
      ),
    );
  });

  it("ends in a frame exactly where it is cut within one", () => {
    fc.assert(
      fc.property(frame, fc.nat(), (one, cut) => {
        const octets = encodeFrame(one);
        const { frames, isBetweenFrames } = decode([octets.subarray(0, cut % octets.length)]);
        expect(frames).toEqual([]);
        expect(isBetweenFrames).toBe(cut % octets.length === 0);
      }),
    );
  });

  it("is refused at the first length that no frame has, after the frames before it", () => {
    const length = fc.oneof(
      fc.integer({ min: 0, max: 13 }),
      fc.integer({ min: LONGEST_FRAME + 1, max: 2 ** 32 - 1 }),
    );
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 4 }),
        length,
        fc.uint8Array({ maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 }),
        (frames, wrong, rest, lengths) => {
          const prefix = new Uint8Array(4);
          new DataView(prefix.buffer).setUint32(0, wrong);
          const octets = joined([...frames.map(encodeFrame), prefix, rest]);
          expect(decode(pieces(octets, lengths))).toEqual({
            frames,
            fault: `${wrong} octets are no frame`,
            isBetweenFrames: true,
          });
        },
      ),
    );
  });

  it("takes the longest frame, and octets that say anything without throwing", () => {
    const longest = new Uint8Array(LONGEST_FRAME).fill(7);
    expect(LONGEST_FRAME).toBe(65_535 + 18);
    expect(decode([encodeFrame(longest)]).frames).toEqual([longest]);
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => void decode(chunks)),
    );
  });

  it("is QEMU's: a length of 32 bits, most significant octet first", () => {
    expect([...encodeFrame(new Uint8Array(300))].slice(0, 5)).toEqual([0, 0, 1, 44, 0]);
  });
});
