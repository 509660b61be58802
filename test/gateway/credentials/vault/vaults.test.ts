import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { CredentialSet } from '../../../../src/gateway/credentials/credential-set.ts';
import type { CredentialLogin } from '../../../../src/gateway/credentials/kinds/credential-kind.ts';
import { BackgroundRenewals } from '../../../../src/gateway/credentials/sources/background-renewals.ts';
import { Vaults } from '../../../../src/gateway/credentials/vault/vaults.ts';
import type {
  VaultAuthConfig,
  VaultSourceConfig,
} from '../../../../src/gateway/credentials/sources/source-config.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import { canary, findCanary } from '../../../support/canary.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';
import { openTestServices } from '../../support/service-fetch.ts';
import { authority, openCredentialScene } from '../support/credential-scene.ts';
import { approle, openVaultServer, roleJwt } from '../support/vault-server.ts';
import type { VaultServer } from '../support/vault-server.ts';

const background = (): BackgroundRenewals => new BackgroundRenewals({ credentialUnusedMs: 3_600_000 });

const byToken: VaultAuthConfig = { tokenSource: { env: 'VAULT_TOKEN' } };
const byApprole: VaultAuthConfig = {
  approle: { roleId: approle.roleId, secretIdSource: { env: 'SECRET_ID' } },
};
const source = (server: VaultServer, path: string, auth: VaultAuthConfig = byApprole): VaultSourceConfig => ({
  address: server.url,
  path,
  field: 'password',
  auth,
});

interface Opened extends AsyncDisposable {
  readonly vaults: Vaults;
  read(config: VaultSourceConfig, nowMs: number): Promise<string>;
}

/** Each config is opened once, as the configuration is. */
function open(environment: Readonly<Record<string, string>> = {}, trust = [authority.caPem]): Opened {
  const services = openTestServices(trust);
  const all = { SECRET_ID: approle.secretId, ...environment };
  const vaults = new Vaults({ environment: all, fetch: services.fetch, background: background() });
  const sources = new Map<VaultSourceConfig, ReturnType<Vaults['source']>>();
  return {
    vaults,
    read: async (config, nowMs) => {
      const opened = sources.get(config) ?? vaults.source('it', config, 'line');
      sources.set(config, opened);
      return (await opened.read(nowMs)).reveal();
    },
    [Symbol.asyncDispose]: async () => {
      await vaults[Symbol.asyncDispose]();
      await services[Symbol.asyncDispose]();
    },
  };
}

const pathsOf = (server: VaultServer): readonly string[] =>
  server.calls.map(({ path }) => path.slice('/v1/'.length));

test('KV version 2: the value goes to the origin and comes back in nothing, nor does the token of the log-in', async () => {
  const secret = canary('kv');
  await using server = await openVaultServer({ clock: Date.now });
  server.put('app', { password: secret });
  await using scene = await openCredentialScene({
    credential: { kind: 'header', header: 'X-Api-Key', source: { vault: source(server, 'secret/data/app') } },
    environment: { SECRET_ID: approle.secretId },
  });
  await Promise.all([1, 2, 3].map(() => scene.get('/in/a', 'X-Api-Key: own')));
  await scene.get2('/in/a', { 'x-api-key': 'own' });
  for (const { headers } of scene.seen) assert.equal(headers['x-api-key'], secret);
  assert.deepEqual(pathsOf(server), ['auth/approle/login', 'secret/data/app']);
  scene.assertKept(secret);
  const everywhere = JSON.stringify(scene.seen) + scene.received() + JSON.stringify(scene.path.audit);
  for (const hidden of [approle.secretId, ...server.liveTokens])
    assert.deepEqual(findCanary(everywhere, hidden), []);
  await scene[Symbol.asyncDispose]();
  assert.deepEqual(server.liveTokens, [], 'the token of the log-in was given back');
});

test('a new version is used after the refresh, and the last one for a while if the server is sealed', async () => {
  let nowMs = 1e12;
  await using server = await openVaultServer({ clock: () => nowMs });
  server.put('app', { password: 'one' });
  await using opened = open();
  const config = { ...source(server, 'secret/data/app'), refreshSeconds: 60 };
  assert.equal(await opened.read(config, nowMs), 'one');
  server.put('app', { password: 'two' });
  nowMs += 59_000;
  assert.equal(await opened.read(config, nowMs), 'one');
  nowMs += 2_000;
  assert.equal(await opened.read(config, nowMs), 'two');
  server.isSealed = true;
  nowMs += 1_800_000;
  assert.equal(await opened.read(config, nowMs), 'two');
  nowMs += 7_200_000;
  await assert.rejects(opened.read(config, nowMs), {
    code: 'credential_unavailable',
    message: /^credential it: Vault localhost:\d+ .*\(status 503, Vault is sealed\)$/,
  });
  server.isSealed = false;
  nowMs += 2_000;
  assert.equal(await opened.read(config, nowMs), 'two');
});

