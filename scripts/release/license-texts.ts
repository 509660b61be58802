// One text of all licences that a release has to bring along.

import type { Part } from './bundled-parts.ts';

const line = '='.repeat(80);

/** Each text once, under the names of those that it holds for. Parts of Node are in the text of Node. */
export function licenseTexts(own: string, parts: readonly Part[]): string {
  const holders = new Map<string, Set<string>>();
  for (const { name, version, license, licenseText } of parts) {
    if (licenseText === undefined) continue;
    const names = holders.get(licenseText) ?? new Set();
    holders.set(licenseText, names.add(`${name} ${version} (${license})`));
  }
  const pieces = [...holders]
    .map(([text, names]) => ({ text, names: [...names].toSorted() }))
    .toSorted((one, other) => ((one.names[0] ?? '') < (other.names[0] ?? '') ? -1 : 1));
  return [
    'upstreamproxy is under Apache-2.0, whose text comes first. Its programs contain what follows, under licences of their own.\n',
    own,
    ...pieces.map(({ text, names }) => `${line}\n${names.join('\n')}\n${line}\n\n${text}\n`),
  ].join('\n');
}
