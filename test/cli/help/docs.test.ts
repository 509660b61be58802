// `upstreamproxy docs` with a small site; that of the package is looked at in a browser by `npm run test:site`.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { siteArchive } from '../../../scripts/site/site-archive.ts';
import { unpackSite } from '../../../src/cli/help/packed-site.ts';
import { runCommand } from '../../support/command.ts';
import { startDocs } from '../../support/docs-process.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const long = `0.1.0/${'folder/'.repeat(18)}a.html`;
const files = [
  { name: 'index.html', body: Buffer.from('<script>location.replace("0.1.0/index.html");</script>') },
  { name: '0.1.0/index.html', body: Buffer.from('<h1>Read me</h1><script src="a.js"></script>') },
  { name: '0.1.0/a.js', body: Buffer.from('1;') },
  { name: long, body: Buffer.alloc(513, 'a') },
];

test('a site that is packed is unpacked as it was, whatever the order of its files', () => {
  const packed = siteArchive(files);
  assert.deepEqual(siteArchive(files.toReversed()), packed);
  const found = unpackSite(packed, 'site');
  assert.deepEqual(
    [...found].toSorted(),
    files.map(({ name, body }) => [`/${name}`, body] as const).toSorted(),
  );
});

test('what is not a whole site is refused, and so is one that unpacks to too much', () => {
  const packed = siteArchive(files);
  const noFront = siteArchive(files.slice(1));
  const tar = Buffer.alloc(512 * 4, 'x');
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('text'),
    packed.subarray(0, packed.length - 20),
    noFront,
    zstdCompressSync(tar),
    zstdCompressSync(Buffer.alloc(65 * 1024 * 1024)),
  ])
    assert.throws(() => unpackSite(bytes, 'site'), { code: 'config_invalid' });
  assert.throws(() => siteArchive([{ name: 'a'.repeat(101), body: Buffer.alloc(0) }]), /no place/);
});

test('the site is served on loopback until the command ends, with nothing that another host or page could use', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'site.tar.zst');
  await writeFile(file, siteArchive(files));
  await using docs = await startDocs(['--from', file]);
  const address = docs.origin;
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+$/);
  const front = await fetch(address);
  const script = createHash('sha256').update('location.replace("0.1.0/index.html");').digest('base64');
  const policy = front.headers.get('content-security-policy') ?? '';
  assert.ok(policy.includes(`script-src 'self' 'sha256-${script}';`), policy);
  assert.ok(policy.includes("frame-ancestors 'none'"));
  const page = await fetch(new URL('/0.1.0/', address));
  assert.equal(await page.text(), '<h1>Read me</h1><script src="a.js"></script>');
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'; /);
  assert.equal((await fetch(new URL(`/${long}?a=b`, address))).status, 200);
  const head = await fetch(new URL('/0.1.0/a.js', address), { method: 'HEAD' });
  assert.deepEqual([head.status, head.headers.get('content-type')], [200, 'text/javascript; charset=utf-8']);
  for (const path of ['/0.1.0', '/etc/passwd', '/0.1.0/%61.js', '/__proto__'])
    assert.equal((await fetch(new URL(path, address))).status, 404, path);
  assert.equal((await fetch(address, { method: 'POST', body: 'x' })).status, 405);
});

test('a port that is taken and a file that is no site end the command with one line', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'site.tar.zst');
  await writeFile(file, siteArchive(files));
  await using docs = await startDocs(['--from', file]);
  const { port } = new URL(docs.origin);
  const taken = await runCommand(launcher, ['docs', '--from', file, '--port', port]);
  assert.deepEqual([taken.code, taken.stderr.split('\n').length], [64, 2], taken.stderr);
  const other = await runCommand(launcher, ['docs', '--from', join(directory.path, 'gone')]);
  assert.match(other.stderr, /^upstreamproxy: .*gone: .* \[config_invalid\]\n$/);
});
