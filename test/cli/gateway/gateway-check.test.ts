// `gateway --check` and `policy check --config`: what an operator learns before anything starts.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { runShared } from '../../support/command-process.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

test('warnings of the policy are printed by both checks, and fail where that is asked for', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    await writeFile(config, 'policy: policy.yaml\nissuers: [{ issuer: "https://issuer.example.com" }]\n');
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    const warning = /policy\.yaml:1:9: warning: there is no "for", .*issuer\.example\.com for the gateway/;
    const gateway = await runShared(['gateway', '--config', config, '--check']);
    assert.equal(gateway.code, 0, gateway.stderr);
    assert.match(gateway.stdout, warning);
    assert.match(gateway.stdout, /gateway\.yaml is good\n$/);
    const json = await runShared(['gateway', '--config', config, '--check', '--json']);
    const { problems, ...rest } = JSON.parse(json.stdout) as { problems: Record<string, unknown>[] };
    assert.deepEqual([json.code, rest], [0, { file: config, ok: true }]);
    assert.deepEqual([problems.length, problems[0]?.['line'], problems[0]?.['severity']], [1, 1, 'warning']);
    const check = ['policy', 'check', '--config', config];
    const policy = await runShared(check);
    assert.equal(policy.code, 0, policy.stderr);
    assert.match(policy.stdout, warning);
    assert.equal((await runShared([...check, '--fail-on-warning'])).code, 1);
    await writeFile(
      join(directory, 'policy.yaml'),
      `rules: [{ name: a, hosts: a.example.com, expires: '2020-01-31T12:00:00Z' }]\n`,
    );
    const expired =
      /policy\.yaml:1: warning: the rule a expired at 2020-01-31T12:00:00\.000Z and does nothing/;
    assert.match((await runShared(check)).stdout, expired);
    await writeFile(config, 'policy: policy.yaml\n');
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    const bounded = 'issuers: [{ issuer: "https://issuer.example.com", for: { team: a } }]';
    await writeFile(config, `policy: policy.yaml\n${bounded}\n`);
    const quiet = await runShared([...check, '--fail-on-warning']);
    assert.deepEqual([quiet.code, quiet.stdout.split('\n').length], [0, 2]);
  });
});

test('a store that forgets used tokens while the signing key lasts is warned of', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    const check = () => runShared(['gateway', '--config', config, '--check']);
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    await writeFile(config, 'policy: policy.yaml\nstore: "sqlite::memory:"\n');
    assert.match((await check()).stdout, /^warning: store: sqlite::memory: forgets at each start/);
    await writeFile(config, 'policy: policy.yaml\nstore: "sqlite:state.db"\n');
    assert.doesNotMatch((await check()).stdout, /warning/);
  });
});

test('a certificate without its key is found by the check, by the names of the files', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = (name: string): string => join(directory, name);
    const authority = createTestAuthority();
    const check = () => runShared(['gateway', '--config', file('gateway.yaml'), '--check']);
    await writeFile(
      file('gateway.yaml'),
      'publicNames: gateway.example.com\ntls: { certificate: tls.crt, key: tls.key }\n',
    );
    await writeFile(file('tls.crt'), authority.issue('gateway.example.com').cert);
    await writeFile(file('tls.key'), createTestAuthority().issue('gateway.example.com').key);
    const mixed = await check();
    assert.equal(mixed.code, 78);
    const args = ['gateway', '--config', file('gateway.yaml'), '--check', '--json'];
    const json = await runShared(args);
    const { ok, problems } = JSON.parse(json.stdout) as { ok: boolean; problems: { message: string }[] };
    assert.deepEqual([json.code, json.stderr, ok], [78, '', false]);
    assert.match(problems[0]?.message ?? '', /no certificate and its key/);
    assert.match(
      mixed.stderr,
      /tls: .*tls\.crt and .*tls\.key are no certificate and its key: .*\[config_invalid\]/,
    );
    const { cert, key } = authority.issue('gateway.example.com');
    await writeFile(file('tls.crt'), cert);
    await writeFile(file('tls.key'), key);
    assert.equal((await check()).code, 0);
  });
});

