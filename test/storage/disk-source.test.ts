import { describe } from "vitest";
import { MemoryDisks } from "../../src/storage/disk-source.ts";
import { itIsADiskSource } from "../conformance/disk-source.ts";

describe("disks in memory", () => {
  itIsADiskSource(() => new MemoryDisks());
});
