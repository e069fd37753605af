import { describe, expect, it } from "vitest";
import { Output, type TextStream } from "../../src/cli/output.ts";

/** A stream that remembers; `fail` is what its reader does to it. */
function stream(options: Partial<Pick<TextStream, "isTTY" | "columns">> = {}) {
  const written: string[] = [];
  let listener: (error: Error) => void = () => {};
  const fake: TextStream = {
    ...options,
    write: (text) => written.push(String(text)) > 0,
    on: (_event, heard) => {
      listener = heard;
    },
  };
  return { fake, written, fail: (error: Error) => listener(error) };
}

const coded = (code: string): Error => Object.assign(new Error(code), { code });

describe("colours", () => {
  it("are there on a terminal", () => {
    const out = new Output(stream({ isTTY: true }).fake, { TERM: "xterm" });
    expect(out.paint("bad", "no")).toBe("\u001B[31mno\u001B[39m");
    expect(out.paint("bad", "")).toBe("");
  });

  it.each([
    ["in a pipe", {}, {}],
    ["with NO_COLOR", { isTTY: true }, { NO_COLOR: "1" }],
    ["on a dumb terminal", { isTTY: true }, { TERM: "dumb" }],
  ])("are not there %s", (_, options, environment) => {
    const out = new Output(stream(options).fake, environment);
    expect(out.paint("heading", "yes")).toBe("yes");
  });

  it("stay with an empty NO_COLOR, as no-color.org has it", () => {
    const out = new Output(stream({ isTTY: true }).fake, { NO_COLOR: "" });
    expect(out.hasColor).toBe(true);
  });
});

describe("the width", () => {
  it.each([
    [undefined, 80],
    [40, 60],
    [92, 92],
    [250, 100],
  ])("for a terminal of %s columns is %i", (columns, width) => {
    expect(new Output(stream({ columns }).fake, {}).width).toBe(width);
  });
});

describe("a reader that goes away", () => {
  it("gets nothing more, and nobody is told", () => {
    const { fake, written, fail } = stream();
    const out = new Output(fake, {});
    out.line("one");
    fail(coded("EPIPE"));
    out.line("two");
    expect(written).toEqual(["one\n"]);
  });

  it("is not confused with other troubles", () => {
    const { fake, fail } = stream();
    new Output(fake, {});
    expect(() => fail(coded("ENOSPC"))).toThrow("cannot be written: no space left on the disk");
    expect(() => fail(coded("EBADF"))).toThrow("EBADF");
  });
});
