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

export function withClientTable(page: string, table: string): string {
  const [before = '', rest] = page.split(start);
  if (rest === undefined) throw new Error(`the page has no ${start}`);
  return `${before}${start}\n${table}\n${rest.slice(rest.indexOf(end))}`;
}

/** What the page says of a client of the same version otherwise. What a client of another version does is not compared. */
export function differences(page: string, seen: string): readonly string[] {
  const written = tableOf(page);
  return [...tableOf(seen)].flatMap(([key, rest]) => {
    const said = written.get(key);
    return said === undefined || said === rest ? [] : [`of ${key}: ${said}`];
  });
}

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
