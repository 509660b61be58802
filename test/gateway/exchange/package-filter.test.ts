// What a registry of npm says of a package: without the versions that the session may not fetch, in each form in which clients ask, and
// archives judged by the time that the registry says.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from '../support/request-path.ts';

const authority = createTestAuthority();
const dayMs = 86_400_000;
const ago = (days: number): string => new Date(Date.now() - days * dayMs).toISOString();

interface Told {
  readonly versions: Readonly<Record<string, number | undefined>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** Versions with how many days they are out. */
function packument({ versions, tags }: Told, extra: object = {}): object {
  const names = Object.keys(versions);
  const one = (version: string): object => ({
    name: 'lodash',
    version,
    description: `{"quoted": "\\" é"}, ${version}`,
    dist: { tarball: `https://npm.test/lodash/-/lodash-${version}.tgz`, integrity: `sha512-${version}` },
  });
  const times = names.flatMap((version) => {
    const days = versions[version];
    return days === undefined ? [] : [[version, ago(days)] as const];
  });
  return {
    _id: 'lodash',
    name: 'lodash',
    'dist-tags': tags,
    versions: Object.fromEntries(names.map((version) => [version, one(version)])),
    time: { created: ago(900), modified: ago(0), ...Object.fromEntries(times) },
    readme: 'versions: {}',
    ...extra,
  };
}

const told: Told = {
  versions: {
    '4.17.20': 400,
    '4.17.21': 300,
    '4.18.0-rc.1': 20,
    '4.18.0-rc.2': 1,
    '4.17.22': 1,
    '5.0.0': 0.1,
  },
  tags: { latest: '4.17.22', next: '5.0.0', rc: '4.18.0-rc.2', old: '4.17.20', canary: '5.0.0-canary.1' },
};

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly asked: readonly IncomingMessage[];
  get(target: string, fields?: readonly string[], method?: string): Promise<RawResponse>;
}

type Respond = (response: ServerResponse, request: IncomingMessage) => void;

const asJson =
  (value: object, fields: Readonly<Record<string, string>> = {}): Respond =>
  (response) =>
    response.writeHead(200, { 'content-type': 'application/json', ...fields }).end(JSON.stringify(value));

/** A registry with one package and archives of any version. */
const registry =
  (value: object, fields: Readonly<Record<string, string>> = {}): Respond =>
  (response, request) => {
    if (request.url?.endsWith('.tgz') === true) response.end('an archive');
    else
      asJson(value, { etag: '"theirs"', 'cache-control': 'public, max-age=300', ...fields })(
        response,
        request,
      );
  };

