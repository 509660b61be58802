// The table of docs/reference/package-clients.md, of what clients did.

import type { ToldRow } from './told-table.ts';

const start = '<!-- table: package-clients -->';
const end = '<!-- end -->';

/** Of lines of JSON, as test/registries writes them. */
export function clientTable(lines: string): string {
  const rows = lines
    .trimEnd()
    .split('\n')
    // Written by test/registries/support/told-table.ts.
    .map((line) => JSON.parse(line) as ToldRow)
    .map(({ client, version, wrong, range, locked, said }) =>
      [`${client} ${version}`, wrong, range, locked, said === '' ? '' : `\`${said}\``].join(' | '),
    );
  return [
    '| client | the newer version is | a range picks | a lock file or pin gets | it prints |',
    '|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

/** With what was seen; of clients that are not here, what the page says stays. */
export function withClientTable(page: string, table: string): string {
  const [before = '', rest] = page.split(start);
  if (rest === undefined) throw new Error(`the page has no ${start}`);
  const seen = new Map(table.split('\n').flatMap((line) => keyed(line)));
  const names = new Set([...seen.keys()].map((key) => nameOf(key)));
  const written = rest.slice(0, rest.indexOf(end)).trim().split('\n');
  const kept = written.flatMap((line) => keyed(line)).filter(([key]) => !names.has(nameOf(key)));
  const lines = [...table.split('\n'), ...kept.map(([, line]) => line)];
  return `${before}${start}\n${lines.join('\n')}\n${rest.slice(rest.indexOf(end))}`;
}

const keyed = (line: string): readonly (readonly [string, string])[] =>
  [...tableOf(line).keys()].map((key) => [key, line] as const);

/** Of `Podman 5.4.2, young`. */
const nameOf = (key: string): string => key.slice(0, key.lastIndexOf(' ', key.lastIndexOf(', ')));

export interface Difference {
  /** The end of a sentence: the page has … */
  readonly text: string;
  /** Another version was picked. What a client prints also differs by how busy the machine is, and where its lines are cut. */
  readonly isOfPick: boolean;
}

/** What the page says of a client of the same version otherwise. What a client of another version does is not compared. */
export function differences(page: string, seen: string): readonly Difference[] {
  const written = tableOf(page);
  return [...tableOf(seen)].flatMap(([key, rest]) => {
    const said = written.get(key);
    if (said === undefined || said === rest) return [];
    return [{ text: `of ${key}: ${said}`, isOfPick: picksOf(said) !== picksOf(rest) }];
  });
}

const picksOf = (cells: string): string => cells.split(' | ').slice(0, 2).join(' | ');

/** By client and what is wrong. */
export function tableOf(text: string): ReadonlyMap<string, string> {
  const rows = text.split('\n').flatMap((line) => {
    const [, client, wrong, ...others] = line.split(' | ').length < 5 ? [] : ['', ...line.split(' | ')];
    return client === undefined || !/ \d/.test(client)
      ? []
      : [[`${client.slice(2)}, ${wrong ?? ''}`, others.join(' | ')] as const];
  });
  return new Map(rows);
}
