// An index of a few advisories, for a gateway that clients of registries are behind.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importAdvisories } from '../../../src/gateway/packages/advisories/import-advisories.ts';

export interface KnownAdvisories extends AsyncDisposable {
  readonly index: string;
}

export async function knownAdvisories(records: readonly string[]): Promise<KnownAdvisories> {
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-test-'));
  const index = join(folder, 'advisories.index');
  const sources = records.map((_, i) => join(folder, `${String(i)}.json`));
  for (const [i, text] of records.entries()) await writeFile(sources[i]!, text);
  const signal = AbortSignal.timeout(60_000);
  await importAdvisories({ sources, index, nowMs: Date.now(), replaces: true, signal });
  return { index, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
