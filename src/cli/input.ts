/** Reads text files that the user names. @module */
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { explained } from "./capture-file.ts";
import { faultAt, InputError } from "./failure.ts";

/** Larger files are no scenarios. */
const MOST_OCTETS = 16 * 2 ** 20;

/**
 * The text of a file, "-" for standard input.
 * @throws {InputError} if it cannot be read, is larger than 16 MiB, or is no UTF-8.
 */
export async function readText(path: string): Promise<string> {
  const octets = await explained(path, () =>
    path === "-" ? buffer(process.stdin) : readFile(path),
  );
  const refuse = (message: string): never => {
    throw new InputError([faultAt({ file: path, line: 0 }, "", message)]);
  };
  const { length } = octets;
  if (length > MOST_OCTETS) return refuse(`expected at most 16 MiB, got ${length} octets`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(octets);
  } catch {
    return refuse("is not a text in UTF-8");
  }
}
