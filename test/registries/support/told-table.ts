// What each client did and said, as rows: `npm run test:packages` prints them, and docs/reference/package-clients.md has them.

import { appendFileSync } from 'node:fs';

/** What is wrong with the newer one of two versions. */
export const wrongs = ['young', 'denied', 'affected', 'malicious', 'tampered', 'withdrawn'] as const;
export type Wrong = (typeof wrongs)[number];

export interface ToldRow {
  readonly client: string;
  readonly version: string;
  readonly wrong: Wrong;
  /** Which version it picked; `none`. */
  readonly range: string;
  readonly locked: string;
  /** With the lock file, if that fails; else without it. */
  readonly said: string;
}

export function tellRow(row: ToldRow): void {
  const file = process.env['TEST_REGISTRIES_TABLE'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}

const reasons = /upstreamproxy|too young|allowed from|in its deny|GHSA-|MAL-|malware/;
const failures =
  /could not find|could not be resolved|no longer be found|locked to|level=fatal|checksum|integrity|mismatch|yanked|no matching|ETARGET|ECONNRESET|connection reset|\b40[34]\b/i;
const others = /error|ERR|fail/;
/** What the environment of the run makes programs say. */
const noise = /^Picked up JAVA_TOOL_OPTIONS|^WARNING|A complete log of this run|^\[?WARN/;
const lineLengthMax = 260;
/** So much of a line stands before the reason, where it is a long one. */
const beforeReasonMax = 60;

/** The line that tells most, without what changes from one run to the next. */
export function toldLine(said: string, folder: string): string {
  const lines = said
    .replaceAll(folder, 'FOLDER')
    // Colours and moves of a terminal.
    // oxlint-disable-next-line no-control-regex
    .replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, '')
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !noise.test(line));
  const line =
    [reasons, failures, others]
      .map((one) => lines.find((some) => one.test(some)))
      .find((some) => some !== undefined) ??
    lines.at(-1) ??
    '';
  const told = line
    .replaceAll(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?/g, 'TIME')
    .replaceAll(/\btrace [0-9a-zA-Z]+/g, 'trace ID')
    .replaceAll(/(?<=\.test):\d+/g, '')
    .replaceAll(/(?<=port=|127\.0\.0\.1:)\d+/g, 'PORT')
    .replaceAll(/sha(?:256|512)[:-][A-Za-z0-9+/=]{20,}/g, 'DIGEST')
    .replaceAll(/\b[0-9a-f]{32,}\b/g, 'DIGEST')
    .replaceAll(/\/(?:tmp|root)\/\S+/g, 'FILE')
    .replaceAll(/\b\d+(?:\.\d+)?m?s\b/g, 'SECONDS')
    .replaceAll('|', '\\|')
    .replaceAll('`', "'")
    .trim();
  const at = Math.max(told.search(reasons), 0);
  const isCut = told.length > lineLengthMax && at > beforeReasonMax;
  return (isCut ? `… ${told.slice(at - beforeReasonMax)}` : told).slice(0, lineLengthMax).trim();
}
