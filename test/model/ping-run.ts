/** What `ping` counts when its requests are answered at known times: iputils' main loop. @module */

/** What comes back for one request: delays in microseconds, in any number and order. */
export interface Answers {
  readonly replies: readonly number[];
  readonly errors: readonly number[];
}

/** The end of a run. */
export interface PingOutcome {
  readonly transmitted: number;
  readonly received: number;
  readonly duplicates: number;
  readonly errors: number;
  readonly maxRtt: number;
  readonly end: number;
}

interface Arrival {
  readonly at: number;
  readonly sequence: number;
  readonly rtt: number | null;
}

/** A run of `answers.length` requests. Answers and requests of one instant: the answer first. */
export function runPing(
  answers: readonly Answers[],
  interval: number,
  timeout: number,
): PingOutcome {
  const arrivals = answers
    .flatMap(({ replies, errors }, index): Arrival[] => [
      ...replies.map((rtt) => ({ at: index * interval + rtt, sequence: index, rtt })),
      ...errors.map((delay) => ({ at: index * interval + delay, sequence: index, rtt: null })),
    ])
    .sort((left, right) => left.at - right.at);
  const seen = new Set<number>();
  const outcome = { transmitted: 0, received: 0, duplicates: 0, errors: 0, maxRtt: 0, end: 0 };
  let exitAt = Infinity;
  for (;;) {
    const sendAt = outcome.transmitted < answers.length ? outcome.transmitted * interval : Infinity;
    const [next] = arrivals;
    const arrivalAt = next?.at ?? Infinity;
    if (next !== undefined && arrivalAt <= Math.min(sendAt, exitAt)) {
      arrivals.shift();
      if (next.rtt === null) outcome.errors += 1;
      else {
        outcome.maxRtt = Math.max(outcome.maxRtt, next.rtt);
        if (seen.has(next.sequence)) outcome.duplicates += 1;
        else outcome.received += 1;
        seen.add(next.sequence);
      }
      if (outcome.received + outcome.errors >= answers.length) {
        return { ...outcome, end: next.at };
      }
    } else if (exitAt <= sendAt) {
      return { ...outcome, end: exitAt };
    } else {
      outcome.transmitted += 1;
      if (outcome.transmitted === answers.length) {
        const patience = outcome.received > 0 ? Math.max(2 * outcome.maxRtt, interval) : timeout;
        exitAt = sendAt + patience;
      }
    }
  }
}
