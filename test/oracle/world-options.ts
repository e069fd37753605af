/** Random IPv4 options: sound, full, broken, mixed. @module */
import fc from "fast-check";
import { OptionType } from "../../src/l3/ipv4-options.ts";
import { concat } from "./world-octets.ts";

const near = (value: number): fc.Arbitrary<number> =>
  fc.oneof(
    { arbitrary: fc.constant(value), weight: 6 },
    { arbitrary: fc.integer({ min: -3, max: 3 }).map((by) => (value + by) & 255), weight: 2 },
    { arbitrary: fc.nat({ max: 255 }), weight: 1 },
  );

/** A list of addresses: type, length, pointer and `slots` places, `used` of them. */
const addressList = (type: number): fc.Arbitrary<Uint8Array> =>
  fc
    .record({ slots: fc.nat({ max: 9 }), used: fc.nat({ max: 9 }) })
    .chain(({ slots, used }) =>
      fc
        .tuple(near(3 + 4 * slots), near(4 + 4 * Math.min(used, slots)))
        .map(([length, pointer]) =>
          concat(Uint8Array.of(type, length, pointer), new Uint8Array(4 * slots).fill(10)),
        ),
    );

const timestamp = fc
  .record({
    flag: fc.oneof({ arbitrary: fc.constantFrom(0, 1, 3), weight: 8 }, fc.nat({ max: 15 })),
    overflow: fc.oneof(fc.constant(0), fc.nat({ max: 15 })),
    slots: fc.nat({ max: 9 }),
    used: fc.nat({ max: 9 }),
    addresses: fc.array(
      fc.constantFrom([10, 1, 2, 1], [10, 2, 2, 1], [10, 254, 168, 2], [8, 8, 8, 8]),
      { maxLength: 4 },
    ),
  })
  .chain(({ flag, overflow, slots, used, addresses }) => {
    const data = new Uint8Array(4 * slots);
    for (const [at, address] of addresses.entries()) {
      if (at * 8 + 4 <= data.length) data.set(address, at * 8);
    }
    return fc
      .tuple(near(4 + data.length), near(5 + 4 * Math.min(used, slots)))
      .map(([length, pointer]) =>
        concat(Uint8Array.of(OptionType.Timestamp, length, pointer, (overflow << 4) | flag), data),
      );
  });

const routerAlert = fc
  .tuple(near(4), fc.constantFrom(0, 1, 0xffff))
  .map(([length, value]) => Uint8Array.of(OptionType.RouterAlert, length, value >> 8, value & 255));

const other = fc
  .tuple(fc.constantFrom(2, 25, 130, 134, 136, 205, 222), fc.nat({ max: 10 }))
  .chain(([type, room]) =>
    near(2 + room).map((length) => concat(Uint8Array.of(type, length), new Uint8Array(room))),
  );

const piece = fc.oneof(
  { arbitrary: fc.constantFrom(Uint8Array.of(1), Uint8Array.of(0)), weight: 3 },
  { arbitrary: addressList(OptionType.RecordRoute), weight: 4 },
  { arbitrary: timestamp, weight: 4 },
  { arbitrary: fc.constantFrom(131, 137).chain(addressList), weight: 1 },
  { arbitrary: routerAlert, weight: 1 },
  { arbitrary: other, weight: 1 },
  { arbitrary: fc.uint8Array({ maxLength: 8 }), weight: 1 },
);

/** Octets of options, mostly none. */
export const optionOctets: fc.Arbitrary<Uint8Array> = fc.oneof(
  { arbitrary: fc.constant(new Uint8Array(0)), weight: 7 },
  {
    arbitrary: fc.array(piece, { minLength: 1, maxLength: 4 }).map((all) => concat(...all)),
    weight: 2,
  },
);
