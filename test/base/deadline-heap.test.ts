import { expect, it } from "vitest";
import { DeadlineHeap } from "../../src/base/deadline-heap.ts";
import { NEVER } from "../../src/base/time.ts";

it("gives nothing when it is empty", () => {
  const heap = new DeadlineHeap<string>();
  expect(heap.soonest).toBe(NEVER);
  expect(heap.get("a")).toBe(NEVER);
  expect(heap.pop(Number.MAX_SAFE_INTEGER)).toBeNull();
});

it("gives what is due at the very instant, and nothing before it", () => {
  const heap = new DeadlineHeap<string>();
  heap.set("a", 10);
  expect(heap.pop(9)).toBeNull();
  expect(heap.pop(10)).toBe("a");
  expect(heap.pop(10)).toBeNull();
});

it("gives equal deadlines in the order in which they were set", () => {
  const heap = new DeadlineHeap<string>();
  for (const key of ["c", "a", "b", "d"]) heap.set(key, 5);
  heap.set("a", 6);
  heap.set("a", 5);
  heap.set("c", 5);
  expect([heap.pop(5), heap.pop(5), heap.pop(5), heap.pop(5)]).toEqual(["c", "b", "d", "a"]);
});

it("forgets a key whose deadline becomes NEVER", () => {
  const heap = new DeadlineHeap<string>();
  heap.set("a", 5);
  heap.set("a", NEVER);
  heap.set("b", NEVER);
  expect(heap.size).toBe(0);
  expect(heap.soonest).toBe(NEVER);
});