test('whatever would not work here and now is found at its line and column, and all of it', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = (name: string): string => join(directory, name);
    const past = createTestAuthority(Date.now() - 400 * 24 * 3_600_000);
    const { cert, key } = past.issue('other.example.com');
    await writeFile(file('tls.crt'), cert);
    await writeFile(file('tls.key'), key);
    await writeFile(file('ca.pem'), 'no certificate\n');
    await writeFile(file('pinned.pem'), key);
    await writeFile(file('empty'), '');
    await writeFile(file('plain-file'), '');
    const config = file('gateway.yaml');
    const lines = [
      'publicNames: [gateway.example.com]',
      'tls: { certificate: tls.crt, key: tls.key }',
      'upstream: { ca: [ca.pem] }',
      'trust: { inner: { file: pinned.pem } }',
      'stateDirectory: plain-file/state',
      'audit: { file: plain-file/audit/audit.jsonl }',
      'credentials:',
      '  missing: { kind: bearer, source: { file: none } }',
      '  empty: { kind: bearer, source: { file: empty } }',
      '  folder: { kind: bearer, source: { file: . } }',
      '  unset: { kind: bearer, source: { env: UPSTREAMPROXY_TEST_UNSET } }',
      '  deep: { kind: bearer, source: { vault: { address: "https://vault.test", path: a/b, field: c, auth: { tokenSource: { file: none } } } } }',
      'policy: broken.yaml',
    ];
    await writeFile(config, `${lines.join('\n')}\n`);
    await writeFile(file('broken.yaml'), 'rules: [{ name: a, hosts: a.example.com, allow: true }]\n');
    const { code, stdout, stderr } = await runShared(['gateway', '--config', config, '--check']);
    assert.deepEqual([code, stdout], [78, '']);
    for (const [place, message] of [
      ['gateway.yaml:2:21', /tls\.crt expired at \d{4}-\S+Z, and every agent refuses it; renew it/],
      ['gateway.yaml:2:21', /tls\.crt is not for gateway\.example\.com, .*it is for DNS:other\.example\.com/],
      ['gateway.yaml:3:18', /ca\.pem cannot be used: expected PEM certificates, found other text/],
      ['gateway.yaml:4:25', /trust\.inner\.file: .*pinned\.pem cannot be used: .*a private key/],
      ['gateway.yaml:5:17', /the folder .*plain-file\/state cannot be used: .*plain-file is not a folder/],
      ['gateway.yaml:6:16', /the folder .*plain-file\/audit cannot be used: .*plain-file is not a folder/],
      ['gateway.yaml:8:36', /credential missing: the file .*\/none cannot be used: it does not exist/],
      ['gateway.yaml:9:34', /credential empty: the file .*\/empty cannot be used: it is empty/],
      ['gateway.yaml:10:35', /credential folder: the file .* cannot be used: it is a folder/],
      [
        'gateway.yaml:11:34',
        /credential unset: the environment variable UPSTREAMPROXY_TEST_UNSET is not set/,
      ],
      ['gateway.yaml:12:117', /credential deep: the file .*\/none cannot be used: it does not exist/],
      ['broken.yaml:1:42', /unknown key "allow"/],
    ] as const) {
      const line = stderr.split('\n').find((one) => one.includes(`${place}: error: `) && message.test(one));
      assert.ok(line !== undefined, `${place} ${String(message)}\n${stderr}`);
    }
    assert.equal(stderr.trimEnd().split('\n').length, 12, stderr);
    assert.doesNotMatch(stderr, /PRIVATE KEY|no certificate/);
  });
});