async function openScene(
  packages: string,
  respond: Respond,
  {
    registryName = 'npm',
    rule = '',
    ...options
  }: Partial<RequestPathOptions> & { readonly registryName?: string; readonly rule?: string } = {},
): Promise<Scene> {
  const asked: IncomingMessage[] = [];
  const origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      asked.push(request);
      respond(response, request);
    },
  });
  const at = `npm.test:${String(origin.port)}`;
  const path = openRequestPath({
    policy: `rules:\n  - { name: npm, hosts: npm.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, packages: { registry: ${registryName}, index: "https://${at}/", ${packages} }${rule} }`,
    hosts: ['npm.test'],
    trust: [authority.caPem],
    ...options,
  });
  return {
    path,
    asked,
    get: async (target, fields = [], method = 'GET') =>
      await sendRaw(
        await path.tls(at),
        [`${method} ${target} HTTP/1.1`, `Host: ${at}`, ...fields, 'Connection: close', '', ''].join('\r\n'),
      ),
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

interface Shown {
  readonly versions: Readonly<Record<string, object>>;
  readonly 'dist-tags': Readonly<Record<string, string>>;
  readonly time: Readonly<Record<string, string>>;
}
// What the registry sends is JSON of this form.
const shownIn = ({ body }: RawResponse): Shown => JSON.parse(Buffer.from(body, 'latin1').toString()) as Shown;

test('young versions are not told of, tags point at older ones, and the rest is as it came', async () => {
  const value = packument(told);
  await using scene = await openScene('minAge: 3d', registry(value));
  const response = await scene.get('/lodash');
  const shown = shownIn(response);
  assert.deepEqual(Object.keys(shown.versions), ['4.17.20', '4.17.21', '4.18.0-rc.1']);
  assert.deepEqual(shown['dist-tags'], {
    latest: '4.17.21',
    next: '4.17.21',
    rc: '4.18.0-rc.1',
    old: '4.17.20',
  });
  const { versions, time, ...others } = value as Shown;
  const kept = Object.fromEntries(Object.keys(shown.versions).map((one) => [one, versions[one]]));
  assert.deepEqual(shown, { ...others, versions: kept, time, 'dist-tags': shown['dist-tags'] });
  const [event] = await scene.path.events(1);
  assert.deepEqual(event?.details, {
    hidden: 3,
    hiddenVersions: ['4.18.0-rc.2', '4.17.22', '5.0.0'],
  });
  assert.deepEqual(event?.package, { registry: 'npm', name: 'lodash' });
});

test('a version that a list denies is not told of, nor one beside the range that is allowed', async () => {
  await using denied = await openScene('deny: "lodash@>=4.17.21 <5.0.0"', registry(packument(told)));
  assert.deepEqual(Object.keys(shownIn(await denied.get('/lodash')).versions), ['4.17.20', '5.0.0']);
  await using allowed = await openScene('allow: "lodash@<4.17.22"', registry(packument(told)));
  assert.deepEqual(Object.keys(shownIn(await allowed.get('/lodash')).versions), ['4.17.20', '4.17.21']);
});

test('what the rule keeps nothing back of goes on as it came', async () => {
  const value = packument(told);
  await using scene = await openScene('allow: lodash', registry(value));
  const response = await scene.get('/lodash', [
    'If-None-Match: "x"',
    'Accept: application/vnd.npm.install-v1+json',
  ]);
  assert.equal(response.headers.get('etag'), '"theirs"');
  assert.ok(response.body.includes(Buffer.from(JSON.stringify(value)).toString('latin1')));
  assert.equal(scene.asked[0]?.headers['if-none-match'], '"x"');
});

describe('in each form in which a client asks', () => {
  const forms = [
    [],
    ['Accept: application/json'],
    ['Accept: application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*'],
    ['Accept-Encoding: gzip, br'],
    ['Range: bytes=0-9'],
    ['If-None-Match: "theirs"', 'If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT'],
  ];
  for (const fields of forms)
    test(fields.join(', ') || 'none', async () => {
      await using scene = await openScene('minAge: 3d', registry(packument(told)));
      const response = await scene.get('/lodash', fields);
      assert.equal(response.status, 200);
      assert.equal(Object.keys(shownIn(response).versions).length, 3);
      const sent = scene.asked[0]?.headers ?? {};
      assert.equal(sent['accept'], 'application/json');
      assert.equal(sent['accept-encoding'], 'identity');
      for (const name of ['range', 'if-none-match', 'if-modified-since']) assert.equal(sent[name], undefined);
    });

  for (const target of ['/%6codash', '/lodash/'])
    test(target, async () => {
      await using scene = await openScene('minAge: 3d', registry(packument(told)));
      assert.equal(Object.keys(shownIn(await scene.get(target)).versions).length, 3);
    });

  test('HEAD says what GET would, and the registry is asked by GET', async () => {
    await using scene = await openScene('minAge: 3d', registry(packument(told)));
    const [get, head] = [await scene.get('/lodash'), await scene.get('/lodash', [], 'HEAD')];
    for (const name of ['etag', 'content-length', 'content-type', 'cache-control'])
      assert.equal(head.headers.get(name), get.headers.get(name), name);
    assert.equal(head.body, '');
    assert.deepEqual(
      scene.asked.map(({ method }) => method),
      ['GET', 'GET'],
    );
  });

  for (const target of [
    '/lodash/latest',
    '/-/package/lodash/dist-tags',
    '/-/v1/search?text=lodash',
    '/-/all',
  ])
    test(`${target}, which could tell of a young one, is refused`, async () => {
      await using scene = await openScene('minAge: 3d', registry(packument(told)));
      assert.equal((await scene.get(target)).status, 403);
      assert.equal(scene.asked.length, 0);
    });

  test('the document of one version is judged as its archive', async () => {
    await using scene = await openScene('minAge: 3d', registry(packument(told)));
    assert.equal((await scene.get('/lodash/4.17.21')).status, 200);
    assert.equal((await scene.get('/lodash/4.17.22')).status, 403);
  });
});

test('validators are those of what is shown, and it is fresh until the next version is old enough', async () => {
  const soon = { ...told, versions: { ...told.versions, '4.17.22': 3 - 100 / 86_400 } };
  await using scene = await openScene('minAge: 3d', registry(packument(soon)));
  const first = await scene.get('/lodash');
  const etag = first.headers.get('etag') ?? '';
  const own = createHash('sha256').update(Buffer.from(first.body, 'latin1')).digest('base64url').slice(0, 32);
  assert.equal(etag, `"${own}"`);
  const [, seconds = ''] = /^private, max-age=(\d+)$/.exec(first.headers.get('cache-control') ?? '') ?? [];
  assert.ok(Number(seconds) > 50 && Number(seconds) <= 100, seconds);
  const again = await scene.get('/lodash', [`If-None-Match: W/${etag}, "x"`]);
  assert.equal(again.status, 304);
  assert.equal(again.body, '');
  await using other = await openScene('minAge: 1h', registry(packument(soon)));
  assert.equal((await other.get('/lodash', [`If-None-Match: ${etag}`])).status, 200);
});

test('npm is told that its latest is kept back, in the field that it prints', async () => {
  await using scene = await openScene('minAge: 3d', registry(packument(told)));
  const response = await scene.get('/lodash', ['User-Agent: npm/11.19.1 node/v26.0.0']);
  assert.match(response.headers.get('npm-notice') ?? '', /keeps back lodash@4\.17\.22/);
  assert.equal(response.headers.get('cache-control'), 'private, no-store');
});

describe('an archive is judged by the time that the registry says', () => {
  test('without that its client asked for metadata, and the registry is asked once', async () => {
    await using scene = await openScene('minAge: 3d', registry(packument(told)));
    assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 200);
    const refused = await scene.get('/lodash/-/lodash-4.17.22.tgz', ['User-Agent: npm/11.19.1']);
    assert.equal(refused.status, 403);
    assert.match(refused.body, /The rule npm waits: lodash@4\.17\.22 was published at .* when it is 3d old/);
    assert.equal((await scene.get('/lodash/-/lodash-5.0.0.tgz')).status, 403);
    assert.deepEqual(
      scene.asked.map(({ url }) => url),
      ['/lodash', '/lodash/-/lodash-4.17.21.tgz'],
    );
    assert.deepEqual(
      (await scene.path.events(3)).map(({ package: fetched }) => [
        fetched?.version,
        fetched?.isArchive,
        fetched?.published?.slice(0, 10),
      ]),
      ['4.17.21', '4.17.22', '5.0.0'].map((version) => [
        version,
        true,
        ago(told.versions[version] ?? 0).slice(0, 10),
      ]),
    );
  });

  test('from metadata that passed', async () => {
    await using scene = await openScene('minAge: 3d', registry(packument(told)));
    await scene.get('/lodash');
    assert.equal((await scene.get('/lodash/-/lodash-4.17.22.tgz')).status, 403);
    assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 200);
    assert.equal(scene.asked.length, 2);
  });

  test('an exception lets it through until its time', async () => {
    const until = (days: number): string => new Date(Date.now() + days * dayMs).toISOString();
    const rule = (days: number): string =>
      `minAge: 3d, exceptions: [{ package: lodash@4.17.22, reason: a fix, until: "${until(days)}" }]`;
    await using open = await openScene(rule(1), registry(packument(told)));
    assert.equal((await open.get('/lodash/-/lodash-4.17.22.tgz')).status, 200);
    assert.equal(shownIn(await open.get('/lodash'))['dist-tags']['latest'], '4.17.22');
    assert.equal((await open.get('/lodash/-/lodash-5.0.0.tgz')).status, 403);
    await using over = await openScene(rule(-1), registry(packument(told)));
    assert.equal((await over.get('/lodash/-/lodash-4.17.22.tgz')).status, 403);
  });

  test('where a person has to be asked first, the gateway does not ask the registry by itself', async () => {
    await using scene = await openScene('minAge: 3d }, ask: { choices: once ', registry(packument(told)));
    assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 403);
    assert.deepEqual(scene.asked, []);
  });

  for (const [name, value] of [
    ['no time', packument({ ...told, versions: { '4.17.21': undefined } })],
    ['a time in the future', packument({ ...told, versions: { '4.17.21': -30 } })],
    ['a time that nobody can read', packument(told, { time: { '4.17.21': 'long ago' } })],
    ['another form of time', packument(told, { time: { '4.17.21': '2020-01-01' } })],
    ['the beginning of a calendar', packument(told, { time: { '4.17.21': '0001-01-01T00:00:00Z' } })],
    ['another beginning of one', packument(told, { time: { '4.17.21': '1970-01-01T00:00:00.000Z' } })],
    ['a time that is a number', packument(told, { time: { '4.17.21': 0 } })],
  ] as const)
    test(`${name} is too young`, async () => {
      await using scene = await openScene('minAge: 3d', registry(value));
      const refused = await scene.get('/lodash/-/lodash-4.17.21.tgz');
      assert.equal(refused.status, 403);
      const listed = await scene.get('/lodash');
      assert.equal(listed.status, 403);
      assert.match(listed.body, /versions of lodash are kept back/);
    });

  test('a registry that cannot be asked is no permission', async () => {
    await using scene = await openScene('minAge: 3d', (response, request) => {
      if (request.url?.endsWith('.tgz') === true) response.end('an archive');
      else response.writeHead(503).end();
    });
    const refused = await scene.get('/lodash/-/lodash-4.17.21.tgz');
    assert.equal(refused.status, 403);
    assert.match(refused.body, /nobody knows when lodash@4\.17\.21 was published/);
    assert.equal(scene.asked.length, 1);
  });
});

