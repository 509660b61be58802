// `upstreamproxy packages forget`: when versions were seen first is forgotten, in the store here or by a gateway elsewhere.

import {
  type Forgotten,
  type ForgetWish,
  type SeenRecord,
  wishText,
} from '../../gateway/packages/forget-seen.ts';
import type { packagesDefinition } from '../commands/packages-definition.ts';
import type { Input } from '../definition/command-definition.ts';
import { tellDone } from '../terminal/notes.ts';
import { withProgress } from '../terminal/progress.ts';
import { tableStyle } from '../terminal/table-style.ts';
import { harmlessText, jsonLine, textTable } from '../terminal/text-table.ts';
import { openOperatorBackend } from './operator-place.ts';

type ForgetInput = Input<(typeof packagesDefinition)['actions'][2]>;

export async function forgetPackages({
  options,
  arguments: { PACKAGE: written },
}: ForgetInput): Promise<number> {
  const { registry, index, 'dry-run': dry = false, json } = options;
  const wish: ForgetWish = { registry, index, dry, ...versionIn(written) };
  await using backend = await openOperatorBackend(options, dry ? 'read' : 'write');
  const found = dry ? await backend.forgetSeen(wish) : await forgetAll(wish, options, backend);
  if (json) process.stdout.write(jsonLine({ dry, ...found }));
  else if (dry) process.stdout.write(dryText(wish, found));
  else tellDone(options, `${harmlessText(doneText(wish, found))}\n`);
  return 0;
}

function versionIn(written: string | undefined): Pick<ForgetWish, 'name' | 'version'> {
  const at = written?.lastIndexOf('@') ?? -1;
  if (written === undefined || at <= 0) return { name: written };
  return { name: written.slice(0, at), version: written.slice(at + 1) };
}

/** Each call forgets some, and leaves its event. */
async function forgetAll(
  wish: ForgetWish,
  options: ForgetInput['options'],
  backend: { forgetSeen(wish: ForgetWish): Promise<Forgotten> },
): Promise<Forgotten> {
  const records: SeenRecord[] = [];
  return await withProgress(
    options,
    () => `${String(records.length)} records`,
    async (step) => {
      for (;;) {
        const some = await backend.forgetSeen(wish);
        records.push(...some.records);
        step();
        if (some.left === 0 || some.records.length === 0) return { records, left: some.left };
      }
    },
  );
}

function doneText(wish: ForgetWish, { records }: Forgotten): string {
  const of = wishText(wish);
  if (records.length === 0) return `the store knows nothing of ${of}: nothing was forgotten`;
  return `forgot ${String(records.length)} records of ${of}; each counts as new from when a gateway sees it next`;
}

function dryText(wish: ForgetWish, { records, left }: Forgotten): string {
  if (records.length === 0) return `${harmlessText(`The store knows nothing of ${wishText(wish)}.`)}\n`;
  const rows = records.map(({ at, name, item, firstSeen, digest = '-', credentials }) =>
    [at, name, item, firstSeen, digest, credentials.join(',') || '-'].map((one) => harmlessText(one)),
  );
  const title = ['registry', 'package', 'item', 'first seen', 'digest', 'credentials'];
  const others = left === 0 ? '' : ` These are the first ${String(records.length)}.`;
  return [
    textTable([title, ...rows], tableStyle({ hasTitle: true })),
    `Without --dry-run it forgets ${String(records.length + left)} records.${others}\n`,
  ].join('');
}
