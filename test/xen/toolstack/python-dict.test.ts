import { expect, it } from "vitest";
import { dictOrder } from "../../../src/xen/toolstack/python-dict.ts";

/** What DevController.addStoreEntries adds to a device's back end and front end. */
const BACK = ["domain", "frontend", "frontend-id", "state", "online"];
const FRONT = ["backend", "backend-id", "state"];

it("orders a device's keys as dumps of the time show them", () => {
  expect(dictOrder(["dev", "type", "params", "mode"], BACK)).toEqual(
    "domain frontend dev state params mode online frontend-id type".split(" "),
  );
  expect(dictOrder(["dev", "type", "params", "mode", "uuid"], BACK)).toEqual(
    "domain frontend uuid dev state params mode online frontend-id type".split(" "),
  );
  expect(dictOrder(["virtual-device", "device-type"], FRONT)).toEqual(
    "backend-id virtual-device device-type state backend".split(" "),
  );
  expect(dictOrder(["script", "mac", "handle", "type"], BACK)).toEqual(
    "domain handle script state frontend mac online frontend-id type".split(" "),
  );
  expect(dictOrder(["handle", "mac"], FRONT)).toEqual(
    "backend-id mac handle state backend".split(" "),
  );
});

it("orders the details of a VM as the dump of a Xen host of the time shows them", () => {
  const keys = [
    ..."uuid name vcpus vcpu_avail shadow_memory name on_poweroff on_crash on_reboot".split(" "),
    ..."on_xend_start on_xend_stop bootloader bootloader_args image".split(" "),
    "xend/restart_count",
  ];
  expect(dictOrder(keys)).toEqual([
    ..."on_xend_stop shadow_memory uuid on_reboot image on_poweroff bootloader_args".split(" "),
    ..."on_xend_start on_crash xend/restart_count vcpus vcpu_avail bootloader name".split(" "),
  ]);
});

it("orders the details of a domain as CPython 2 does, in words of 32 and of 64 bits", () => {
  const set = [
    ..."domid vm name console/limit memory/target console/port console/ring-ref".split(" "),
    ..."store/port store/ring-ref control/platform-feature-multiprocessor-suspend".split(" "),
  ];
  expect(dictOrder(set, ["cpu/0/availability"])).toEqual([
    "console/ring-ref",
    "console/port",
    "control/platform-feature-multiprocessor-suspend",
    "name",
    "console/limit",
    "vm",
    "domid",
    "cpu/0/availability",
    "memory/target",
    "store/ring-ref",
    "store/port",
  ]);
});
