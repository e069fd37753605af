/** Words in lines and columns, for a terminal of a known width; colours come later. @module */
import { HOUR, type Instant, MINUTE, SECOND } from "../base/time.ts";

/** `text` in lines of at most `width` columns, broken at blanks; a longer word stands alone. */
export function wrap(text: string, width: number): string[] {
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (longer.length <= width || line === "") line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}

/** `text` behind `indent` blanks, in lines of at most `width` columns. */
export function indented(text: string, indent: number, width: number): string[] {
  return wrap(text, Math.max(width - indent, 20)).map((line) => " ".repeat(indent) + line);
}

/** How a column stands. */
export interface Column {
  readonly title: string;
  /** Numbers stand right. */
  readonly isNumber?: boolean;
}

/** What the last column of a table has at least. */
const NARROWEST_CELL = 12;
/** Between columns. */
const GAP = "  ";

/**
 * A table: a line of titles, then the rows. The last column takes what is left of `width` and
 * breaks its lines there.
 * @returns lines without blanks at their end; none if there are no rows.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  { width, indent = 0 }: { readonly width: number; readonly indent?: number },
): string[] {
  if (rows.length === 0) return [];
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? "").length)),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, one) => sum + one + GAP.length, indent);
  const rest = Math.max(width - before, NARROWEST_CELL);
  const lineOf = (cells: readonly string[]): string => {
    const padded = columns.map(({ isNumber = false }, index) => {
      const cell = cells[index] ?? "";
      if (index === last && !isNumber) return cell;
      const columnWidth = widths[index] ?? 0;
      return isNumber ? cell.padStart(columnWidth) : cell.padEnd(columnWidth);
    });
    return `${" ".repeat(indent)}${padded.join(GAP)}`.trimEnd();
  };
  const linesOf = (cells: readonly string[]): string[] => {
    const parts = wrap(cells[last] ?? "", rest);
    return parts.map((part, index) =>
      lineOf([
        ...(index === 0 ? cells.slice(0, last) : columns.slice(0, last).map(() => "")),
        part,
      ]),
    );
  };
  return [lineOf(columns.map(({ title }) => title)), ...rows.flatMap(linesOf)];
}

/** "12.345 s"; from an hour on "1:02:03.456". */
export function formatInstant(at: Instant): string {
  if (at < HOUR) return `${(at / SECOND).toFixed(3)} s`;
  const hours = Math.floor(at / HOUR);
  const minutes = Math.floor((at % HOUR) / MINUTE);
  const seconds = ((at % MINUTE) / SECOND).toFixed(3).padStart(6, "0");
  return `${hours}:${String(minutes).padStart(2, "0")}:${seconds}`;
}

/** "80 us", "1.25 ms", "2.5 s": three digits that count. */
export function formatSpan(us: number): string {
  if (us < 1000) return `${Math.round(us)} us`;
  const [value, unit] = us < SECOND ? [us / 1000, "ms"] : [us / SECOND, "s"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** "86400" as "24 h", "90" as "90 s". */
export function formatSeconds(seconds: number): string {
  const units = [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ] as const;
  const unit = units.find(([size]) => seconds >= 2 * size && seconds % size === 0);
  if (seconds === 86_400) return "24 h";
  return unit === undefined ? `${seconds} s` : `${seconds / unit[0]} ${unit[1]}`;
}

/** "12,345". */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}
