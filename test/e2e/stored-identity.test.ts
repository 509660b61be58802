// Two gateways whose keys and authorities are in their PostgreSQL database: made by the one that starts first, rotated by the documented
// commands while a session and its connections stand, and never made anew by a gateway that cannot read them.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { parse, stringify } from 'yaml';

import { openSession, type OpenSession } from '../../src/agent/session.ts';
import { splitPemCertificates } from '../../src/pki/pem.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { runCommand } from '../support/command.ts';
import { mustRunShared, runShared } from '../support/command-process.ts';
import { gatewayPair, type GatewayPair } from '../support/gateway-pair.ts';
import { postgresBinaries } from '../support/postgres-server.ts';
import { launcher, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough, requestThrough } from '../support/proxy-client.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const binaries = postgresBinaries();
const skip = 'missing' in binaries ? binaries.missing : false;

describe('two gateways whose identity is in their database', { skip }, () => {
  const stack = new AsyncDisposableStack();
  let pair: GatewayPair;
  let session: OpenSession;
  let port: number;
  let keyFile: string;
  let key: string;

  before(async () => {
    const authority = createTestAuthority();
    const origin = createServer(authority.issue('api.test'), (_request, response) => response.end('hello'));
    stack.defer(() => {
      origin.closeAllConnections();
      origin.close();
    });
    origin.listen(0, '127.0.0.1');
    await once(origin, 'listening');
    // A server that listens on a port has an AddressInfo.
    port = (origin.address() as AddressInfo).port;
    const { path } = stack.use(await temporaryDirectory());
    keyFile = join(path, 'identity-key');
    key = randomBytes(32).toString('base64');
    await writeFile(keyFile, `${key}\n`, { mode: 0o600 });
    const rule = { name: 'api', hosts: ['api.test'], ports: [port], addresses: ['127.0.0.1/32'] };
    const identity = { store: true, keyEncryptionKey: { file: keyFile } };
    pair = stack.use(
      await gatewayPair(
        { rules: [rule], hosts: { 'api.test': '127.0.0.1' }, authority, config: { identity } },
        () => ({ identity, peers: { listen: { address: '127.0.0.1', port: 0 } } }),
      ),
    );
    session = await openSession({
      gatewayUrl: pair.balancerUrl,
      gatewayCa: pair.set.gatewayCaFile,
      token: { file: await pair.set.issueToken() },
      dangerouslyAllowPlainGateway: false,
      relayPort: 0,
      dangerouslyAllowUnhardened: false,
      environment: {},
      scrubEnvironment: false,
      baseEnvironment: {},
      limits: defaultLimits,
      logger: silentLogger,
      trustLookIntervalMs: 50,
      // Where TLS ends in the agent, clients see nothing of the authority of the gateway.
      tlsEndsIn: 'gateway',
    });
    stack.defer(() => session.close());
  });
  after(() => stack.disposeAsync());

  const published = (): string[] => splitPemCertificates(readFileSync(session.files.ownCa ?? '', 'utf8'));
  const target = (ca: string) => ({ relayPort: session.port, host: 'api.test', port, ca });
  const ask = async (ca: string): Promise<string> => {
    const client = await agentThrough(target(ca));
    const body = await text(await requestThrough(client, target(ca), { path: '/' }));
    client.destroy();
    return body;
  };
  const command = (...args: readonly string[]) => mustRunShared([...args, '--config', pair.set.configFile]);
  /** Its configuration with another one of these keys. */
  const configWith = async (name: string, changes: Readonly<Record<string, unknown>>): Promise<string> => {
    const file = join(pair.set.directory, `${name}.yaml`);
    // Written by the pair: a map.
    const written = parse(await readFile(pair.otherConfigFile, 'utf8')) as Record<string, unknown>;
    await writeFile(file, stringify({ ...written, stateDirectory: `${name}-state`, ...changes }));
    return file;
  };
  const rows = async (): Promise<string> =>
    JSON.stringify((await pair.database.run('SELECT version, sealed FROM identity', 'state')).rows);

  test('a session of one goes on at the other, and neither has a key in a file', async () => {
    const [ca = ''] = published();
    assert.equal(await ask(ca), 'hello');
    pair.moveTo(pair.other);
    assert.equal(await ask(ca), 'hello');
    pair.moveTo(pair.set.gateway);
    assert.equal(await ask(ca), 'hello');
    for (const name of ['state', 'other-state']) {
      const names = await readdir(join(pair.set.directory, name), { recursive: true });
      assert.deepEqual(
        names.filter((one) => /\.(key|pem)$/.test(one)),
        [],
      );
    }
    assert.ok(!(await rows()).includes('PRIVATE'));
  });

  test('gateways that start at once on a new database, with workers and without, have one identity', async () => {
    await using own = new AsyncDisposableStack();
    await pair.database.run("CREATE DATABASE fresh ENCODING 'UTF8' TEMPLATE template0");
    const store = pair.database.url('fresh');
    const files = await Promise.all(
      ['a', 'b', 'c'].map((name) => configWith(`fresh-${name}`, { store, workers: name === 'c' ? 2 : 1 })),
    );
    await Promise.all(files.map(async (file) => own.use(await startGatewayProcess(file))));
    const shown = await Promise.all(
      files.map((file) => mustRunShared(['ca', 'show', '--server', '--config', file])),
    );
    assert.equal(new Set(shown).size, 1);
    const { rows: stored } = await pair.database.run('SELECT version FROM identity', 'fresh');
    assert.deepEqual(stored, [{ version: '1' }]);
  });

  test('one that has no key, another key or an identity of its own does not start, and makes nothing', async () => {
    const wrong = join(pair.set.directory, 'wrong-key');
    await writeFile(wrong, randomBytes(32).toString('hex'), { mode: 0o600 });
    const short = join(pair.set.directory, 'short-key');
    await writeFile(short, 'correct horse battery staple', { mode: 0o600 });
    const before = await rows();
    const sealedBy = (file: string) => ({ store: true, keyEncryptionKey: { file } });
    const cases: readonly (readonly [string, Readonly<Record<string, unknown>>, RegExp])[] = [
      [
        'absent',
        { identity: sealedBy('nowhere') },
        /identity\.keyEncryptionKey: the file .*nowhere cannot be used/,
      ],
      ['short', { identity: sealedBy(short) }, /identity\.keyEncryptionKey is not 32 random octets/],
      [
        'wrong',
        { identity: sealedBy(wrong) },
        /sealed for key [0-9a-f]{16}, and identity\.keyEncryptionKey is key/,
      ],
      [
        'own',
        { identity: undefined },
        /have their keys in it: write identity: \{ store: true, keyEncryptionKey/,
      ],
    ];
    for (const [name, changes, message] of cases)
      for (const workers of name === 'wrong' ? [1, 2] : [1]) {
        const file = await configWith(`refused-${name}-${workers}`, { ...changes, workers });
        const { code, stderr } = await runCommand(launcher, ['gateway', '--config', file]);
        assert.equal(code, 78, stderr);
        assert.match(stderr, message);
        assert.match(stderr, /^upstreamproxy: [^\n]+ \[identity_unusable\]\n$/m);
        for (const secret of [key, readFileSync(wrong, 'utf8'), 'correct horse'])
          assert.ok(!stderr.includes(secret));
        const made = await readdir(join(pair.set.directory, `refused-${name}-${workers}-state`), {
          recursive: true,
        }).catch(() => []);
        assert.deepEqual(
          made.filter((one) => /\.(key|pem)$/.test(one)),
          [],
        );
      }
    assert.equal(await rows(), before);
  });

  test('signing key and authorities are rotated by their commands, and both gateways follow while the session goes on', async () => {
    const [first = ''] = published();
    const standing = await agentThrough(target(first));
    stack.defer(() => standing.destroy());
    const throughStanding = async (): Promise<string> =>
      await text(await requestThrough(standing, target(first), { path: '/' }));
    assert.equal(await throughStanding(), 'hello');
    /** Each gateway in turn, over a connection that begins after the step. */
    const atBoth = async (ca: string): Promise<void> => {
      for (const gateway of [pair.other, pair.set.gateway]) {
        pair.moveTo(gateway);
        // The stream from before every step is at the first gateway: the other one leads there, by certificates of the peers.
        assert.deepEqual([await ask(ca), await throughStanding()], ['hello', 'hello']);
      }
    };
    const taken = async (version: number): Promise<void> => {
      for (const gateway of [pair.set.gateway, pair.other])
        await waitUntil(`version ${version} is taken`, () =>
          gateway.log().includes(`version ${version} of the identity in the store was taken`),
        );
    };
    const early = await runShared(['keys', 'switch', '--config', pair.set.configFile]);
    assert.match(early.stderr, /there is no next key: make it first \[signing_key_unusable\]/);

    await command('keys', 'next');
    await command('ca', 'next');
    await command('ca', 'next', '--peers');
    await command('ca', 'next', '--server');
    await taken(5);
    await waitUntil('the bundle has both', () => published().length === 2);
    const [, next = ''] = published();
    await atBoth(first);

    await command('keys', 'switch', '--at-once');
    for (const which of [[], ['--peers']]) await command('ca', 'switch', ...which, '--at-once');
    // Running sessions hear of it when they renew.
    const unheard = await runShared(['ca', 'switch', '--server', '--config', pair.set.configFile]);
    assert.match(unheard.stderr, /until it is 900 s old, running sessions may lack it \[ca_key_unusable\]/);
    await taken(8);
    await waitUntil('the other one signs', () =>
      ask(next).then(
        () => true,
        () => false,
      ),
    );
    const bundle = published().join('');
    await atBoth(bundle);
    assert.equal(published()[0], next);

    for (const which of [[], ['--peers']]) await command('ca', 'retire', ...which);
    await taken(10);
    await waitUntil('the bundle has the next alone', () => published().length === 1);
    assert.deepEqual(published(), [next]);
    await atBoth(next);
    const shown = splitPemCertificates(await command('ca', 'show', '--peers'));
    assert.equal(shown.length, 1);
    assert.equal(splitPemCertificates(await command('ca', 'show')).join(''), next);
    for (const gateway of [pair.set.gateway, pair.other]) assert.ok(!gateway.log().includes(key));
  });

  test('a row that is lost under sessions is no reason to make another one', async () => {
    const before = await rows();
    await pair.database.run('CREATE TABLE kept AS SELECT * FROM identity; DELETE FROM identity', 'state');
    const { code, stderr } = await runCommand(launcher, [
      'gateway',
      '--config',
      await configWith('late', {}),
    ]);
    assert.equal(code, 78, stderr);
    assert.match(
      stderr,
      /^upstreamproxy: the store has sessions and no identity: restore it[^\n]*\[identity_unusable\]$/m,
    );
    for (const gateway of [pair.set.gateway, pair.other])
      await waitUntil('a gateway that runs says so', () =>
        /the store has no identity, and this gateway has had version \d+.*of before serve on/.test(
          gateway.log(),
        ),
      );
    assert.equal(await ask(published().join('')), 'hello');
    await pair.database.run('INSERT INTO identity SELECT * FROM kept; DROP TABLE kept', 'state');
    assert.equal(await rows(), before);
  });

  test('a role that may only read shows the certificates, and changes nothing', async () => {
    await pair.database.run('CREATE ROLE reader LOGIN', 'state');
    await pair.database.run('GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader', 'state');
    const store = pair.database.url('state', 'reader');
    const file = await configWith('reader', { store });
    assert.equal(await mustRunShared(['ca', 'show', '--config', file]), published().join(''));
    const before = await rows();
    for (const step of [
      ['keys', 'next'],
      ['ca', 'next', '--peers'],
      ['identity', 'rewrap'],
    ])
      assert.notEqual((await runCommand(launcher, [...step, '--config', file])).code, 0);
    assert.equal(await rows(), before);
  });

  test('the key is not changed while a gateway runs that has the old one alone', async () => {
    const nextFile = `${keyFile}-next`;
    await writeFile(nextFile, randomBytes(32).toString('hex'), { mode: 0o600 });
    const [old, next] = [{ file: keyFile }, { file: nextFile }];
    const rewrap = async (
      name: string,
      identity: Readonly<Record<string, unknown>>,
      ...more: readonly string[]
    ) =>
      await runShared([
        'identity',
        'rewrap',
        ...more,
        '--config',
        await configWith(name, { identity: { store: true, ...identity } }),
      ]);
    const both = await rewrap('both', { keyEncryptionKey: old, nextKeyEncryptionKey: next });
    assert.equal(both.code, 0, both.stderr);
    const before = await rows();
    const early = await rewrap('next', { keyEncryptionKey: next });
    assert.equal(early.code, 78, early.stderr);
    assert.match(early.stderr, /: 2 gateways on this store could not start again: /);
    assert.equal(await rows(), before);
    // As if both had lost their machines.
    for (const { pid, ended } of [pair.other, pair.set.gateway]) {
      process.kill(pid, 'SIGKILL');
      await ended;
    }
    await pair.database.run(
      "UPDATE gateway SET lease_until = clock_timestamp() WHERE state <> 'left'",
      'state',
    );
    const away = await rewrap('next', { keyEncryptionKey: next });
    assert.equal(away.code, 78, away.stderr);
    assert.match(
      away.stderr,
      /: 2 gateways on this store, not heard of within the last minutes, could not start again: /,
    );
    assert.equal(await rows(), before);
    const given = await rewrap('next', { keyEncryptionKey: next }, '--even-if-away');
    assert.equal(given.code, 0, given.stderr);
  });
});
