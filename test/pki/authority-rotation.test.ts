import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import {
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  makeNextAuthority,
  publishedForMsMin,
  retireAuthorities,
  switchAuthority,
} from '../../src/pki/authority-rotation.ts';
import { openCertificateAuthority, readCertificateAuthority } from '../../src/pki/authority-folder.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';

const nowMs = Date.now();
const atOnce = { nowMs, atOnce: true };

interface Begun {
  readonly folder: string;
  readonly file: (name: string) => string;
  readonly before: string;
  readonly next: string;
}

async function withBegun(run: (begun: Begun) => Promise<void>): Promise<void> {
  await withTemporaryDirectory(async (folder) => {
    const { certificatesPem: before } = await openCertificateAuthority(folder, { nowMs });
    const next = await makeNextAuthority({ directory: folder }, nowMs);
    await run({ folder, before, next, file: (name) => join(folder, name) });
  });
}

async function signsWith(folder: string, pem: string): Promise<boolean> {
  const leaf = (await readCertificateAuthority(folder, { nowMs })).issue('a.test', nowMs);
  return new X509Certificate(leaf.certificatePem).verify(new X509Certificate(pem).publicKey);
}

describe('the rotation of an authority', () => {
  test('publishes the next one, then signs with it, then publishes it alone', async () => {
    await withBegun(async ({ folder, file, before, next }) => {
      const published = async (): Promise<string> =>
        (await readCertificateAuthority(folder, { nowMs })).certificatesPem;
      assert.equal(statSync(file('next-ca.key')).mode & 0o777, 0o600);
      assert.deepEqual([await published(), await signsWith(folder, before)], [before + next, true]);
      await assert.rejects(retireAuthorities({ directory: folder }), /has not taken its place yet/);
      await switchAuthority({ directory: folder }, atOnce);
      assert.deepEqual([await published(), await signsWith(folder, next)], [next + before, true]);
      assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'ca.pem']);
      assert.equal(statSync(file('ca.key')).mode & 0o777, 0o600);
      assert.equal(await retireAuthorities({ directory: folder }), 1);
      assert.deepEqual([await published(), await retireAuthorities({ directory: folder })], [next, 0]);
    });
  });

  test('never overwrites a next pair, or a certificate whose key is gone', async () => {
    await withBegun(async ({ folder, file, next }) => {
      const key = readFileSync(file('next-ca.key'), 'utf8');
      await assert.rejects(makeNextAuthority({ directory: folder }, nowMs), /is there already/);
      assert.equal(readFileSync(file('next-ca.key'), 'utf8'), key);
      unlinkSync(file('next-ca.key'));
      await assert.rejects(makeNextAuthority({ directory: folder }, nowMs), /is there already/);
      assert.equal(readFileSync(file('next-ca.pem'), 'utf8'), next);
    });
  });

  test('a pair that was cut off between key and certificate is finished, once, with the key that is there', async () => {
    await withBegun(async ({ folder, file, before, next: lost }) => {
      const key = readFileSync(file('next-ca.key'), 'utf8');
      unlinkSync(file('next-ca.pem'));
      assert.equal(await signsWith(folder, before), true);
      await assert.rejects(switchAuthority({ directory: folder }, atOnce), /make the next pair first/);
      // Whoever of several finishes it, it is one certificate.
      const finished = await Promise.allSettled(
        Array.from({ length: 4 }, async () => await makeNextAuthority({ directory: folder }, nowMs)),
      );
      const made = new Set(finished.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
      assert.deepEqual([...made], [readFileSync(file('next-ca.pem'), 'utf8')]);
      assert.equal(readFileSync(file('next-ca.key'), 'utf8'), key);
      const [next = ''] = made;
      // Who was told of the one before it takes what this one signs.
      assert.equal(new X509Certificate(next).subject, new X509Certificate(lost).subject);
      assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'ca.pem', 'next-ca.key', 'next-ca.pem']);
      await switchAuthority({ directory: folder }, atOnce);
      assert.equal(await signsWith(folder, next), true);
      assert.equal(await retireAuthorities({ directory: folder }), 1);
    });
  });

  test('a key that is a link, or is none, is not finished', async () => {
    await withBegun(async ({ folder, file }) => {
      unlinkSync(file('next-ca.pem'));
      renameSync(file('next-ca.key'), file('mounted'));
      symlinkSync('mounted', file('next-ca.key'));
      await assert.rejects(makeNextAuthority({ directory: folder }, nowMs), /is a link/);
      unlinkSync(file('next-ca.key'));
      writeFileSync(file('next-ca.key'), '', { mode: 0o600 });
      await assert.rejects(
        makeNextAuthority({ directory: folder }, nowMs),
        /next-ca\.key is not a private key/,
      );
      assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'ca.pem', 'mounted', 'next-ca.key']);
    });
  });

  test('does not begin where there is no authority', async () => {
    await withTemporaryDirectory(async (folder) => {
      await assert.rejects(makeNextAuthority({ directory: folder }, nowMs), { code: 'ca_key_unusable' });
      await assert.rejects(switchAuthority({ directory: folder }, atOnce), /make the next pair first/);
      assert.deepEqual(readdirSync(folder), []);
    });
  });

  test('does not sign with what running sessions may not have yet', async () => {
    await withBegun(async ({ folder, file, before, next }) => {
      await assert.rejects(
        switchAuthority({ directory: folder }, { nowMs, atOnce: false }),
        /running sessions may lack it/,
      );
      assert.equal(await signsWith(folder, before), true);
      const longAgo = (Date.now() - publishedForMsMin) / 1000;
      utimesSync(file('next-ca.pem'), longAgo, longAgo);
      await switchAuthority({ directory: folder }, { nowMs: Date.now(), atOnce: false });
      assert.equal(await signsWith(folder, next), true);
    });
  });

  test('does not take a certificate whose key is gone', async () => {
    await withBegun(async ({ folder, file, before }) => {
      unlinkSync(file('next-ca.key'));
      await assert.rejects(switchAuthority({ directory: folder }, atOnce), /has no key beside it/);
      assert.equal(await signsWith(folder, before), true);
    });
  });

  test('exchanges no link, behind which the key of before would stay', async () => {
    await withBegun(async ({ folder, file, before }) => {
      for (const name of ['ca.key', 'ca.pem', 'next-ca.key', 'next-ca.pem']) {
        renameSync(file(name), file('mounted'));
        symlinkSync('mounted', file(name));
        await assert.rejects(switchAuthority({ directory: folder }, atOnce), /is a link/, name);
        assert.equal(await signsWith(folder, before), true);
        unlinkSync(file(name));
        renameSync(file('mounted'), file(name));
      }
      await switchAuthority({ directory: folder }, atOnce);
      renameSync(file('ca.pem'), file('mounted'));
      symlinkSync('mounted', file('ca.pem'));
      await assert.rejects(retireAuthorities({ directory: folder }), /is a link/);
      await assert.rejects(makeNextAuthority({ directory: folder }, nowMs), /is a link/);
      assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'ca.pem', 'mounted']);
    });
  });

  const writes: readonly ((begun: Begun) => void)[] = [
    ({ file, before, next }) => writeFileSync(file('ca.pem'), before + next),
    ({ file }) => renameSync(file('next-ca.key'), file('ca.key')),
    ({ file, before, next }) => writeFileSync(file('ca.pem'), next + before),
    ({ file }) => unlinkSync(file('next-ca.pem')),
  ];
  for (const done of writes.keys()) {
    test(`cut off behind write ${done} of the switch, a gateway starts on the folder and the step goes on`, async () => {
      await withBegun(async (begun) => {
        const { folder, before, next } = begun;
        for (const write of writes.slice(0, done)) write(begun);
        assert.equal(await signsWith(folder, done < 2 ? before : next), true);
        const { certificatesPem } = await readCertificateAuthority(folder, { nowMs });
        assert.ok(certificatesPem.includes(before) && certificatesPem.includes(next));
        await switchAuthority({ directory: folder }, atOnce);
        assert.equal(await signsWith(folder, next), true);
        assert.equal(readFileSync(begun.file('ca.pem'), 'utf8'), next + before);
        assert.deepEqual(readdirSync(folder).sort(), ['ca.key', 'ca.pem']);
      });
    });
  }
});