test('a lease is renewed at two thirds, a new secret is read when that is over, and leases are given back', async () => {
  let nowMs = 1e12;
  await using server = await openVaultServer({
    clock: () => nowMs,
    tokenTtlMs: 864e5,
    leaseMs: 600_000,
    leaseMaxMs: 1_500_000,
  });
  await using opened = open();
  const config = source(server, 'database/creds/app');
  const renewals = (): number => pathsOf(server).filter((path) => path === 'sys/leases/renew').length;
  const first = await opened.read(config, nowMs);
  nowMs += 390_000;
  assert.equal(await opened.read(config, nowMs), first);
  assert.equal(renewals(), 0);
  nowMs += 20_000;
  assert.equal(await opened.read(config, nowMs), first);
  assert.equal(renewals(), 1);
  const seen = new Set([first]);
  for (let step = 0; step < 40; step += 1) {
    nowMs += 60_000;
    const secret = await opened.read(config, nowMs);
    assert.equal(server.isLive(secret), true, `after ${step} minutes the database does not take it`);
    seen.add(secret);
  }
  assert.equal(seen.size, server.secrets.length);
  assert.ok(seen.size >= 2 && seen.size <= 4, `${seen.size} secrets in 47 minutes`);
  // No request for a long time: the lease ends by itself, and the next request has a new one.
  nowMs += 3_600_000;
  const last = await opened.read(config, nowMs);
  assert.equal(server.isLive(last), true);
  await opened[Symbol.asyncDispose]();
  assert.equal(server.isLive(last), false);
  assert.deepEqual(server.liveTokens, []);
});

test('a lease that ends between requests is not used for one more, in the moment of its end and after it', async () => {
  for (const afterMs of [600_000, 600_001, 86_400_000]) {
    let nowMs = 1e12;
    await using server = await openVaultServer({ clock: () => nowMs, tokenTtlMs: 864e6, leaseMs: 600_000 });
    await using opened = open();
    const config = source(server, 'database/creds/app');
    const first = await opened.read(config, nowMs);
    nowMs += afterMs;
    const second = await opened.read(config, nowMs);
    assert.notEqual(second, first);
    assert.equal(server.isLive(second), true);
    // With the server gone there is no value rather than an old one.
    nowMs += 600_000;
    await server[Symbol.asyncDispose]();
    await assert.rejects(opened.read(config, nowMs), { code: 'credential_unavailable' });
  }
});

test('two fields of one path come from one lease, and credentials of one server share its token', async () => {
  await using server = await openVaultServer({ clock: Date.now });
  server.put('app', { password: 'kv' });
  await using opened = open();
  const password = source(server, 'database/creds/app');
  const [secret, user] = await Promise.all([
    opened.read(password, 0),
    opened.read({ ...password, field: 'username' }, 0),
  ]);
  assert.equal(user, `v-${secret.slice(-6)}`);
  assert.equal(await opened.read(source(server, 'secret/data/app'), 0), 'kv');
  assert.equal(pathsOf(server).filter((path) => path.endsWith('/login')).length, 1);
  assert.equal(server.secrets.length, 1);
});

test('a log-in has user and password of one lease, and of the next one once they are refused', async () => {
  let nowMs = 1e12;
  await using server = await openVaultServer({ clock: () => nowMs });
  await using services = openTestServices([authority.caPem]);
  const login = { kind: 'login', username: { field: 'username' } } as const;
  const vault = source(server, 'database/creds/app');
  await using set = new CredentialSet(
    {
      orders: { ...login, source: { vault } },
      wrong: { ...login, username: { field: 'other' }, source: { vault } },
    },
    { SECRET_ID: approle.secretId },
    services.fetch,
  );
  const fits = ({ username, password }: CredentialLogin): void => {
    assert.equal(username, `v-${password.reveal().slice(-6)}`);
    assert.equal(server.isLive(password.reveal()), true);
  };
  const first = await set.login('orders', { nowMs });
  fits(first);
  assert.equal((await set.login('orders', { nowMs })).username, first.username);
  first.onRejected(nowMs);
  nowMs += 1000;
  const next = await set.login('orders', { nowMs });
  fits(next);
  assert.notEqual(next.username, first.username);
  await assert.rejects(set.login('wrong', { nowMs }), /there is no field other/);
  await set[Symbol.asyncDispose]();
  assert.equal(server.isLive(next.password.reveal()), false, 'it is given back');
  assert.throws(
    () => new CredentialSet({ orders: { ...login, source: { env: 'SECRET_ID' } } }, { SECRET_ID: 'a' }),
    { code: 'config_invalid', message: /its source is not a secret of Vault/ },
  );
});

