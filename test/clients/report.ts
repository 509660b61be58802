// What a run of the matrix says: a line a check, counts, and the page of the documentation.

import { runCommand } from '../support/command.ts';
import { allModes, fill } from './check.ts';
import type { ClientCheck, Mode } from './check.ts';
import type { CheckResult } from './matrix.ts';

export interface Row {
  readonly check: ClientCheck;
  readonly version: string;
  readonly results: { readonly [mode in Mode]?: CheckResult };
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const modes = allModes;
const titles: Readonly<Record<Mode, string>> = {
  environment: 'environment',
  capture: 'capture',
  root: 'run, root',
  user: 'run, user',
};
const versionTimeoutMs = 30_000;

/** A row a check, in their order, with the versions of what is installed. */
export async function makeRows(
  checks: readonly ClientCheck[],
  results: readonly CheckResult[],
  tools: string,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const versions = new Map<string, string>();
  for (const check of checks) {
    const own = results.filter((result) => result.check === check);
    const key = JSON.stringify(check.version);
    if (own.some(({ state }) => state !== 'skip') && !versions.has(key))
      versions.set(key, await versionOf(check, tools));
    rows.push({
      check,
      version: versions.get(key) ?? '',
      results: Object.fromEntries(own.map((result) => [result.mode, result])),
    });
  }
  return rows;
}

async function versionOf({ version }: ClientCheck, tools: string): Promise<string> {
  if (version === undefined) return '';
  const values = { ports: {}, tools, node: process.execPath, dir: '/', home: '/', serial: '', cache: '/' };
  const [file = '', ...args] = version.map((argument) => fill(argument, values));
  const result = await runCommand(file, args, { timeoutMs: versionTimeoutMs }).catch(() => undefined);
  const said = `${result?.stdout ?? ''}\n${result?.stderr ?? ''}`;
  return /[0-9]+\.[0-9]+[0-9A-Za-z.+~-]*/.exec(said)?.[0].replace(/[.-]+$/, '') ?? '';
}

export function countStates(rows: readonly Row[], mode: Mode): Counts {
  const of = (state: CheckResult['state']): number =>
    rows.filter(({ results }) => results[mode]?.state === state).length;
  return { passed: of('pass'), failed: of('fail'), skipped: of('skip') };
}

/** Failures that the checks do not know of, and successes where they know of a failure. */
export function surprises(rows: readonly Row[]): readonly string[] {
  return rows.flatMap(({ check, results }) =>
    modes.flatMap((mode) => {
      const known = check.expected?.[mode];
      const result = results[mode];
      if (result?.state === 'fail' && known === undefined)
        return [`${check.id} fails by ${mode}: ${result.reason?.trim() ?? ''}`];
      if (result?.state === 'pass' && known !== undefined)
        return [`${check.id} passes by ${mode}, which was not expected: ${known.reason}`];
      return [];
    }),
  );
}

function cell(row: Row, mode: Mode): string {
  const result = row.results[mode];
  if (result === undefined) return '';
  return { pass: 'pass', fail: 'FAIL', skip: 'skip' }[result.state];
}

const speaksHttp2 = ({ results }: Row): boolean =>
  modes.some((mode) => results[mode]?.protocols.some((protocol) => protocol.startsWith('h2')));

function helpOf({ check: { help } }: Row): string[] {
  return help === undefined ? [] : [`**help:** ${help}`];
}

/** Why a mode has no `pass`, for a person. */
function remarks(row: Row): string[] {
  return modes.flatMap((mode) => {
    const result = row.results[mode];
    if (result === undefined || result.state === 'pass') return [];
    const reason = row.check.expected?.[mode]?.reason ?? result.reason ?? '';
    return [`${titles[mode]}: ${reason.trim().replaceAll(/\s+/g, ' ')}`];
  });
}

/** The table for a terminal. */
export function textTable(rows: readonly Row[]): string {
  const lines = rows.map((row) => [
    row.check.id,
    row.version,
    ...modes.map((mode) => cell(row, mode)),
    speaksHttp2(row) ? 'h2' : '',
    [row.check.how, ...helpOf(row), ...remarks(row)].join(' | '),
  ]);
  const table = [['check', 'version', ...modes.map((mode) => titles[mode]), '', 'what it needs'], ...lines];
  const widths = table[0]?.map((_head, column) =>
    Math.max(...table.map((line) => (line[column] ?? '').length)),
  );
  return table
    .map((line) =>
      line
        .map((text, column) => text.padEnd(widths?.[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const intro = `# Clients

Which tools work behind the relay, as \`npm run test:clients\` sees it: every one does its usual job (clones, pushes, installs, pulls) against
origins of the test, through a real gateway and a real \`run\`. A check passes if the tool ends well, prints what the origin sent, and the
gateway's audit has the requests.

- **environment**: by the [variables](environment.md) and files of the agent alone, in a network namespace where nothing but the gateway
  can be reached. As root, with \`--home-files\` and \`--system-store\`.
- **capture**: \`run --isolate=require --capture-only\`: no variable names the proxy ([capture](capture.md)).
- **run, root** and **run, user**: plain \`upstreamproxy run -- CLIENT\`, no option, as root and as an ordinary user: the default jail, variables and
  capture both, and the [system's stores in its own mounts](trust-stores.md#the-systems-stores-under-run).
- **h2**: the client spoke HTTP/2 with the gateway.
- *reached* behind a name: only that the origin's own response came to the client is shown.
- **help**: what the check itself sets so that the client works, and the product does not.
- skip: not judged, with the reason; it counts as neither.

\`scripts/install-clients.sh\` installs what is missing. \`npm run test:clients -- curl git\` runs some; \`--write\` writes this page.
`;

/** The page of the documentation. */
export function documentPage(rows: readonly Row[], date: string): string {
  const counts = modes.map((mode) => {
    const { passed, failed, skipped } = countStates(rows, mode);
    return `| ${titles[mode]} | ${passed} | ${failed} | ${skipped} |`;
  });
  const escape = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
  const lines = rows.map((row) =>
    [
      `| \`${row.check.id}\`${row.check.proves === 'reached' ? ' *reached*' : ''}`,
      row.version,
      ...modes.map((mode) => cell(row, mode)),
      speaksHttp2(row) ? 'h2' : '',
      `${escape([row.check.how, ...helpOf(row), ...remarks(row)].join('; '))} |`,
    ].join(' | '),
  );
  return [
    intro,
    `Seen on ${date}, of ${rows.length} checks:\n`,
    '| setting | passed | failed | skipped |\n|---|---|---|---|',
    ...counts,
    `\n| check | version | ${modes.map((mode) => titles[mode]).join(' | ')} | protocol | what it needs, and what stands in the way |\n|---|---|---|---|---|---|---|---|`,
    ...lines,
    '',
  ].join('\n');
}
