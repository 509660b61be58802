// Modules of go behind the request path: what the proxy delivers has to be what the checksum database promises, which the proxy itself passes on.

import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { ChecksumDatabase } from '../../../src/gateway/packages/checksums/checksum-database.ts';
import { noteKey } from '../../../src/gateway/packages/checksums/signed-note.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { memoryTreeHeads } from '../../support/memory-tree-heads.ts';
import { ChecksumTree, databaseKey, goModHash, h1Of } from '../../support/checksum-tree.ts';
import { moduleZip } from '../../support/module-zip.ts';
import { openRegistryScene, type RegistryScene, type Respond } from '../support/registry-scene.ts';

const key = databaseKey();
const name = 'example.test/Mod';
const at = '/example.test/!mod/@v/v1.0.0';
const goMod = 'module example.test/Mod\n';
const content = { [`${name}@v1.0.0/go.mod`]: goMod, [`${name}@v1.0.0/m.go`]: 'package m\n'.repeat(30_000) };
const zip = moduleZip(Object.entries(content).map(([file, text]) => ({ name: file, content: text })));
const evil = moduleZip([{ name: `${name}@v1.0.0/go.mod`, content: goMod }]);
const tree = new ChecksumTree(key).fill(300).add(name, 'v1.0.0', h1Of(content), goModHash(goMod)).fill(700);
const files: Readonly<Record<string, string | Buffer>> = {
  [`${at}.zip`]: zip,
  [`${at}.mod`]: goMod,
  [`${at}.info`]: '{"Version":"v1.0.0"}',
};

type Serve = (url: string) => string | Buffer | undefined;

const sums =
  (own: Pick<ChecksumTree, 'at'> = tree): Serve =>
  (url) =>
    url.startsWith('/sumdb/sum.test/') ? own.at(url.slice('/sumdb/sum.test'.length)) : undefined;

/** The first of them that has it. */
const responding =
  (...all: readonly Serve[]): Respond =>
  ({ url = '' }: IncomingMessage, response: ServerResponse) => {
    const found = all.map((one) => one(url)).find((one) => one !== undefined);
    if (found === undefined) response.writeHead(404, { 'content-length': '0' }).end();
    else response.writeHead(200, { 'content-length': String(Buffer.from(found).length) }).end(found);
  };

const only =
  (others: Readonly<Record<string, string | Buffer>>): Serve =>
  (url) =>
    others[url];

const open = (rule: string, ...all: readonly Serve[]): Promise<RegistryScene> =>
  openRegistryScene(`registry: go, ${rule}`, responding(...all, only(files)), {
    checksums: new ChecksumDatabase({
      key: noteKey(key.verifier)!,
      heads: memoryTreeHeads(),
      limits: defaultLimits,
      clock: Date.now,
    }),
  });

const alarms = ({ path }: RegistryScene): readonly string[] =>
  path.audit.filter(({ action }) => action === 'package_altered').map(({ message = '' }) => message);

test('a module comes whole, and its go.mod, and the event has the hash of go.sum', async () => {
  for (const rule of ['integrity: required', 'integrity: asked']) {
    await using scene = await open(rule, sums());
    const came = await scene.get(`${at}.zip`);
    assert.deepEqual([came.status, came.isWhole, came.body.equals(zip)], [200, true, true]);
    assert.deepEqual((await scene.get(`${at}.mod`)).body.toString(), goMod);
    assert.equal((await scene.get(`${at}.info`)).status, 200);
    const event = scene.path.audit.find(({ path }) => path === `${at}.zip`);
    assert.equal(event?.package?.digest, h1Of(content).replace('h1:', 'h1-'));
    // Asked once for all of it.
    assert.equal(scene.asked.filter((url) => url.includes('/lookup/')).length, 1);
    assert.equal((await scene.send('HEAD', `${at}.zip`)).status, 200);
    assert.deepEqual(alarms(scene), []);
  }
});