test('the token of a log-in is renewed, and had anew at its maximum or when it was revoked', async () => {
  let nowMs = 1e12;
  const clock = (): number => nowMs;
  await using server = await openVaultServer({ clock, tokenTtlMs: 600_000, tokenMaxMs: 1_500_000 });
  server.put('app', { password: 'one' });
  await using opened = open();
  const config = { ...source(server, 'secret/data/app'), refreshSeconds: 1 };
  const count = (path: string): number => pathsOf(server).filter((one) => one === path).length;
  for (let minute = 0; minute < 60; minute += 1) {
    assert.equal(await opened.read(config, nowMs), 'one', `minute ${minute}`);
    nowMs += 60_000;
  }
  assert.ok(count('auth/token/renew-self') >= 2);
  const logins = count('auth/approle/login');
  assert.ok(logins >= 2 && logins <= 5, `${logins} log-ins in an hour of tokens of 25 minutes`);
  for (const token of server.liveTokens) server.revokeToken(token);
  assert.equal(await opened.read(config, nowMs), 'one');
  assert.equal(count('auth/approle/login'), logins + 1);
});

test("the operator's token is prolonged, replaced when its source changes, and never revoked", async () => {
  let nowMs = 1e12;
  await using directory = await temporaryDirectory();
  await using server = await openVaultServer({ clock: () => nowMs, tokenTtlMs: 600_000, tokenMaxMs: 864e5 });
  server.put('app', { password: 'one' });
  const file = join(directory.path, 'token');
  const first = server.makeToken();
  await writeFile(file, first);
  await using opened = open();
  const config = {
    ...source(server, 'secret/data/app', { tokenSource: { file } }),
    refreshSeconds: 1,
  };
  for (let minute = 0; minute < 30; minute += 1) {
    assert.equal(await opened.read(config, nowMs), 'one', `minute ${minute}`);
    nowMs += 60_000;
  }
  const second = server.makeToken();
  await writeFile(file, second);
  nowMs += 120_000;
  assert.equal(await opened.read(config, nowMs), 'one');
  assert.equal(server.calls.at(-1)?.headers['x-vault-token'], second);
  await opened[Symbol.asyncDispose]();
  assert.ok(server.liveTokens.includes(second));
  assert.equal(
    pathsOf(server).some((path) => path.includes('revoke')),
    false,
  );
});

test('log-in with a service account of Kubernetes, in a namespace and at another mount', async () => {
  await using directory = await temporaryDirectory();
  const jwtFile = join(directory.path, 'token');
  await writeFile(jwtFile, `${roleJwt}\n`);
  await using server = await openVaultServer({ clock: Date.now, namespace: 'team/a' });
  server.put('app', { password: 'one' });
  await using opened = open();
  for (const mount of [{}, { mount: 'clusters/one' }]) {
    const auth = { kubernetes: { role: 'gateway', jwtFile, ...mount } };
    const config = { ...source(server, 'secret/data/app', auth), namespace: 'team/a' };
    assert.equal(await opened.read(config, 0), 'one');
  }
});

test('401 from the origin brings what the path has by now', async () => {
  const [old, next] = [canary('old'), canary('next')];
  await using server = await openVaultServer({ clock: Date.now });
  server.put('app', { password: old });
  await using scene = await openCredentialScene({
    credential: { kind: 'bearer', source: { vault: source(server, 'secret/data/app') } },
    environment: { SECRET_ID: approle.secretId },
    status: ({ headers }) => (headers.authorization === `Bearer ${next}` ? 200 : 401),
  });
  assert.equal((await scene.get('/in/a')).status, 401);
  server.put('app', { password: next });
  assert.equal((await scene.get('/in/a')).status, 200);
  scene.assertKept(old);
  scene.assertKept(next);
});