test('the check is content with what the start makes, makes nothing itself, and finds ports that collide', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    const check = () => runShared(['gateway', '--config', config, '--check']);
    const body = 'stateDirectory: a/b/state\naudit: { file: c/d/audit.jsonl }\nstore: sqlite:e/f/state.db\n';
    await writeFile(config, `${body}listen: { port: 9000 }\nmetrics: { port: 9001 }\n`);
    assert.deepEqual([(await check()).code, await readdir(directory)], [0, ['gateway.yaml']]);
    for (const [ports, isGood] of [
      ['listen: { port: 9000 }\nmetrics: { port: 9000 }\n', false],
      ['metrics: { port: 8443 }\n', false],
      ['listen: { address: 127.0.0.1, port: 9000 }\nmetrics: { address: 127.0.0.2, port: 9000 }\n', true],
    ] as const) {
      await writeFile(config, ports);
      const { code, stderr } = await check();
      assert.equal(code, isGood ? 0 : 78, ports);
      if (!isGood) assert.match(stderr, /gateway\.yaml:\d:\d+: error: port \d+ is that of "listen" already/);
    }
  });
});

test('a key-encryption key that is none is found by the check, and nothing of it is said', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    const check = async (identity: string) => {
      await writeFile(config, `stateDirectory: state\npolicy: policy.yaml\nidentity: ${identity}\n`);
      return await runShared(['gateway', '--config', config, '--check']);
    };
    await writeFile(join(directory, 'key'), 'correct horse battery staple');
    const { code, stderr } = await check('{ store: true, keyEncryptionKey: { file: key } }');
    assert.equal(code, 78);
    assert.match(stderr, /gateway\.yaml:3:\d+: error: identity\.keyEncryptionKey is not 32 random octets/);
    assert.doesNotMatch(stderr, /horse/);
    const cases: readonly (readonly [string, RegExp])[] = [
      ['{ store: true, keyEncryptionKey: { file: nowhere } }', /the file .*nowhere cannot be used/],
      ['{ store: true }', /what is in the store is sealed; write keyEncryptionKey/],
      [
        '{ store: true, directory: shared, keyEncryptionKey: { file: key } }',
        /exactly one of directory and store/,
      ],
      ['{ directory: shared, keyEncryptionKey: { file: key } }', /write store: true too, or leave it away/],
      ['{ store: false, keyEncryptionKey: { file: key } }', /write store: true, or name a directory/],
    ];
    for (const [identity, message] of cases) assert.match((await check(identity)).stderr, message);
    await writeFile(join(directory, 'key'), randomBytes(32).toString('hex'));
    const good = await check('{ store: true, keyEncryptionKey: { file: key } }');
    assert.match(good.stdout, /gateway\.yaml is good\n$/);
  });
});

test('a variable by which other gateways would reach this one is asked for', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    const peers =
      'peers: { listen: { address: 0.0.0.0, port: 8444 }, host: { env: UPSTREAMPROXY_TEST_POD_IP } }';
    await writeFile(config, `stateDirectory: state\n${peers}\n`);
    const check = (env: NodeJS.ProcessEnv) =>
      runShared(['gateway', '--config', config, '--check'], { env: { ...process.env, ...env } });
    const { code, stderr } = await check({});
    assert.equal(code, 78);
    assert.match(stderr, /gateway\.yaml:2:\d+: error: peers\.host: .*UPSTREAMPROXY_TEST_POD_IP is not set/);
    assert.equal((await check({ UPSTREAMPROXY_TEST_POD_IP: '10.1.2.3' })).code, 0);
  });
});

test('a key of kept bodies that is none is found by the check, and nothing of it is said', async () => {
  await withTemporaryDirectory(async (directory) => {
    const config = join(directory, 'gateway.yaml');
    await writeFile(join(directory, 'policy.yaml'), 'rules: [{ name: a, hosts: a.example.com }]\n');
    await writeFile(
      config,
      'stateDirectory: state\npolicy: policy.yaml\ncaptured: { source: { file: key } }\n',
    );
    const check = () => runShared(['gateway', '--config', config, '--check']);
    await writeFile(join(directory, 'key'), 'correct horse battery staple');
    const { code, stderr } = await check();
    assert.equal(code, 78);
    assert.match(stderr, /gateway\.yaml:3:\d+: error: captured\.source is not 32 random octets/);
    assert.doesNotMatch(stderr, /horse/);
    await writeFile(join(directory, 'key'), randomBytes(32).toString('hex'));
    assert.match((await check()).stdout, /gateway\.yaml is good\n$/);
  });
});