test('a module that was changed never comes whole, and an alarm says so', async () => {
  const changed: Readonly<Record<string, Serve>> = {
    'another zip': only({ [`${at}.zip`]: evil }),
    'the same files, and something behind them': only({
      [`${at}.zip`]: Buffer.concat([zip, Buffer.from('x')]),
    }),
    'no zip': only({ [`${at}.zip`]: 'a module' }),
    'a zip that is cut': only({ [`${at}.zip`]: zip.subarray(0, -30) }),
    'a directory that says something else': only({
      [`${at}.zip`]: moduleZip(
        Object.entries(content).map(([file, text]) => ({ name: file, content: text })),
        { directory: (all) => all.slice(0, 1) },
      ),
    }),
    'an encoded one': only({ [`${at}.zip`]: gzipSync(zip) }),
    nothing: only({ [`${at}.zip`]: '' }),
  };
  for (const [what, serve] of Object.entries(changed)) {
    await using scene = await open('integrity: asked', serve, sums());
    const { isWhole, status } = await scene.get(`${at}.zip`);
    assert.equal(isWhole && status === 200, false, what);
    const events = await scene.path.events(2);
    assert.ok(
      events.some(({ errorCode }) => errorCode === 'package_altered'),
      what,
    );
    assert.match(alarms(scene).join(), /Mod@v1\.0\.0 of go as something else than is promised: .* h1-/, what);
  }
  for (const text of [`${goMod}require evil.test/x v1.0.0\n`, '']) {
    await using scene = await open('integrity: asked', only({ [`${at}.mod`]: text }), sums());
    const came = await scene.get(`${at}.mod`);
    assert.equal(came.isWhole && came.status === 200, false);
    assert.equal(alarms(scene).length, 1);
  }
});

test('a database that was changed lets nothing through, whatever the rule requires, and an alarm says so', async () => {
  const forged = new ChecksumTree(databaseKey())
    .add(name, 'v1.0.0', h1Of({ [`${name}@v1.0.0/go.mod`]: goMod }), goModHash(goMod))
    .fill(9);
  for (const rule of ['integrity: required', 'integrity: asked']) {
    await using scene = await open(rule, only({ [`${at}.zip`]: evil }), sums(forged));
    const refused = await scene.get(`${at}.zip`);
    assert.equal(refused.status, 502);
    assert.match(
      refused.body.toString(),
      /checksum database sum\.test about example\.test\/Mod@v1\.0\.0 is not signed by sum\.test/,
    );
    assert.match(alarms(scene).join(), /is not signed by sum\.test\. The module was not delivered\.$/);
    assert.equal(scene.asked.includes(`${at}.zip`), false);
  }
});

test('where the database has none of a module, or says nothing, only a rule that requires it refuses', async () => {
  const silent: Serve = (url) => (url.startsWith('/sumdb/') ? '<html>' : undefined);
  for (const serve of [sums(new ChecksumTree(key).fill(5)), silent]) {
    await using scene = await open('integrity: required', serve);
    for (const ending of ['zip', 'mod']) {
      const refused = await scene.get(`${at}.${ending}`);
      assert.equal(refused.status, 403);
      assert.match(
        refused.body.toString(),
        /nothing is promised of .* and the rule requires a promise \(integrity\)/,
      );
    }
    // It names a version, and nothing that is used.
    assert.equal((await scene.get(`${at}.info`)).status, 200);
    await using other = await open('integrity: asked', serve);
    assert.equal((await other.get(`${at}.zip`)).isWhole, true);
  }
});

test('without integrity the database is not asked, and a rule for an age asks for nothing more', async () => {
  await using scene = await open('allow: ["example.test/*"]', sums());
  assert.equal((await scene.get(`${at}.zip`)).isWhole, true);
  assert.deepEqual(scene.asked, [`${at}.zip`]);
});

test('a version that is judged by its age is checked too', async () => {
  const rule =
    'minAge: 1h, integrity: required, exceptions: [{ package: "example.test/Mod@v1.0.0", reason: a test, until: 2099-01-01T00:00:00Z }]';
  await using scene = await open(rule, sums());
  assert.equal((await scene.get(`${at}.zip`)).isWhole, true);
  await using altered = await open(rule, only({ [`${at}.zip`]: evil }), sums());
  assert.equal((await altered.get(`${at}.zip`)).isWhole, false);
});

test('a part of a module is none that is checked, so all of it is asked for', async () => {
  await using scene = await open('integrity: required', sums());
  const came = await scene.get(`${at}.zip`, ['Range: bytes=5-20']);
  assert.deepEqual([came.status, came.body.equals(zip)], [200, true]);
});

test('many who ask at once, and some who leave in the middle, have what is theirs', async () => {
  await using scene = await open('integrity: required', sums());
  const all = await Promise.all(Array.from({ length: 12 }, () => scene.get(`${at}.zip`)));
  for (const one of all) assert.equal(one.body.equals(zip), true);
});