describe('the question to the registry is a request of the session', () => {
  const token = `ghp_${'A1b2C3d4E5f6'.repeat(3)}`;

  test('a name that may not leave is not sent to it', async () => {
    const rule = ', leaks: { on: block, find: [shape] }';
    await using scene = await openScene('minAge: 3d', registry(packument(told)), { rule });
    const refused = await scene.get(`/${token}/-/${token}-1.0.0.tgz`);
    assert.match(refused.body, /may not leave/);
    assert.equal(scene.asked.length, 0);
    const [event] = await scene.path.events(1);
    assert.equal(event?.leaks?.[0]?.place, 'url');
  });

  test('it takes of the requests and of the octets that the rule gives', async () => {
    const rule = (limits: string): string => `, limits: { ${limits} }`;
    const archive = '/lodash/-/lodash-4.17.21.tgz';
    const one = { rule: rule('requestsPerSession: 1') };
    await using single = await openScene('minAge: 3d', registry(packument(told)), one);
    assert.match((await single.get(archive)).body, /requestsPerSession/);
    assert.deepEqual(
      single.asked.map(({ url }) => url),
      ['/lodash'],
    );
    const few = { rule: rule('bytesPerSession: 100') };
    await using small = await openScene('minAge: 3d', registry(packument(told)), few);
    assert.match((await small.get(archive)).body, /bytesPerSession/);
    assert.equal((await small.get(archive)).status, 429);
  });

  test('the audit tells of it', async () => {
    await using scene = await openScene('minAge: 3d', registry(packument(told)));
    await scene.get('/lodash/-/lodash-4.17.21.tgz');
    await scene.get('/lodash/-/lodash-4.17.20.tgz');
    const events = await scene.path.events(2);
    assert.deepEqual(
      events.map(({ details }) => details?.['registryAsked']),
      ['npm.test/lodash', undefined],
    );
  });

  test('a document that is too long is not fetched again for each archive', async () => {
    const limits = { ...defaultLimits, packageMetadataBytesMax: 200 };
    await using scene = await openScene('minAge: 3d', registry(packument(told)), { limits });
    for (const version of ['4.17.20', '4.17.21'])
      assert.match((await scene.get(`/lodash/-/lodash-${version}.tgz`)).body, /packageMetadataBytesMax/);
    assert.equal(scene.asked.length, 1);
  });
});

