// Archives that peers made: read whole, or not at all.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { FileWindow } from '../../../src/gateway/packages/file-window.ts';
import { UnreadableZip, zipFiles } from '../../../src/gateway/packages/zip-archive.ts';
import { seeded } from '../../support/seeded.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { type WrittenFile, writeZip } from '../../support/zip-writer.ts';

/** `npm run test:packages` tries more. */
const rounds = process.env['TEST_REGISTRIES'] === undefined ? 60 : 2000;
const bounds = { filesMax: 100, fileBytesMax: 4096, bytesMax: 16_384 };

function filesIn(path: string, bound = bounds): readonly (readonly [name: string, text: string])[] {
  using directory = new FileWindow(path);
  using data = new FileWindow(path);
  const files = zipFiles({ directory, data }, bound, (name) => name.endsWith('.json'));
  return [...files].map(({ name, octets }) => [name, Buffer.from(octets).toString()] as const);
}

test('packed, stored and large files are read, and others are passed over', async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'all.zip');
  const files = [
    { name: 'a.json', text: '{"id":"a"}'.repeat(20) },
    { name: 'readme.txt', text: 'no record' },
    { name: '../../b.json', text: '', isStored: true },
    { name: 'c.json', text: 'c', isStored: true },
  ];
  const expected = files.filter(({ name }) => name.endsWith('.json')).map(({ name, text }) => [name, text]);
  for (const options of [{}, { isLarge: true }, { comment: 'PK\u0005\u0006 what?' }]) {
    writeZip(path, files, options);
    assert.deepEqual(filesIn(path), expected, JSON.stringify(options));
  }
});

describe('what is refused', () => {
  const bomb = { name: 'bomb.json', text: '0'.repeat(4000) };
  const cases: readonly (readonly [name: string, files: readonly WrittenFile[], message: RegExp])[] = [
    ['a file that unpacks to more than it says', [{ ...bomb, said: { bytes: 100 } }], /cannot be read/],
    ['one that unpacks to less', [{ ...bomb, said: { bytes: 4001 } }], /damaged/],
    [
      'one that is too long',
      [{ name: 'a.json', text: '0'.repeat(4097) }],
      /too long.*advisoryRecordBytesMax/,
    ],
    [
      'too much of all',
      Array.from({ length: 5 }, (_, i) => ({ ...bomb, name: `${String(i)}.json` })),
      /advisoryExportBytesMax/,
    ],
    ['another sum', [{ ...bomb, said: { crc: 1 } }], /damaged/],
    ['an encrypted file', [{ ...bomb, said: { flags: 1 } }], /encrypted/],
    ['another packing', [{ ...bomb, said: { method: 12 } }], /packed in a way/],
    ['a name that is another one in place', [{ ...bomb, localName: 'other.json' }], /two names/],
    ['a place behind the directory', [{ ...bomb, said: { localStart: 100_000 } }], /not in it/],
    [
      'too many files',
      Array.from({ length: 101 }, (_, i) => ({ name: `${String(i)}.txt`, text: '' })),
      /advisoryRecordsMax/,
    ],
  ];
  for (const [name, files, message] of cases)
    test(name, async () => {
      await using folder = await temporaryDirectory();
      const path = join(folder.path, 'all.zip');
      writeZip(path, files);
      assert.throws(
        () => filesIn(path),
        (error) => error instanceof UnreadableZip && message.test(error.message),
      );
    });

  test('a small archive whose files are all the same octets', async () => {
    await using folder = await temporaryDirectory();
    const path = join(folder.path, 'all.zip');
    writeZip(path, [{ name: 'a.json', text: 'aaaa'.repeat(1000) }]);
    const octets = readFileSync(path);
    const start = octets.readUInt32LE(octets.length - 6);
    const entry = octets.subarray(start, octets.length - 22);
    const end = Buffer.from(octets.subarray(-22));
    end.writeUInt16LE(50, 8);
    end.writeUInt16LE(50, 10);
    end.writeUInt32LE(50 * entry.length, 12);
    writeFileSync(
      path,
      Buffer.concat([octets.subarray(0, start), ...Array.from({ length: 50 }, () => entry), end]),
    );
    assert.throws(() => filesIn(path, { ...bounds, bytesMax: 1e9 }), /overlap/);
  });
});

test('of archives that were changed anywhere, nothing but what was written comes out', async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'all.zip');
  const files = Array.from({ length: 8 }, (_, i) => ({
    name: `${String(i)}.json`,
    text: JSON.stringify({ id: i, text: 'x'.repeat(i * 40) }),
    isStored: i % 2 === 0,
  }));
  const texts = new Set(files.map(({ text }) => text));
  const random = seeded(20);
  let [refused, read] = [0, 0];
  for (const isLarge of [false, true]) {
    writeZip(path, files, { isLarge });
    const whole = readFileSync(path);
    for (let round = 0; round < rounds; round++) {
      const changed = Buffer.from(
        whole.subarray(0, round % 5 === 0 ? Math.floor(random() * whole.length) : whole.length),
      );
      // The directory is where most of the decisions are made.
      const from = round % 2 === 0 ? 0 : Math.floor(whole.length * 0.5);
      for (let i = 0; i <= round % 3; i++)
        changed[from + Math.floor(random() * (whole.length - from))] = Math.floor(random() * 256);
      writeFileSync(path, changed);
      try {
        for (const [, text] of filesIn(path)) assert.ok(texts.has(text));
        read += 1;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        assert.ok(
          error instanceof UnreadableZip || (error instanceof Error && error.message === 'it was cut off'),
          String(error),
        );
        refused += 1;
      }
    }
  }
  assert.ok(refused > rounds / 4 && read > rounds / 20, `${String(refused)} refused, ${String(read)} read`);
});

test('an archive of another program is read', async (t) => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'all.zip');
  const script = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as z:
    for i in range(20): z.writestr(f"GHSA-{i}.json", '{"id":"GHSA-%d"}' % i * 3)
    z.writestr("folder/", "")`;
  const made = spawnSync('python3', ['-c', script, path]);
  if (made.error !== undefined || made.status !== 0) return t.skip('there is no python3');
  const read = filesIn(path);
  assert.equal(read.length, 20);
  assert.deepEqual(read[7], ['GHSA-7.json', '{"id":"GHSA-7"}'.repeat(3)]);
});
