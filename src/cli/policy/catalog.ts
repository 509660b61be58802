// `upstreamproxy catalog`: services that a rule can include by name, and whether their samples are decided as they say.

import { playSamples } from '../../gateway/policies/play-samples.ts';
import { type FoundEntry, findEntries } from '../../policy/catalog/find-entries.ts';
import { nearestKey } from '../../policy/nearest-key.ts';
import { formatProblem } from '../../policy/problem.ts';
import { asList } from '../../policy/schema-parts.ts';
import type { YamlSource } from '../../policy/yaml-source.ts';
import { ProxyError } from '../../protocol/error.ts';
import { catalogDefinition } from '../commands/catalog-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { groupOf } from '../terminal/command.ts';
import { jsonLine, textTable } from '../terminal/text-table.ts';
import { entryRules, entryText } from './catalog-text.ts';
import { readTexts } from './policy-texts.ts';

type Actions = (typeof catalogDefinition)['actions'];

interface Found {
  readonly entries: readonly FoundEntry[];
  readonly sources: readonly YamlSource[];
}

/** @throws ProxyError config_invalid for files that cannot be read */
async function find(paths: readonly string[] | undefined): Promise<Found> {
  const sources = (await readTexts(paths ?? [])).map(({ name, text }) => ({ file: name, text }));
  const found = findEntries(sources);
  if ('problems' in found)
    throw new ProxyError('config_invalid', found.problems.map(formatProblem).join('\n'));
  return { entries: found.entries, sources };
}

/** @throws ProxyError usage */
function entryOf({ entries }: Found, name: string): FoundEntry {
  const wanted = name.replace(/^catalog\//, '');
  const entry = entries.find((one) => one.name === wanted);
  if (entry !== undefined) return entry;
  const near = nearestKey(
    wanted,
    entries.map((one) => one.name),
  );
  const meant = near === undefined ? '`upstreamproxy catalog list` has all of them' : `did you mean ${near}?`;
  throw new ProxyError('usage', `there is no ${wanted} in the catalogue; ${meant}`);
}

async function list({ options: { policy, json } }: Input<Actions[0]>): Promise<number> {
  const { entries } = await find(policy);
  const rows = entries.map(({ name, entry, file }) => {
    const access = [...new Set(entry.parts.map((part) => part.access))];
    const hosts = [...new Set(entry.parts.flatMap((part) => asList(part.hosts)))];
    return { name, title: entry.title, version: entry.version, checked: entry.checked, access, hosts, file };
  });
  if (json) for (const row of rows) process.stdout.write(jsonLine(row));
  else
    process.stdout.write(
      textTable([
        ['NAME', 'SERVICE', 'ACCESS', 'CHECKED', 'HOSTS'],
        ...rows.map((row) => [row.name, row.title, row.access.join(', '), row.checked, row.hosts.join(', ')]),
      ]),
    );
  return 0;
}

async function show({ arguments: { NAME: name }, options }: Input<Actions[1]>): Promise<number> {
  const found = entryOf(await find(options.policy), name);
  if (options.json) process.stdout.write(jsonLine({ name: found.name, file: found.file, ...found.entry }));
  else process.stdout.write(options.rules ? entryRules(found) : entryText(found));
  return 0;
}

async function test({ arguments: { NAME: names }, options }: Input<Actions[2]>): Promise<number> {
  const found = await find(options.policy);
  const wanted = names.length === 0 ? found.entries : names.map((name) => entryOf(found, name));
  let [played, wrong] = [0, 0];
  for (const { name, entry, file } of wanted)
    for (const sample of await playSamples(name, entry, file === undefined ? [] : found.sources)) {
      played += 1;
      if (sample.problem !== undefined) wrong += 1;
      if (options.json) process.stdout.write(jsonLine({ name, ...sample }));
      else if (sample.problem !== undefined)
        process.stdout.write(`${name}: ${sample.request} (needs ${sample.needs}): ${sample.problem}\n`);
    }
  if (!options.json)
    process.stdout.write(`${played} samples of ${wanted.length} services, ${wrong} decided otherwise\n`);
  return wrong === 0 ? 0 : 1;
}

export const catalogCommand = groupOf(catalogDefinition, { list, show, test });
