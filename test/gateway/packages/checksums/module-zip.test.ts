// What go.sum has of a zip, as it passes: the same as go finds in it, or nothing.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { hashOfModule, ModFileHash } from '../../../../src/gateway/packages/checksums/module-zip.ts';
import { OctetSource, UnreadableModule } from '../../../../src/gateway/packages/checksums/octet-source.ts';
import { goModHash, h1Of } from '../../../support/checksum-tree.ts';
import {
  filesByDirectory,
  moduleZip,
  type ZipChanges,
  type ZippedFile,
} from '../../../support/module-zip.ts';
import { seededBelow } from '../../../support/seeded.ts';

const folder = 'example.test/m@v1.0.0';
const files: readonly ZippedFile[] = [
  { name: `${folder}/z.go`, content: 'package m\n' },
  { name: `${folder}/go.mod`, content: 'module example.test/m\n' },
  { name: `${folder}/empty`, content: '' },
  { name: `${folder}/long.txt`, content: 'a long line of text\n'.repeat(20_000) },
];
const expected = h1Of(Object.fromEntries(files.map(({ name, content }) => [name, content])));

/** Undefined: it is refused. */
async function hashOf(
  zip: Buffer,
  pieces: (length: number) => number = () => 65_536,
  keep: (octets: number) => void = () => undefined,
): Promise<string | undefined> {
  const source = new OctetSource();
  for (let at = 0; at < zip.length;) {
    const length = Math.max(1, pieces(zip.length - at));
    source.push(zip.subarray(at, at + length));
    at += length;
  }
  source.end();
  try {
    return (await hashOfModule(source, keep)).replace('h1-', 'h1:');
  } catch (error) {
    assert.ok(error instanceof UnreadableModule, String(error));
    return undefined;
  }
}

test('a zip has the hash of go.sum, however it is packed and in whatever pieces it comes', async () => {
  const random = seededBelow(7);
  const forms: readonly (readonly [readonly ZippedFile[], ZipChanges?])[] = [
    [files],
    [files.map((one) => ({ ...one, isDescribed: false }))],
    [files.map((one) => ({ ...one, method: 0, isDescribed: false }))],
    [files.map((one) => ({ ...one, isLarge: true }))],
    [files, { isLarge: true }],
    [files.toReversed()],
    [files.map((one) => ({ ...one, extra: Buffer.from([0x55, 0x54, 1, 0, 0]) }))],
  ];
  for (const [some, changes] of forms) {
    const zip = moduleZip(some, changes);
    assert.equal(await hashOf(zip), expected);
    assert.equal(await hashOf(zip, () => random(300)), expected);
  }
  const whole = moduleZip(files.slice(0, 3));
  const [first = '', ...others] = await Promise.all([hashOf(whole), hashOf(whole, () => 1)]);
  assert.deepEqual(others, [first]);
  assert.equal(await hashOf(moduleZip([])), h1Of({}));
  const many = Array.from({ length: 2000 }, (_, i) => ({ name: `f${String(i)}`, content: String(i) }));
  assert.equal(
    await hashOf(moduleZip(many)),
    h1Of(Object.fromEntries(many.map(({ name, content }) => [name, content]))),
  );
});

const swap = <T>([a, b, ...rest]: readonly T[]): readonly T[] => [b!, a!, ...rest];

const refused: Readonly<Record<string, Buffer>> = {
  'the directory names a file otherwise': moduleZip(files, {
    directory: (all) => all.map((one, i) => (i === 0 ? { ...one, name: `${folder}/y.go` } : one)),
  }),
  'the directory leaves a file out': moduleZip(files, { directory: (all) => all.slice(1) }),
  'the directory has a file twice': moduleZip(files, { directory: (all) => [...all, all[0]!] }),
  'the directory has no file': moduleZip(files, { directory: () => [] }),
  'the directory has them in another order': moduleZip(files, { directory: swap }),
  'two files are in the place of each other': moduleZip(files, {
    directory: ([a, b, ...rest]) => [{ ...a!, start: b!.start }, { ...b!, start: a!.start }, ...rest],
  }),
  'the directory says another length': moduleZip(files, {
    directory: (all) => all.map((one, i) => (i === 3 ? { ...one, packedBytes: one.packedBytes - 1 } : one)),
  }),
  'the directory says another checksum': moduleZip(files, {
    directory: (all) => all.map((one, i) => (i === 3 ? { ...one, crc: 1 } : one)),
  }),
  'the directory says another way to pack it': moduleZip(files, {
    directory: (all) => all.map((one, i) => (i === 2 ? { ...one, method: 0 } : one)),
  }),
  'something is before it': moduleZip(files, { before: 'x' }),
  'something is before its directory': moduleZip(files, { between: 'x' }),
  'something is behind it': moduleZip(files, { behind: 'x' }),
  'another zip is behind it': Buffer.concat([moduleZip(files), moduleZip(files.slice(1))]),
  'it has a comment': moduleZip(files, { comment: 'PK' }),
  'its end says another place': moduleZip(files, { end: (end) => end.writeUInt32LE(1, 16) }),
  'its end says fewer files': moduleZip(files, { end: (end) => end.writeUInt16LE(3, 10) }),
  'it is a part of several': moduleZip(files, { end: (end) => end.writeUInt16LE(1, 4) }),
  'two files have one name': moduleZip([...files, files[0]!]),
  'a name has a line end': moduleZip([{ name: 'a\nb', content: '' }]),
  'a file has a second name': moduleZip([
    { ...files[0]!, extra: Buffer.from([0x75, 0x70, 6, 0, 1, 0, 0, 0, 0, 0x61]) },
  ]),
  'a field is cut': moduleZip([{ ...files[0]!, extra: Buffer.from([1, 2, 9, 0]) }]),
  'a file is encrypted': moduleZip([{ ...files[0]!, flags: 0x809 }]),
  'a file is packed otherwise': moduleZip([{ ...files[0]!, method: 12, isDescribed: false }]),
  'a stored file does not say how long it is': moduleZip([{ ...files[0]!, method: 0 }]),
  'a file that is no deflated one': moduleZip([{ ...files[0]!, method: 0, isDescribed: false }], {
    directory: (all) => all.map((one) => ({ ...one, method: 8 })),
  }),
  nothing: Buffer.alloc(0),
  'a text': Buffer.from('a module'),
};

