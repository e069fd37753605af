/** Where a split device's two halves stand (Xen public/io/xenbus.h). @module */

/** `XenbusState`. 7 and 8, of later kernels, name nothing here. */
export const XenbusState = {
  Unknown: 0,
  Initialising: 1,
  InitWait: 2,
  Initialised: 3,
  Connected: 4,
  Closing: 5,
  Closed: 6,
} as const;
export type XenbusState = (typeof XenbusState)[keyof typeof XenbusState];

/**
 * A node's text as the kernel's `sscanf("%d")` reads it: blanks, a sign, digits; what follows does
 * not count.
 * @returns `null` if no number is there.
 */
export function scanInteger(text: string | null): number | null {
  const [, digits] = /^[ \t-\r]*([+-]?\d{1,15})/.exec(text ?? "") ?? [];
  return digits === undefined ? null : Number(digits);
}

/** The other half's state as `xenbus_read_driver_state` reads it: `Unknown` for garbage. */
export const scanState = (text: string | null): number => scanInteger(text) ?? XenbusState.Unknown;
