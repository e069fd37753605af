/** Where a device's halves live in the store, and the numbers of disks. @module */
import { OptionError } from "../../base/errors.ts";

/** The devices of a paravirtual domain. */
export type DeviceClass = "vif" | "vbd";

/** "/local/domain/171". */
export const domainPath = (domid: number): string => `/local/domain/${domid}`;

/** "/local/domain/171/device/vbd/2049". */
export const frontendPath = (type: DeviceClass, domid: number, devid: number): string =>
  `${domainPath(domid)}/device/${type}/${devid}`;

/** "backend/vbd/171/2049": relative to Dom0's home, as its kernel names it. */
export const backendNode = (type: DeviceClass, domid: number, devid: number): string =>
  `backend/${type}/${domid}/${devid}`;

/** "/local/domain/0/backend/vbd/171/2049". */
export const backendPath = (type: DeviceClass, domid: number, devid: number): string =>
  `${domainPath(0)}/${backendNode(type, domid, devid)}`;

const SCSI_MAJOR = 8;
const XVD_MAJOR = 202;
/** IDE: two disks of 64 numbers on each. */
const IDE_MAJORS = [3, 22, 33, 34, 56, 57, 88, 89];

/**
 * The number of a disk's or partition's name: 2049 for sda1, 51712 for xvda, 769 for hda1 (Xen
 * public/io/blkif.h).
 * @throws {OptionError} for any other name.
 */
export function virtualDevice(name: string): number {
  const [, bus = "", letter = "", digits = ""] = /^(sd|hd|xvd)([a-p])(\d{0,2})$/.exec(name) ?? [];
  const disk = letter.charCodeAt(0) - 0x61;
  const partition = Number(digits);
  if (bus === "hd" && partition < 64) {
    return ((IDE_MAJORS[disk >> 1] ?? 0) << 8) + (disk & 1) * 64 + partition;
  }
  if ((bus !== "sd" && bus !== "xvd") || partition > 15) {
    throw new OptionError("dev", name, "the name of a disk such as sda1");
  }
  return ((bus === "sd" ? SCSI_MAJOR : XVD_MAJOR) << 8) + disk * 16 + partition;
}
