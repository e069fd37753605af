import { afterEach, describe, expect, it, vi } from "vitest";
import { alignedWords } from "../../src/base/aligned-words.ts";

const LARGE = 2 ** 17;

afterEach(() => void vi.unstubAllGlobals());

describe("words of a table", () => {
  it.each([0, 1, 1000, LARGE, LARGE + 1, 3 * LARGE + 5])("are %i zeros of their own", (length) => {
    const [words, others] = [alignedWords(length), alignedWords(length)];
    expect(words).toHaveLength(length);
    expect(words.every((word) => word === 0)).toBe(true);
    words.fill(-1);
    expect(others.every((word) => word === 0)).toBe(true);
    expect(words.byteOffset).toBe(0);
  });

  it("come from a memory of whole pages where they are many", () => {
    expect(alignedWords(1000).buffer.byteLength).toBe(4000);
    expect(alignedWords(LARGE + 1).buffer.byteLength).toBe(LARGE * 4 + 65_536);
  });

  it("are there without WebAssembly, and without address space for it", () => {
    vi.stubGlobal("WebAssembly", undefined);
    expect(alignedWords(LARGE).buffer.byteLength).toBe(LARGE * 4);
    function refuse(): never {
      throw new RangeError("could not allocate memory");
    }
    vi.stubGlobal("WebAssembly", { Memory: refuse });
    expect(alignedWords(LARGE).buffer.byteLength).toBe(LARGE * 4);
  });
});