for (const status of [429, 500, 302, 200])
  test(`what said nothing is asked again for the next one: ${String(status)}`, async () => {
    let isAway = true;
    await using scene = await openScene('minAge: 3d', (response, request) => {
      if (request.url?.endsWith('.tgz') !== true && isAway) response.writeHead(status).end('<html>');
      else registry(packument(told))(response, request);
    });
    assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 403);
    isAway = false;
    assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 200);
  });

test('a registry that does not say in time is waited for no longer', async () => {
  const limits = { ...defaultLimits, publishTimesTimeoutMs: 200 };
  await using scene = await openScene('minAge: 3d', (response) => void response.flushHeaders(), { limits });
  const response = await scene.get('/lodash/-/lodash-4.17.21.tgz');
  assert.equal(response.status, 504);
  assert.match(response.body, /did not say in time what it knows of lodash/);
});

test('a later time of a version changes nothing: what was seen stays', async () => {
  let days = 1;
  await using scene = await openScene('minAge: 3d', (response, request) =>
    registry(packument({ ...told, versions: { '4.17.20': 400, '4.17.22': days } }))(response, request),
  );
  await scene.get('/lodash');
  days = 500;
  assert.deepEqual(Object.keys(shownIn(await scene.get('/lodash')).versions), ['4.17.20']);
});

