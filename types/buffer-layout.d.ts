/** The part of buffer-layout 1.2.2 that `src/wire/layout.ts` wraps; the package ships no types. */
declare module "buffer-layout" {
  class Layout {
    readonly span: number;
    readonly property: string;
    decode(buffer: Uint8Array, offset?: number): unknown;
    encode(value: unknown, buffer: Uint8Array, offset?: number): number;
  }
  class Structure extends Layout {
    readonly fields: readonly Layout[];
    offsetOf(property: string): number;
  }
  class UInt extends Layout {}
  class UIntBE extends Layout {}
  class Blob extends Layout {}
  function struct(fields: readonly Layout[]): Structure;
  function u8(property: string): UInt;
  function u16(property: string): UInt;
  function u32(property: string): UInt;
  function u16be(property: string): UIntBE;
  function u32be(property: string): UIntBE;
  function u48be(property: string): UIntBE;
  function blob(length: number, property: string): Blob;
}
