// Archives beside what metadata promises of them: an altered one never comes whole, and an alarm says so.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { withCheckedArchive } from '../../../src/gateway/exchange/checked-archive.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { sendRawUntilBroken } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath } from '../support/request-path.ts';

const authority = createTestAuthority();
const long = '2020-01-01T00:00:00.000Z';
const archive = Buffer.alloc(300_000, 'an archive of some length, ');
const altered = Buffer.concat([archive.subarray(0, -1), Buffer.from('!')]);
const base64 = (algorithm: string): string => createHash(algorithm).update(archive).digest('base64');
const hex = (algorithm: string): string => createHash(algorithm).update(archive).digest('hex');

interface Case {
  readonly rule: string;
  readonly metadata: string;
  readonly type: string;
  readonly told: string;
  readonly archive: string;
  readonly promised: string;
}

const npmOf = (dist: object): string =>
  JSON.stringify({
    name: 'a',
    'dist-tags': { latest: '1.0.0' },
    versions: { '1.0.0': { dist } },
    time: { '1.0.0': long },
  });
const npm = {
  rule: 'registry: npm, minAge: 3d',
  metadata: '/a',
  type: 'application/json',
  archive: '/a/-/a-1.0.0.tgz',
};
const pypi = {
  rule: 'registry: pypi, minAge: 3d',
  metadata: '/simple/a/',
  type: 'application/vnd.pypi.simple.v1+json',
  told: JSON.stringify({
    name: 'a',
    files: [
      {
        filename: 'a-1.0.zip',
        url: 'x',
        hashes: { sha256: hex('sha256') },
        'core-metadata': { sha256: hex('sha256') },
        'upload-time': long,
      },
    ],
  }),
  promised: `sha256-${base64('sha256')}`,
};
const cases: Readonly<Record<string, Case>> = {
  'npm, integrity': {
    ...npm,
    told: npmOf({ integrity: `sha512-${base64('sha512')}`, shasum: '00' }),
    promised: `sha512-${base64('sha512')}`,
  },
  'npm, shasum': { ...npm, told: npmOf({ shasum: hex('sha1') }), promised: `sha1-${base64('sha1')}` },
  'PyPI, a file': { ...pypi, archive: '/packages/aa/a-1.0.zip' },
  'PyPI, the metadata of a file': { ...pypi, archive: '/packages/aa/a-1.0.zip.metadata' },
  cargo: {
    rule: 'registry: cargo, minAge: 3d',
    metadata: '/1/a',
    type: 'text/plain',
    told: `${JSON.stringify({ name: 'a', vers: '1.0.0', cksum: hex('sha256'), pubtime: long })}\n`,
    archive: '/crates/a/a-1.0.0.crate',
    promised: `sha256-${base64('sha256')}`,
  },
  RubyGems: {
    rule: 'registry: rubygems, deny: "a@<0.1"',
    metadata: '/info/a',
    type: 'text/plain',
    told: `---\n1.0.0 |checksum:${'0'.repeat(64)}\n1.0.0-java b:>= 1|ruby:>= 2,checksum:${hex('sha256')}\n`,
    archive: '/gems/a-1.0.0-java.gem',
    promised: `sha256-${base64('sha256')}`,
  },
  'OCI, a blob': {
    rule: 'registry: oci',
    metadata: '',
    type: '',
    told: '',
    archive: `/v2/a/blobs/sha256:${hex('sha256')}`,
    promised: `sha256-${base64('sha256')}`,
  },
};

interface Scene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly asked: readonly IncomingMessage[];
  get(
    target: string,
    fields?: readonly string[],
  ): Promise<{ readonly status: number; readonly octets: Buffer; readonly isWhole: boolean }>;
}