describe('what cannot be read is not passed on', () => {
  const text = JSON.stringify(packument(told));
  const raw =
    (body: string | Buffer, fields: Readonly<Record<string, string>> = {}): Respond =>
    (response) =>
      response.writeHead(200, { 'content-type': 'application/json', ...fields }).end(body);
  for (const [name, respond] of [
    ['versions twice', raw(`${text.slice(0, -1)},"versions":{"9.9.9":{}}}`)],
    ['versions twice, once in escapes', raw(`${text.slice(0, -1)},"\\u0076ersions":{"9.9.9":{}}}`)],
    ['versions as a list', raw('{"versions":[{"version":"9.9.9"}]}')],
    ['a byte order mark', raw(`\ufeff${text}`)],
    ['two documents', raw(`${text}${text}`)],
    ['half of it', raw(text.slice(0, -200))],
    ['another type', raw(text, { 'content-type': 'text/html' })],
    ['another charset', raw(text, { 'content-type': 'application/json; charset=utf-16' })],
    ['encoded', raw(gzipSync(text), { 'content-encoding': 'gzip' })],
    ['too long', raw(`{"readme":"${'9.9.9'.repeat(20_000)}"}`)],
    [
      'too many versions',
      raw(`{"versions":{${Array.from({ length: 60 }, (_, i) => `"9.9.${String(i)}":{}`).join()}}}`),
    ],
  ] as const)
    test(name, async () => {
      const limits = { ...defaultLimits, packageMetadataBytesMax: 50_000, packageVersionsMax: 50 };
      await using scene = await openScene('minAge: 3d', respond, { limits });
      const response = await scene.get('/lodash');
      assert.equal(response.status, 502);
      assert.ok(!response.body.includes('9.9.9'));
    });
});