test('what readers could read in two ways is refused', async () => {
  for (const [what, zip] of Object.entries(refused)) assert.equal(await hashOf(zip), undefined, what);
});

test('a zip that is cut anywhere, or changed anywhere, is refused, or go reads the same files in it', async () => {
  const small = files.slice(0, 3);
  const own = h1Of(Object.fromEntries(small.map(({ name, content }) => [name, content])));
  const random = seededBelow(11);
  for (const large of [false, true]) {
    const zip = moduleZip(small, { isLarge: large });
    assert.equal(await hashOf(zip), own);
    // With the larger end only some places.
    const step = large ? 5 : 1;
    for (let at = 0; at < zip.length; at += step) assert.equal(await hashOf(zip.subarray(0, at)), undefined);
    let changed = 0;
    for (let at = 0; at < zip.length; at += step) {
      const other = Buffer.from(zip);
      other[at] = other[at]! ^ (1 + random(255));
      const hash = await hashOf(other);
      if (hash === undefined) continue;
      changed += 1;
      const read = large ? undefined : filesByDirectory(other);
      // Times and versions are nobody's content; go reads a checksum that does not fit as a fault.
      if (read !== undefined) assert.equal(h1Of(read), hash, `octet ${String(at)}`);
      else if (!large) assert.notEqual(hash, own, `octet ${String(at)}`);
    }
    assert.ok(changed > 0);
  }
});

test('a module that is too long, or has too many files, is refused before all of it is unpacked', async () => {
  const hashed = async (zip: Buffer, changed: { moduleFilesMax?: number; moduleBytesMax?: number }) => {
    const bounds = { ...defaultLimits, ...changed };
    const source = new OctetSource();
    source.push(zip);
    source.end();
    return await hashOfModule(source, () => undefined, bounds);
  };
  const bomb = moduleZip([{ name: 'a', content: Buffer.alloc(20_000_000) }]);
  assert.ok(bomb.length < 30_000);
  const bounds = { moduleFilesMax: 10, moduleBytesMax: 1_000_000 };
  await assert.rejects(hashed(bomb, bounds), /moduleBytesMax/);
  let unpacked = 0;
  // A module of zeros, as long as one may be: a sixth of a second of hashing, and not five.
  const long = moduleZip([{ name: 'a', content: Buffer.alloc(60_000_000) }]);
  await assert.rejects(hashed(long, {}), /moduleRatioMax/);
  // Source that repeats itself, and what came before it counts too.
  const text = Buffer.from('the same line, and again\n'.repeat(600_000));
  const random = moduleZip([
    { name: 'a', content: randomBytes(500_000) },
    { name: 'b', content: Buffer.alloc(60_000_000) },
  ]);
  for (const zip of [moduleZip([{ name: 'a', content: text }]), random]) {
    assert.match(await hashed(zip, {}), /^h1-/);
    unpacked += zip.length;
  }
  assert.ok(unpacked < 700_000);
  const stored = moduleZip([{ name: 'a', content: Buffer.alloc(2_000_000), method: 0, isDescribed: false }]);
  await assert.rejects(hashed(stored, bounds), /moduleBytesMax/);
  const eleven = Array.from({ length: 11 }, (_, i) => ({ name: String(i), content: '' }));
  await assert.rejects(hashed(moduleZip(eleven), bounds), /moduleFilesMax/);
  assert.match(await hashed(moduleZip(eleven.slice(1)), bounds), /^h1-/);
});

test('room is taken for the files that are remembered, and a fault of it is not one of the zip', async () => {
  let kept = 0;
  await hashOf(moduleZip(files), undefined, (octets) => {
    kept += octets;
  });
  assert.ok(kept > 4 * 300);
  const source = new OctetSource();
  source.push(moduleZip(files));
  const full = (): never => {
    throw new RangeError('no room');
  };
  await assert.rejects(hashOfModule(source, full), /no room/);
});

test('who waits for octets is told when there are none to come, and who brings them when there is room', async () => {
  const source = new OctetSource();
  const waiting = source.some();
  source.fail(new UnreadableModule('is over'));
  await assert.rejects(waiting, /is over/);
  const other = new OctetSource();
  let drained = 0;
  other.push(Buffer.alloc(300_000));
  assert.equal(other.isFull, true);
  other.onDrain(() => (drained += 1));
  assert.equal(drained, 0);
  assert.equal((await other.take(100_000)).length, 100_000);
  assert.deepEqual([drained, other.isFull, other.position], [1, false, 100_000]);
  other.push(Buffer.alloc(300_000));
  other.onDrain(() => (drained += 1));
  other.fail(new UnreadableModule('is over'));
  assert.deepEqual([drained, other.isFull], [2, false]);
});

test('a go.mod has the hash of go.sum', () => {
  const hash = new ModFileHash();
  hash.push(Buffer.from('module '));
  hash.push(Buffer.from('example.test/m\n'));
  assert.equal(hash.end().replace('h1-', 'h1:'), goModHash('module example.test/m\n'));
});