test('errors say what and where, with nothing of token, secret id or value', async () => {
  const token = canary('token');
  await using server = await openVaultServer({ clock: Date.now });
  server.put('app', { password: 'one', number: 7, broken: `${token}\r\nx: y` });
  server.put('gone', { password: 'one' });
  server.deleteLatest('gone');
  const app = source(server, 'secret/data/app');
  const wrongId = canary('secretid');
  const rows: readonly (readonly [VaultSourceConfig, Readonly<Record<string, string>>, RegExp])[] = [
    [app, { SECRET_ID: wrongId }, /refused the log-in \(status 400, invalid role or secret ID\)/],
    [{ ...app, auth: byToken }, { VAULT_TOKEN: token }, /does not know the token \(status 403/],
    [source(server, 'secret/data/none'), {}, /gave nothing for secret\/data\/none \(status 404\)/],
    [source(server, 'secret/data/gone'), {}, /\(status 404\)/],
    [source(server, 'secret/data/forbidden'), {}, /\(status 403, permission denied\)/],
    [{ ...app, field: 'other' }, {}, /there is no field other of secret\/data\/app/],
    [{ ...app, field: 'number' }, {}, /no text is in the field number/],
    [{ ...app, field: 'broken' }, {}, /the field broken of secret\/data\/app cannot be used/],
    [{ ...app, address: 'https://localhost:1' }, {}, /Vault localhost:1 cannot be reached/],
    [{ ...app, address: server.url.replace('https', 'http') }, {}, /cannot be reached/],
  ];
  for (const [config, environment, message] of rows) {
    await using opened = open({ SECRET_ID: approle.secretId, ...environment });
    const error: unknown = await opened.read(config, Date.now()).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof ProxyError && error.code === 'credential_unavailable', inspect(error));
    assert.match(error.message, message);
    for (const hidden of [token, wrongId, approle.secretId, ...server.liveTokens])
      assert.deepEqual(findCanary(inspect(error, { depth: 9 }), hidden), []);
  }
});

test('a server that the trust does not vouch for gets no secret; its own authority file is enough', async () => {
  await using directory = await temporaryDirectory();
  await using server = await openVaultServer({ clock: Date.now });
  server.put('app', { password: 'one' });
  const config = source(server, 'secret/data/app');
  await using without = open({}, []);
  await assert.rejects(without.read(config, 0), { code: 'credential_unavailable' });
  assert.equal(server.calls.length, 0);
  const ca = join(directory.path, 'ca.pem');
  await writeFile(ca, authority.caPem);
  assert.equal(await without.read({ ...config, ca }, 0), 'one');
});

test('without TLS a server is asked on loopback only', async () => {
  await using opened = open({ VAULT_TOKEN: 'hvs.plain' });
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    const data = request.url?.endsWith('lookup-self') === true ? { ttl: 0 } : { password: 'plain' };
    response.end(JSON.stringify({ data }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const config = (host: string): VaultSourceConfig => ({
      address: `http://${host}:${port}`,
      path: 'kv/app',
      field: 'password',
      auth: byToken,
    });
    assert.equal(await opened.read(config('127.0.0.1'), 0), 'plain');
    await assert.rejects(opened.read(config('vault.test'), 0), { message: /cannot be reached/ });
    assert.equal(asked.length, 2);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('a lease in use and the token that it hangs on are renewed without a request, the token although nothing else needs it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const asked: string[] = [];
  const responses: Readonly<Record<string, unknown>> = {
    'auth/approle/login': { auth: { client_token: 'hvs.first', lease_duration: 600, renewable: true } },
    'auth/token/renew-self': { auth: { client_token: 'hvs.first', lease_duration: 600, renewable: true } },
    'database/creds/app': {
      lease_id: 'database/creds/app/1',
      lease_duration: 4500,
      renewable: true,
      data: { password: 'secret' },
    },
    'sys/leases/renew': { lease_id: 'database/creds/app/1', lease_duration: 4500, renewable: true },
  };
  const vaults = new Vaults({
    environment: { SECRET_ID: approle.secretId },
    background: background(),
    fetch: (url) => {
      const path = new URL(url).pathname.slice('/v1/'.length);
      asked.push(path);
      return Promise.resolve({ status: 200, text: JSON.stringify(responses[path] ?? {}) });
    },
  });
  const config = {
    address: 'https://vault.example.com',
    path: 'database/creds/app',
    field: 'password',
    auth: byApprole,
  };
  const secret = vaults.source('it', config, 'line');
  await secret.read(0);
  assert.deepEqual(asked, ['auth/approle/login', 'database/creds/app']);
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      t.mock.timers.tick(1000);
      await new Promise(setImmediate);
    }
  };
  const count = (path: string): number => asked.filter((one) => one === path).length;
  await pass(401);
  assert.deepEqual([count('auth/token/renew-self'), count('sys/leases/renew')], [1, 0]);
  await pass(2590);
  assert.deepEqual([count('auth/token/renew-self'), count('sys/leases/renew')], [7, 0]);
  await pass(12);
  assert.equal(count('sys/leases/renew'), 1);
  assert.deepEqual([count('auth/approle/login'), count('database/creds/app')], [1, 1]);
});