test('a tag that is no version stands in no field', async () => {
  const tags = { latest: '9.9.9\r\nset-cookie: a=b' };
  await using scene = await openScene('minAge: 3d', registry(packument({ ...told, tags })));
  const response = await scene.get('/lodash', ['User-Agent: npm/11.19.1']);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('npm-notice'), undefined);
  assert.equal(response.headers.get('set-cookie'), undefined);
});

for (const status of [300, 304, 399])
  test(`a document with the status ${String(status)}, which nobody asked for, is not passed on`, async () => {
    await using scene = await openScene('minAge: 3d', (response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end('{"versions":{"9.9.9":{}}}'),
    );
    const response = await scene.get('/lodash');
    assert.equal(response.status, 502);
    assert.ok(!response.body.includes('9.9.9'));
  });

test('what a registry tells a client that brings something of its own makes no version older for others', async () => {
  const days: Record<string, number> = { mallory: 500 };
  await using scene = await openScene('minAge: 3d', (response, request) => {
    const own = days[request.headers.authorization ?? request.headers['x-tenant']?.toString() ?? ''] ?? 1;
    registry(packument({ ...told, versions: { '4.17.20': 400, '4.17.22': own } }))(response, request);
  });
  for (const field of ['Authorization: mallory', 'X-Tenant: mallory']) {
    const shown = shownIn(await scene.get('/lodash', [field]));
    assert.deepEqual(Object.keys(shown.versions), ['4.17.20', '4.17.22']);
    assert.equal((await scene.get('/lodash/-/lodash-4.17.22.tgz')).status, 403);
  }
});

test('a session that may not read what the registry says gets nothing by what others were told', async () => {
  await using scene = await openScene('minAge: 3d', registry(packument(told)));
  assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 200);
  const [, port = ''] = (scene.asked[0]?.headers.host ?? '').split(':');
  scene.path.setPolicy(
    `rules:
  - { name: npm, hosts: npm.test, ports: ${port}, addresses: 127.0.0.0/8, packages: { registry: npm, index: "https://npm.test:${port}/", minAge: 3d } }
  - { name: closed, hosts: npm.test, ports: ${port}, paths: /lodash, deny: Nobody reads it. }`,
  );
  assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 403);
  scene.path.setPolicy(
    `rules:
  - { name: npm, hosts: npm.test, ports: ${port}, addresses: 127.0.0.0/8, packages: { registry: npm, index: "https://npm.test:${port}/", minAge: 3d } }`,
  );
  assert.equal((await scene.get('/lodash/-/lodash-4.17.21.tgz')).status, 200);
});

