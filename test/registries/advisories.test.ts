// `npm run test:packages`: an export as large as that of npm becomes an index, within the memory that is told here.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readAdvisoryFile } from '../../src/gateway/packages/advisories/advisory-file.ts';
import { type Random, seeded } from '../support/seeded.ts';
import { osvRecord } from '../support/osv-records.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { ZipWriter } from '../support/zip-writer.ts';

const skip = process.env['TEST_REGISTRIES'] === undefined ? 'npm run test:packages makes it' : false;
/** That of npm, late in 2026. */
const recordCount = 229_000;
const zipBytesMin = 142_000_000;
const maxRssBytes = 400_000_000;

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const word = (random: Random, length: number): string =>
  Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join('');

/** Most are of malware, each of a package of its own; some packages have many. */
function recordOf(i: number, random: Random): string {
  const isWithdrawn = i % 500 === 7;
  const common = isWithdrawn ? { withdrawn: '2029-12-30T00:00:00Z' } : {};
  const record =
    i % 40 === 0
      ? osvRecord({
          ...common,
          id: `GHSA-${word(random, 4)}-${String(i)}`,
          name: `popular-${String(i % 300)}`,
          range: [
            { introduced: `${String(i % 7)}.0.0` },
            { fixed: `${String(1 + (i % 7))}.${String(i % 50)}.0` },
          ],
          severity: ['LOW', 'MODERATE', 'HIGH', 'CRITICAL'][i % 4]!,
          aliases: [`CVE-2029-${String(i)}`],
        })
      : osvRecord({
          ...common,
          id: `MAL-2029-${String(i)}`,
          name: i % 3 === 0 ? `@${word(random, 8)}/pkg-${String(i)}` : `pkg-${String(i)}-${word(random, 6)}`,
          versions: Array.from({ length: 1 + (i % 5) }, (_, at) => `1.0.${String(at)}`),
        });
  return record.replace(
    'nobody wants',
    `nobody wants ${word(random, 420)} and ${word(random, 200).repeat(4)}`,
  );
}

test('an export of the size of that of npm is imported in bounded memory', { timeout: 1_800_000, skip }, () =>
  withTemporaryDirectory(async (folder) => {
    const [path, index] = [join(folder, 'all.zip'), join(folder, 'advisories.index')];
    using zip = new ZipWriter(path, { isLarge: true });
    const random = seeded(20_261_127);
    for (let i = 0; i < recordCount; i++) {
      zip.add({ name: `${String(i)}.json`, text: recordOf(i, random) });
      // What packed the texts is let go of in between.
      if (i % 1000 === 0) await setImmediate();
    }
    zip.end();
    assert.ok(zip.bytes >= zipBytesMin, `the export has ${String(zip.bytes)} octets`);
    const program = fileURLToPath(new URL('support/import-measured.ts', import.meta.url));
    const load = (): Readonly<Record<string, number>> => {
      const { stdout, stderr, status } = spawnSync(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', program, index, path],
        { encoding: 'utf8' },
      );
      assert.equal(status, 0, stderr);
      return JSON.parse(stdout) as Readonly<Record<string, number>>;
    };
    const first = load();
    const size = statSync(index).size;
    console.log(`${String(recordCount)} records, ${String(zip.bytes)} octets: ${JSON.stringify(first)}`);
    assert.equal(first['records'], recordCount);
    assert.ok(first['maxRssBytes']! < maxRssBytes, `${String(first['maxRssBytes'])} octets of memory`);
    assert.ok(size < 100 * recordCount + 1000, `the index has ${String(size)} octets`);
    const again = load();
    assert.deepEqual([again['added'], again['gone']], [0, 0]);
    assert.ok(again['maxRssBytes']! < maxRssBytes + size, `${String(again['maxRssBytes'])} octets of memory`);
    const read = await readAdvisoryFile(index);
    let [packages, checked] = [0, 0];
    for (const [key, { advisories }] of read.packages()) {
      packages += 1;
      if (packages % 97 !== 0) continue;
      const [, name = ''] = key.split('\t');
      assert.equal(read.find('npm', name).length, advisories.length, name);
      checked += 1;
    }
    assert.equal(packages, read.head.registries.get('npm')?.packages);
    assert.ok(checked > recordCount / 200);
  }),
);
