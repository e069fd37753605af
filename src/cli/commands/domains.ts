/** `dom0 domains`: launches a day from samples of domains' numbers. @module */
import { ParseError } from "../../base/errors.ts";
import { analyze, parseSample, type Sample, type Series } from "../domains.ts";
import { ExitCode, faultAt, InputError } from "../failure.ts";
import { readText } from "../input.ts";
import { formatCount, indented, table } from "../layout.ts";
import type { Output } from "../output.ts";
import type { Surface } from "../surface.ts";

/** Options of `domains`. */
export interface DomainsOptions {
  readonly json?: boolean;
}

/**
 * Estimate from the samples of all files together.
 * @throws {InputError} for each line that is no sample, and if there is none at all.
 */
export async function domainsCommand(
  files: readonly string[],
  { json = false }: DomainsOptions,
  { out }: Surface,
): Promise<ExitCode> {
  const texts = await Promise.all(files.map(async (file) => [file, await readText(file)] as const));
  const faults: string[] = [];
  const samples = texts.flatMap(([file, text]) => samplesOf(file, text, faults));
  if (samples.length === 0 && faults.length === 0) {
    faults.push(faultAt({ file: files.join(", "), line: 0 }, "", "holds no samples"));
  }
  if (faults.length > 0) throw new InputError(faults);
  const series = analyze(samples);
  if (json) out.line(JSON.stringify({ series: series.map(plainSeries) }));
  else for (const one of series) tellSeries(one, out);
  return ExitCode.Done;
}

function samplesOf(file: string, text: string, faults: string[]): Sample[] {
  return text.split(/\r?\n/).flatMap((line, index) => {
    try {
      const sample = parseSample(line);
      return sample === null ? [] : [sample];
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      faults.push(faultAt({ file, line: index + 1 }, "", error.message));
      return [];
    }
  });
}

function plainSeries({ samples, intervals, ...series }: Series) {
  return {
    ...series,
    samples: samples.map(({ at, serial }) => ({ at: timeOf(at), serial })),
    intervals: intervals.map(({ from, to, serials, perDay }) => ({
      from: timeOf(from.at),
      to: timeOf(to.at),
      serials,
      perDay,
    })),
  };
}

function tellSeries(series: Series, out: Output): void {
  const { region, samples, intervals } = series;
  const count = `${samples.length} ${samples.length === 1 ? "domain" : "domains"}`;
  out.line(out.paint("heading", `${region}, by its numbers: ${count}`));
  const columns = [
    { title: "from" },
    { title: "to" },
    { title: "numbers", isNumber: true },
    { title: "hours", isNumber: true },
    { title: "a day", isNumber: true },
  ];
  const rows = intervals.map(({ from, to, serials, perDay }) => [
    timeOf(from.at),
    timeOf(to.at),
    formatCount(serials),
    ((to.at - from.at) / 3_600_000).toFixed(2),
    rounded(perDay),
  ]);
  const [title, ...lines] = table(columns, rows, { width: out.width, indent: 2 });
  if (title !== undefined) out.line(out.paint("faint", title));
  for (const line of lines) out.line(line);
  for (const sentence of sentencesOf(series)) {
    for (const line of indented(sentence, 2, out.width)) out.line(line);
  }
  out.line();
}

function sentencesOf(series: Series): string[] {
  const { perDay, error, launchesPerDay, even, odd, mostLaunches, samples } = series;
  const total = even + odd;
  const sentences: string[] = [];
  if (perDay === null || error === null || launchesPerDay === null) {
    sentences.push("A rate needs two domains at different times.");
  } else {
    sentences.push(`${rounded(perDay)} numbers in 24 hours, give or take ${rounded(error)}.`);
    sentences.push(strideSentence(series, perDay, launchesPerDay));
  }
  sentences.push(`${even} of ${total} are even, ${odd} odd.`);
  const [lower, upper] = [formatCount(samples.length), formatCount(mostLaunches)];
  sentences.push(`So far the region launched at least ${lower} and at most about ${upper} VMs.`);
  return sentences;
}

/** What the numbers' common step says about launches. */
function strideSentence(series: Series, perDay: number, launchesPerDay: number): string {
  const { stride, strideChance } = series;
  if (stride === 1) return `Every number may be used: ${rounded(perDay)} VMs a day.`;
  const odds =
    strideChance < 0.0001 ? "less than 0.01 %" : `${Number((strideChance * 100).toPrecision(2))} %`;
  const steps = `All differences are multiples of ${formatCount(stride)}`;
  if (launchesPerDay < perDay) {
    return (
      `${steps} (by accident: ${odds}), so only such numbers are used: ` +
      `${rounded(launchesPerDay)} VMs a day.`
    );
  }
  return (
    `${steps}, which may be an accident (${odds}): ${rounded(perDay)} VMs a day if every number ` +
    `is used, ${rounded(perDay / stride)} if only those are.`
  );
}

const rounded = (value: number): string => formatCount(Math.round(value));
const timeOf = (at: number): string => new Date(at).toISOString().replace(/\.000Z$/, "Z");
