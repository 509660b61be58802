// Versions that something is known against: no list tells of them, no archive of them comes, and who asks is told why.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { importAdvisories } from '../../../src/gateway/packages/advisories/import-advisories.ts';
import { LiveAdvisories } from '../../../src/gateway/packages/advisories/live-advisories.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { osvRecord } from '../../support/osv-records.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { openRequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const nowMs = Date.parse('2030-01-01T00:00:00Z');
const dayMs = 86_400_000;

interface Scene {
  get(target: string, fields?: readonly string[]): Promise<RawResponse>;
  /** Makes the index of these records, and has it taken. */
  know(...records: readonly string[]): Promise<void>;
  readonly live: LiveAdvisories;
  readonly asked: readonly string[];
  readonly said: readonly string[];
}

const packument = {
  name: 'lodash',
  'dist-tags': { latest: '3.0.0' },
  versions: Object.fromEntries(
    ['1.0.0', '2.0.0', '3.0.0'].map((version) => [version, { name: 'lodash', version, dist: {} }]),
  ),
};
const simple = {
  name: 'example',
  files: ['1.0', '1.0+cu118', '2.0'].map((version) => ({
    filename: `example-${version}-py3-none-any.whl`,
    url: `https://files.test/example-${version}-py3-none-any.whl`,
    hashes: {},
  })),
};

function serve(path: string, response: ServerResponse): void {
  if (path.startsWith('/simple/'))
    response
      .writeHead(200, { 'content-type': 'application/vnd.pypi.simple.v1+json' })
      .end(JSON.stringify(simple));
  else if (path === '/lodash')
    response
      .writeHead(200, { 'content-type': 'application/json', 'cache-control': 'public, max-age=300' })
      .end(JSON.stringify(packument));
  else response.end('an archive');
}

const withScene = (packages: string, use: (scene: Scene) => Promise<void>): Promise<void> =>
  withTemporaryDirectory(async (folder) => {
    const [index, source] = [join(folder, 'advisories.index'), join(folder, 'records')];
    const asked: string[] = [];
    const said: string[] = [];
    const origin = await httpsOrigin({
      authority,
      handler: (request, response) => {
        asked.push(request.url ?? '');
        serve(request.url ?? '', response);
      },
    });
    await using live = await LiveAdvisories.open({
      index,
      staleMs: 7 * dayMs,
      clock: () => nowMs,
      log: (_, message) => said.push(message),
      onStale: (message) => said.push(`stale: ${message}`),
      isOnDuty: () => true,
      onFault: (error) => said.push(error.message),
    });
    const at = `npm.test:${String(origin.port)}`;
    await using path = openRequestPath({
      policy: `rules:\n  - { name: npm, hosts: npm.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, packages: { index: "https://${at}/", ${packages} } }`,
      hosts: ['npm.test'],
      trust: [authority.caPem],
      advisories: live,
    });
    try {
      await use({
        live,
        asked,
        said,
        know: async (...records) => {
          rmSync(source, { recursive: true, force: true });
          mkdirSync(source);
          for (const [i, text] of records.entries()) writeFileSync(join(source, `${String(i)}.json`), text);
          const signal = AbortSignal.timeout(60_000);
          await importAdvisories({ sources: [source], index, nowMs, replaces: true, signal });
          await live.look();
        },
        get: async (target, fields = []) =>
          await sendRaw(
            await path.tls(at),
            [`GET ${target} HTTP/1.1`, `Host: ${at}`, ...fields, 'Connection: close', '', ''].join('\r\n'),
          ),
      });
    } finally {
      await origin.close();
    }
  });

const versionsIn = ({ body }: RawResponse): readonly string[] =>
  Object.keys((JSON.parse(body) as { readonly versions: object }).versions);
const field = ({ headers }: RawResponse, name: string): string | undefined => headers.get(name);
const phraseOf = ({ head }: RawResponse): string => head.split('\r\n', 1)[0] ?? '';
const evil = osvRecord({ id: 'MAL-2029-1', name: 'lodash', versions: ['3.0.0'] });
const affected = osvRecord({
  id: 'GHSA-1',
  name: 'lodash',
  range: [{ introduced: '0' }, { fixed: '1.5.0' }],
  severity: 'HIGH',
});

test('a list is without them, an archive is refused by its id, and what comes later holds for the next request', () =>
  withScene('registry: npm, advisories: { deny: high }', async ({ get, know }) => {
    await know(affected);
    const first = await get('/lodash');
    assert.deepEqual(versionsIn(first), ['2.0.0', '3.0.0']);
    // Something may become known at any time.
    assert.equal(field(first, 'cache-control'), 'private, no-cache');
    assert.equal((await get('/lodash/-/lodash-3.0.0.tgz')).body, 'an archive');
    const old = await get('/lodash/-/lodash-1.0.0.tgz');
    assert.equal(old.status, 403);
    assert.match(phraseOf(old), /lodash@1\.0\.0 is affected by GHSA-1 \(high\)/);
    const etag = field(first, 'etag') ?? '';
    assert.equal((await get('/lodash', [`If-None-Match: ${etag}`])).status, 304);
    await know(affected, evil);
    const second = await get('/lodash', [`If-None-Match: ${etag}`, 'User-Agent: npm/11']);
    assert.deepEqual(versionsIn(second), ['2.0.0']);
    assert.match(
      field(second, 'npm-notice') ?? '',
      /keeps back lodash@3\.0\.0 \(latest\): it is malware \(MAL-2029-1\)/,
    );
    assert.match(phraseOf(await get('/lodash/-/lodash-3.0.0.tgz')), /is malware \(MAL-2029-1\)/);
    await know(affected);
    assert.deepEqual(versionsIn(await get('/lodash')), ['2.0.0', '3.0.0']);
  }));

test('where all versions are kept back, the response says by what', () =>
  withScene('registry: npm, malware: deny', async ({ get, know }) => {
    await know(osvRecord({ id: 'MAL-2029-2', name: 'lodash', range: [{ introduced: '0' }] }));
    const response = await get('/lodash');
    assert.equal(response.status, 403);
    assert.match(response.body, /all 3 versions of lodash are kept back: 3\.0\.0 is malware \(MAL-2029-2\)/);
  }));

test('files of PyPI are yanked with the advisory', () =>
  withScene('registry: pypi, advisories: { deny: low }', async ({ get, know }) => {
    await know(osvRecord({ id: 'PYSEC-1', ecosystem: 'PyPI', name: 'Example', versions: ['1.0'] }));
    const response = await get('/simple/example/', ['Accept: application/vnd.pypi.simple.v1+json']);
    const { files } = JSON.parse(response.body) as {
      readonly files: readonly { readonly yanked?: string }[];
    };
    const why = 'upstreamproxy: is affected by PYSEC-1 (of unknown severity)';
    assert.deepEqual(
      files.map(({ yanked }) => yanked),
      [why, why, undefined],
    );
    assert.equal((await get('/packages/example-1.0+cu118-py3-none-any.whl')).status, 403);
    assert.equal((await get('/packages/example-2.0-py3-none-any.whl')).status, 200);
  }));

test('without an index nothing of the registry goes out, and who keeps the gateway is told', () =>
  withScene('registry: npm, malware: deny', async ({ get, asked, said, live, know }) => {
    assert.equal(live.state().index, undefined);
    assert.ok(live.state().staleForMs > 0);
    assert.equal((await get('/lodash')).status, 403);
    const archive = await get('/lodash/-/lodash-2.0.0.tgz');
    assert.match(archive.body, /there is no index of advisories about packages of npm/);
    assert.deepEqual(asked, []);
    assert.match(said.join('\n'), /rules that look into it allow nothing\nstale: there is no index/);
    // Of another registry nothing is known of this one.
    await know(osvRecord({ id: 'PYSEC-1', ecosystem: 'PyPI', versions: ['1.0'] }));
    assert.equal((await get('/lodash')).status, 403);
    await know(evil);
    assert.deepEqual(versionsIn(await get('/lodash')), ['1.0.0', '2.0.0']);
    assert.equal(live.state().staleForMs, 0);
  }));