async function openScene(
  { rule, metadata, type, told }: Case,
  deliver: (response: ServerResponse) => void,
): Promise<Scene> {
  const asked: IncomingMessage[] = [];
  const origin = await httpsOrigin({
    authority,
    handler: (request, response) => {
      asked.push(request);
      if (request.url === metadata) response.writeHead(200, { 'content-type': type }).end(told);
      else deliver(response);
    },
  });
  const at = `registry.test:${String(origin.port)}`;
  const path = openRequestPath({
    policy: `rules:\n  - { name: registry, hosts: registry.test, ports: ${String(origin.port)}, addresses: 127.0.0.0/8, packages: { ${rule}, index: "https://${at}/" } }`,
    hosts: ['registry.test'],
    trust: [authority.caPem],
  });
  return {
    path,
    asked,
    get: async (target, fields = []) => {
      const socket = await path.tls(at);
      const text = await sendRawUntilBroken(
        socket,
        [`GET ${target} HTTP/1.1`, `Host: ${at}`, ...fields, 'Connection: close', '', ''].join('\r\n'),
      );
      const octets = Buffer.from(text.body, 'latin1');
      const length = text.headers.get('content-length');
      const isWhole =
        length === undefined
          ? octets.toString('latin1').endsWith('0\r\n\r\n')
          : octets.length === Number(length);
      return { status: text.status, octets, isWhole };
    },
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

const whole =
  (body: Buffer, fields: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse): void =>
    void response.writeHead(200, { 'content-length': String(body.length), ...fields }).end(body);
const inChunks =
  (body: Buffer) =>
  (response: ServerResponse): void => {
    response.writeHead(200);
    response.write(body.subarray(0, 100_000));
    response.end(body.subarray(100_000));
  };

for (const [name, one] of Object.entries(cases))
  describe(name, () => {
    test('what is promised comes, and the audit says that it was checked', async () => {
      await using scene = await openScene(one, whole(archive));
      if (one.metadata !== '') assert.equal((await scene.get(one.metadata)).status, 200);
      const { octets, isWhole } = await scene.get(one.archive, ['Accept-Encoding: gzip']);
      assert.ok(isWhole && octets.equals(archive));
      const event = (await scene.path.events(one.metadata === '' ? 1 : 2)).at(-1);
      assert.equal(event?.package?.digest, one.promised);
      assert.equal(scene.asked.at(-1)?.headers['accept-encoding'], 'identity');
    });

    for (const [form, deliver] of [
      ['with its length', whole],
      ['in chunks', inChunks],
    ] as const)
      test(`what is not, ${form}, never comes whole, and an alarm says so`, async () => {
        await using scene = await openScene(one, deliver(altered));
        const before = one.metadata === '' ? 0 : 1;
        if (before === 1) await scene.get(one.metadata);
        const { isWhole, octets } = await scene.get(one.archive);
        assert.equal(isWhole, false);
        assert.ok(!octets.includes('!'));
        const events = await scene.path.events(before + 2);
        const alarm = events.find(({ kind }) => kind === 'alarm');
        assert.equal(alarm?.action, 'package_altered');
        assert.match(alarm?.message ?? '', /registry\.test delivers a/);
        const event = events.find(({ kind, errorCode }) => kind === 'exchange' && errorCode !== undefined);
        assert.equal(event?.errorCode, 'package_altered');
        assert.equal(event?.package?.digest, undefined);
      });
  });

test('without that its client asked for metadata, an archive is checked by what the gateway was told with its time', async () => {
  const one = cases['npm, integrity'] ?? assert.fail();
  await using scene = await openScene(one, whole(altered));
  assert.equal((await scene.get(one.archive)).isWhole, false);
  // Clients try again. What is promised is asked for anew: it may have been published again.
  assert.equal((await scene.get(one.archive)).isWhole, false);
  assert.deepEqual(
    scene.asked.map(({ url }) => url),
    ['/a', one.archive, '/a', one.archive],
  );
});

test('a version that a rule excepts from its age is checked too, before its client asked for anything else', async () => {
  const until = new Date(Date.now() + 86_400_000).toISOString();
  for (const [registry, key] of [
    ['npm', 'npm, integrity'],
    ['pypi', 'PyPI, a file'],
    ['cargo', 'cargo'],
  ] as const) {
    const one = cases[key] ?? assert.fail();
    const version = registry === 'pypi' ? '1.0' : '1.0.0';
    const rule = `registry: ${registry}, minAge: 3d, exceptions: [{ package: "a@${version}", reason: a fix, until: "${until}" }]`;
    await using scene = await openScene({ ...one, rule }, whole(altered));
    for (let i = 0; i < 2; i++) assert.equal((await scene.get(one.archive)).isWhole, false, key);
    await using sound = await openScene({ ...one, rule }, whole(archive));
    for (let i = 0; i < 2; i++) assert.equal((await sound.get(one.archive)).isWhole, true, key);
    assert.deepEqual(
      sound.asked.map(({ url }) => url),
      [one.metadata, one.archive, one.archive],
    );
  }
});

test('where the registry cannot be asked, a version that is excepted comes unchecked, and the audit does not say that it was checked', async () => {
  const one = cases['npm, integrity'] ?? assert.fail();
  const until = new Date(Date.now() + 86_400_000).toISOString();
  const rule = `registry: npm, minAge: 3d, exceptions: [{ package: a@1.0.0, reason: a fix, until: "${until}" }]`;
  await using scene = await openScene({ ...one, rule, metadata: '/not/there' }, (response) =>
    response.req.url === one.archive
      ? whole(archive)(response)
      : void response.writeHead(503, { 'content-length': '0' }).end(),
  );
  assert.equal((await scene.get(one.archive)).isWhole, true);
  const [event] = await scene.path.events(1);
  assert.equal(event?.package?.digest, undefined);
});

test('what clients are told is remembered under a rule that keeps versions back, and under no other', async () => {
  const one = cases['npm, integrity'] ?? assert.fail();
  for (const [rule, isWhole] of [
    ['registry: npm', true],
    ['registry: npm, allow: a', true],
    ['registry: npm, allow: "a@>=1.0.0"', false],
    ['registry: npm, deny: b', false],
  ] as const) {
    await using scene = await openScene({ ...one, rule }, whole(altered));
    assert.equal((await scene.get(one.metadata)).status, 200);
    assert.equal((await scene.get(one.archive)).isWhole, isWhole, rule);
  }
});

test('no part of an archive comes unchecked, but of layers, which their clients check', async () => {
  const npmCase = cases['npm, integrity'] ?? assert.fail();
  await using scene = await openScene(npmCase, whole(archive));
  assert.equal((await scene.get(npmCase.archive, ['Range: bytes=0-9'])).octets.length, archive.length);
  assert.equal(scene.asked.at(-1)?.headers.range, undefined);
  const oci = cases['OCI, a blob'] ?? assert.fail();
  await using layers = await openScene(oci, (response) =>
    response
      .writeHead(206, { 'content-range': 'bytes 0-9/300000', 'content-length': '10' })
      .end(archive.subarray(0, 10)),
  );
  const part = await layers.get(oci.archive, ['Range: bytes=0-9']);
  assert.deepEqual([part.status, part.octets.length], [206, 10]);
  assert.equal(layers.asked[0]?.headers.range, 'bytes=0-9');
});

for (const [name, range, sent, isWhole] of [
  ['as it is promised', 'bytes 0-299999/300000', archive, true],
  ['altered', 'bytes 0-299999/300000', altered, false],
  ['altered, in other letters', 'Bytes 0-299999/300000', altered, false],
  ['altered, and said to be two parts', ['bytes 0-9/300000', 'bytes 0-299999/300000'], altered, false],
  ['altered, and not said to be a part', 'none', altered, false],
] as const)
  test(`a part of a layer that is the whole is checked: ${name}`, async () => {
    const oci = cases['OCI, a blob'] ?? assert.fail();
    await using scene = await openScene(oci, (response) => {
      const { length } = sent;
      response.setHeader('content-range', range);
      response.writeHead(206, { 'content-length': String(length) }).end(sent);
    });
    assert.equal((await scene.get(oci.archive, ['Range: bytes=0-'])).isWhole, isWhole);
    assert.equal(scene.asked[0]?.headers.range, 'bytes=0-');
  });

for (const name of ['a', 'a/blobs/b'])
  test(`a manifest is asked for whole, and checked: ${name}`, async () => {
    const oci = cases['OCI, a blob'] ?? assert.fail();
    const target = `/v2/${name}/manifests/sha256:${hex('sha256')}`;
    await using scene = await openScene(oci, (response) =>
      response
        .writeHead(206, { 'content-range': 'bytes 1-9/300000', 'content-length': '9' })
        .end(archive.subarray(1, 10)),
    );
    assert.equal((await scene.get(target, ['Range: bytes=1-9'])).isWhole, false);
    assert.equal(scene.asked[0]?.headers.range, undefined);
  });

test('no other status of success, and no part that nobody asked for, comes unchecked', async () => {
  for (const [key, status] of [
    ['npm, integrity', 203],
    ['npm, integrity', 300],
    ['npm, integrity', 305],
    ['npm, integrity', 399],
    ['npm, integrity', 206],
    ['OCI, a blob', 206],
  ] as const) {
    const one = cases[key] ?? assert.fail();
    await using scene = await openScene(one, (response) =>
      response
        .writeHead(status, {
          'content-length': String(altered.length),
          ...(status === 206 ? { 'content-range': 'bytes 0-299999/300000' } : {}),
        })
        .end(altered),
    );
    const { octets } = await scene.get(one.archive);
    assert.ok(!octets.includes('!'), `${key}, ${String(status)}`);
  }
});

test('an empty archive in place of another is a refusal', async () => {
  const one = cases['npm, integrity'] ?? assert.fail();
  await using scene = await openScene(one, whole(Buffer.alloc(0)));
  const { status, octets } = await scene.get(one.archive);
  assert.equal(status, 502);
  assert.match(octets.toString(), /package_altered/);
});

test('nothing takes the place of what is held back but octets behind it', async () => {
  const sent: string[] = [];
  const { client, sent: ended } = withCheckedArchive({
    client: {
      signal: new AbortController().signal,
      sendInformation: () => undefined,
      sendHead: () => undefined,
      sendData: (chunk) => sent.push(Buffer.from(chunk).toString()) > 0,
      onDrain: () => undefined,
      sendEnd: () => assert.fail('its end came'),
    },
    method: 'GET',
    takesParts: () => false,
    promised: `sha256-${base64('sha256')}`,
    onWhole: (isPromised) => assert.equal(isPromised, false),
  });
  client.sendHead({ status: 200, headers: new HeaderList([]) });
  for (const piece of ['one', 'two', '', '']) client.sendData(Buffer.from(piece));
  client.sendEnd([]);
  assert.deepEqual(sent, ['one']);
  await assert.rejects(ended(), { code: 'package_altered' });
});

test('a refusal and a redirect go on as they came', async () => {
  const one = cases['npm, integrity'] ?? assert.fail();
  for (const status of [404, 302]) {
    await using scene = await openScene(one, (response) =>
      response.writeHead(status, { location: 'https://files.test/a.tgz', 'content-length': '4' }).end('gone'),
    );
    assert.deepEqual(
      [(await scene.get(one.archive)).status, (await scene.get(one.archive)).isWhole],
      [status, true],
    );
  }
});

for (const status of [301, 302, 303, 307, 308])
  test(`a redirect that leads nowhere is followed by nobody, and checked: ${String(status)}`, async () => {
    const one = cases['npm, integrity'] ?? assert.fail();
    const at = 'https://files.test/a.tgz';
    for (const [location, sent, isWhole] of [
      [[], altered, false],
      [[''], altered, false],
      [[at, at], altered, false],
      [[], archive, true],
      [[at], altered, true],
    ] as const) {
      await using scene = await openScene(one, (response) => {
        if (location.length > 0) response.setHeader('location', location);
        response.writeHead(status, { 'content-length': String(sent.length) }).end(sent);
      });
      assert.equal((await scene.get(one.archive)).isWhole, isWhole, location.join(' and '));
    }
  });
