/**
 * The naive reference of `TcpOptions`: a list of octets that is eaten from the front, with the
 * conditions of Linux's `tcp_parse_options` one after the other.
 * @module
 */

/** What Linux takes from the options of the header that `bytes` begin with. */
export function optionsOfLinux(bytes: Uint8Array): Record<string, number | boolean> {
  const said = {
    mss: 0,
    windowShift: -1,
    isSackPermitted: false,
    hasTimestamps: false,
    timestamp: 0,
    timestampEcho: 0,
    sack: -1,
    sackBlocks: 0,
  };
  const isSyn = ((bytes[13] ?? 0) & 2) !== 0;
  const headerLength = ((bytes[12] ?? 0) >> 4) * 4;
  const rest = [...bytes.subarray(20, headerLength)];
  const number = (octets: readonly number[]): number => octets.reduce((n, o) => n * 256 + o, 0);
  while (rest.length > 0) {
    const position = headerLength - rest.length;
    const kind = rest.shift();
    if (kind === 0) break;
    if (kind === 1) continue;
    const size = rest.shift() ?? 0;
    if (size < 2 || size - 2 > rest.length) break;
    const data = rest.splice(0, size - 2);
    if (kind === 2 && size === 4 && isSyn) said.mss = number(data);
    if (kind === 3 && size === 3 && isSyn) said.windowShift = Math.min(number(data), 14);
    if (kind === 4 && size === 2 && isSyn) said.isSackPermitted = true;
    if (kind === 5 && size >= 10 && (size - 2) % 8 === 0) {
      said.sack = position;
      said.sackBlocks = (size - 2) / 8;
    }
    if (kind === 8 && size === 10) {
      said.hasTimestamps = true;
      said.timestamp = number(data.slice(0, 4));
      said.timestampEcho = number(data.slice(4));
    }
  }
  return said;
}