test('a part of a document is not passed on, nor is a response to a WebSocket that was not asked for', async () => {
  const value = packument(told);
  await using part = await openScene('minAge: 3d', (response) =>
    response.writeHead(206, { 'content-type': 'application/json' }).end(JSON.stringify(value)),
  );
  assert.equal((await part.get('/lodash')).status, 502);
  await using whole = await openScene('minAge: 3d', registry(value));
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${btoa('0123456789abcdef')}`,
  ];
  const response = await whole.get('/lodash', upgrade);
  assert.equal(response.status, 403);
  assert.equal(whole.asked.length, 0);
});

test('what is no success goes on as it came', async () => {
  await using scene = await openScene('minAge: 3d', (response) =>
    response.writeHead(404).end('no such package'),
  );
  const response = await scene.get('/lodash');
  assert.equal(response.status, 404);
  assert.match(response.body, /no such package/);
});

test('a document of 3 MB comes whole to a client that reads slowly', async () => {
  const value = packument(told, { readme: 'x'.repeat(3_000_000) });
  await using scene = await openScene('minAge: 3d', registry(value));
  const response = await scene.get('/lodash');
  assert.equal(response.body.length, Number(response.headers.get('content-length')));
  assert.equal(Object.keys(shownIn(response).versions).length, 3);
});

describe('other registries', () => {
  const files = [
    {
      filename: 'example-1.0.tar.gz',
      url: 'https://files.test/example-1.0.tar.gz',
      hashes: { sha256: 'ff' },
      'upload-time': ago(9),
    },
    {
      filename: 'example-1.1.tar.gz',
      url: 'https://files.test/example-1.1.tar.gz',
      hashes: {},
      'upload-time': ago(1),
    },
  ];
  const type = 'application/vnd.pypi.simple.v1+json';
  const index: Respond = (response) =>
    response
      .writeHead(200, { 'content-type': type })
      .end(JSON.stringify({ meta: {}, name: 'example', files }));

  test('PyPI: young files are yanked with the reason, in JSON and on a page made of it', async () => {
    await using scene = await openScene('minAge: 3d', index, { registryName: 'pypi' });
    const json = await scene.get('/simple/example/', [`Accept: ${type}, text/html; q=0.1`]);
    const shown = JSON.parse(json.body) as { readonly files: readonly { readonly yanked?: string }[] };
    assert.equal(shown.files[0]?.yanked, undefined);
    assert.match(shown.files[1]?.yanked ?? '', /^upstreamproxy: not allowed before \d{4}-/);
    const page = await scene.get('/simple/example/', ['Accept: text/html']);
    assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.match(page.body, /<a href="https:\/\/files\.test\/example-1\.0\.tar\.gz#sha256=ff">example-1\.0/);
    assert.match(page.body, /data-yanked="upstreamproxy: not allowed before [^"]+">example-1\.1/);
    assert.deepEqual(
      scene.asked.map(({ headers }) => headers.accept),
      [type, type],
    );
    assert.equal((await scene.get('/packages/a/example-1.0.tar.gz')).status, 200);
    const refused = await scene.get('/packages/a/example-1.1.tar.gz.metadata');
    assert.equal(refused.status, 403);
  });

  test('PyPI: a page of the registry itself, which has no times, is not passed on', async () => {
    await using scene = await openScene(
      'minAge: 3d',
      (response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<a href="x">example-1.1.tar.gz</a>'),
      { registryName: 'pypi' },
    );
    assert.equal((await scene.get('/simple/example/')).status, 502);
  });

  test('cargo: a young version is yanked, and its archive is judged by the index', async () => {
    const line = (vers: string, days: number): string =>
      JSON.stringify({
        name: 'ex_ample',
        vers,
        deps: [],
        cksum: 'x',
        features: {},
        yanked: false,
        pubtime: ago(days),
      });
    await using scene = await openScene(
      'minAge: 3d',
      (response, request) =>
        request.url === '/ex/_a/ex_ample'
          ? response.end(`${line('1.0.0', 9)}\n${line('1.1.0', 1)}\n`)
          : response.writeHead(request.url?.endsWith('download') === true ? 200 : 404).end(),
      { registryName: 'cargo' },
    );
    assert.equal((await scene.get('/crates/ex_ample/1.0.0/download')).status, 200);
    assert.equal((await scene.get('/crates/ex_ample/1.1.0/download')).status, 403);
    const { body } = await scene.get('/ex/_a/ex_ample');
    const lines = body
      .trimEnd()
      .split('\n')
      .map((one) => JSON.parse(one) as { readonly yanked: boolean });
    assert.deepEqual(
      lines.map(({ yanked }) => yanked),
      [false, true],
    );
  });
});
