import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CredentialSet, type CredentialUse } from '../../../../src/gateway/credentials/credential-set.ts';
import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import type { CredentialLogin } from '../../../../src/gateway/credentials/kinds/credential-kind.ts';
import { LeaseReturns } from '../../../../src/gateway/credentials/leases/lease-returns.ts';
import { LeaseSeal } from '../../../../src/gateway/credentials/leases/lease-seal.ts';
import { SessionLeases } from '../../../../src/gateway/credentials/leases/session-leases.ts';
import type { SessionStep } from '../../../../src/gateway/audit/session-audit.ts';
import { createSigningKey } from '../../../../src/gateway/sessions/signing-key.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { ProxyError } from '../../../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../../../src/protocol/limits.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import type { LeaseStore } from '../../../../src/store/lease-store.ts';
import type { Store } from '../../../../src/store/store.ts';
import { newSession } from '../../../conformance/new-session.ts';
import { findCanary } from '../../../support/canary.ts';
import { openTestServices } from '../../support/service-fetch.ts';
import { authority } from '../support/credential-scene.ts';
import {
  approle,
  openVaultServer,
  type VaultServer,
  type VaultServerOptions,
} from '../support/vault-server.ts';

const principalId = 'issuer|subject';
const signer = createSigningKey();

interface Gateway extends AsyncDisposable {
  readonly set: CredentialSet;
  readonly leases: SessionLeases;
  readonly returns: LeaseReturns;
  readonly steps: SessionStep[];
  readonly faults: ProxyError[];
  login(session: string, credential?: string): Promise<CredentialLogin>;
}

interface Scene extends AsyncDisposable {
  nowMs: number;
  readonly vault: VaultServer;
  readonly store: Store;
  gateway(options?: GatewayOptions): Promise<Gateway>;
  begin(...sessions: readonly string[]): Promise<void>;
  end(session: string): Promise<void>;
}

interface GatewayOptions {
  readonly id?: string;
  readonly key?: ReturnType<typeof createSigningKey>;
  readonly limits?: Partial<Limits>;
  readonly store?: Partial<LeaseStore>;
  readonly record?: (step: SessionStep) => Promise<void>;
  readonly holderAwayMs?: number;
  /** Its configuration has the credentials. */
  readonly knowsVault?: boolean;
}

async function openScene(options: Partial<VaultServerOptions> = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const scene = { nowMs: Date.now() };
  const vault = stack.use(await openVaultServer({ clock: () => scene.nowMs, tokenTtlMs: 864e5, ...options }));
  const services = stack.use(openTestServices([authority.caPem]));
  const store = stack.use(await openStore('sqlite::memory:'));
  const at = {
    address: vault.url,
    auth: { approle: { roleId: approle.roleId, secretIdSource: { env: 'S' } } },
  };
  const field = (path: string, name: string) => ({ vault: { ...at, path, field: name } });
  const configs: Readonly<Record<string, CredentialConfig>> = {
    orders: {
      kind: 'login',
      username: { field: 'username' },
      perSession: true,
      source: field('database/creds/app', 'password'),
    },
    shared: {
      kind: 'login',
      username: { field: 'username' },
      source: field('database/creds/app', 'password'),
    },
    keys: {
      kind: 'sigv4',
      perSession: true,
      source: field('aws/sts/app', 'secret_key'),
      accessKeyId: field('aws/sts/app', 'access_key'),
      sessionToken: field('aws/sts/app', 'security_token'),
      region: 'eu-central-1',
      service: 's3',
    },
    fixed: { kind: 'login', username: 'u', perSession: true, source: field('secret/data/app', 'password') },
  };
  const owned = stack.move();
  return Object.assign(scene, {
    vault,
    store,
    gateway: async ({
      id = 'g',
      key = signer,
      limits,
      store: changed,
      record,
      holderAwayMs = 0,
      knowsVault = true,
    }: GatewayOptions = {}) => {
      const present = { incarnation: id, peerAddress: undefined, identityKeys: undefined, changeSeen: 0 };
      await store.gateways.note({ ...present, state: 'serving' }, 3_600_000);
      const steps: SessionStep[] = [];
      const faults: ProxyError[] = [];
      const common = {
        store: withChanges(store.leases, changed),
        seal: new LeaseSeal(key),
        holderId: id,
        clock: () => scene.nowMs,
        record:
          record ??
          (async (step: SessionStep) => {
            steps.push(step);
          }),
        onFault: (error: ProxyError) => void faults.push(error),
      };
      const leases = new SessionLeases({ ...common, limits: { ...defaultLimits, ...limits } });
      const set = new CredentialSet(knowsVault ? configs : {}, { S: approle.secretId }, services.fetch, {
        limits: defaultLimits,
        leases,
      });
      const giveBack = set.giveBack.bind(set);
      const returns = new LeaseReturns({ ...common, leases, giveBack, holderAwayMs, isOnDuty: () => true });
      const login = (session: string, credential = 'orders'): Promise<CredentialLogin> =>
        set.login(credential, useOf(scene.nowMs, session));
      const dispose = async (): Promise<void> => {
        await returns[Symbol.asyncDispose]();
        await set[Symbol.asyncDispose]();
      };
      return { set, leases, returns, steps, faults, login, [Symbol.asyncDispose]: dispose };
    },
    begin: async (...sessions: readonly string[]) => {
      for (const id of sessions)
        await store.sessions.enrol(newSession(id, { tokenKey: id }), { enrolmentsPerTokenMax: 9 });
    },
    end: async (session: string) => {
      await store.sessions.end(session, { state: 'ended', reason: 'done' }, 1);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  });
}

/** What is changed may change later. */
function withChanges(store: LeaseStore, changed: Partial<LeaseStore> = {}): LeaseStore {
  return new Proxy(store, {
    get: (_, name) => {
      const from: object = name in changed ? changed : store;
      const value: unknown = Reflect.get(from, name);
      return typeof value === 'function' ? (value.bind(from) as unknown) : value;
    },
  });
}

const useOf = (nowMs: number, rootId: string): CredentialUse => ({ nowMs, session: { rootId, principalId } });
const everything = {
  claimMs: 0,
  limit: 99,
  holderId: 'x',
  holderAwayMs: 0,
  askedMs: 0,
  endedMs: 0,
  except: [],
};
const actionsOf = ({ steps }: Gateway): readonly string[] => steps.map(({ action }) => action);
const renewals = ({ vault }: Scene): number =>
  vault.calls.filter(({ path }) => path === '/v1/sys/leases/renew').length;

test('each session has a lease of its own, shared by all that it does at once, and given back when it ends', async () => {
  await using scene = await openScene();
  await scene.begin('a', 'b');
  await using gateway = await scene.gateway();
  const all = await Promise.all(['a', 'a', 'a', 'b', 'b'].map((session) => gateway.login(session)));
  const [first, , , other] = all;
  assert.deepEqual(
    all.map(({ username }) => username),
    [first, first, first, other, other].map((one) => one?.username),
  );
  assert.notEqual(first?.username, other?.username);
  assert.equal(scene.vault.liveLeases.length, 2);
  assert.deepEqual(gateway.set.leaseCounts, { held: 2, failing: 0 });
  await gateway.returns.now();
  assert.equal(scene.vault.liveLeases.length, 2, 'both sessions live');
  await scene.end('a');
  assert.equal(gateway.set.forget('a'), true);
  await gateway.returns.now();
  assert.equal(scene.vault.isLive(first?.password.reveal() ?? ''), false);
  assert.equal(scene.vault.isLive(other?.password.reveal() ?? ''), true);
  assert.equal(scene.vault.givenBack.length, 1, 'once');
  await gateway.returns.now();
  assert.equal(scene.vault.givenBack.length, 1);
  await assert.rejects(gateway.login('a'), {
    code: 'credential_unavailable',
    message: /the session is over/,
  });
  assert.deepEqual(actionsOf(gateway), ['lease_taken', 'lease_taken', 'lease_given_back']);
  const [step] = gateway.steps;
  assert.deepEqual(
    [step?.sessionId, step?.principal, step?.details?.['credential']],
    ['a', principalId, 'orders'],
  );
  for (const { password } of all)
    assert.deepEqual(findCanary(JSON.stringify(gateway.steps), password.reveal()), []);
});

test('a credential that is one for all is that beside it, and one of each session serves nobody without one', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  await using gateway = await scene.gateway();
  const own = await gateway.login('a');
  const shared = await gateway.login('a', 'shared');
  assert.notEqual(own.username, shared.username);
  await assert.rejects(gateway.set.login('orders', { nowMs: scene.nowMs }), {
    code: 'credential_unavailable',
    message: /one of each session/,
  });
  await assert.rejects(gateway.login('nobody'), { code: 'credential_unavailable', message: /is over/ });
  assert.equal(scene.vault.liveLeases.length, 2);
});

test('a lease is prolonged at 60 to 80 % of its life without a request, while a connection is open and no longer', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await using scene = await openScene({ leaseMs: 5_400_000, leaseMaxMs: 864e5 });
  const waitFor = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise(setImmediate);
  };
  await scene.begin('a');
  await using gateway = await scene.gateway();
  const login = await gateway.login('a');
  const connection = login.hold?.();
  scene.nowMs += 0.6 * 5_400_000 - 1000;
  t.mock.timers.tick(0.6 * 5_400_000 - 1000);
  assert.equal(renewals(scene), 0);
  scene.nowMs += 0.2 * 5_400_000 + 1000;
  t.mock.timers.tick(0.2 * 5_400_000 + 1000);
  await waitFor(() => renewals(scene) === 1);
  await waitFor(() => gateway.leases.size === 1);
  assert.equal(scene.vault.isLive(login.password.reveal()), true);
  connection?.[Symbol.dispose]();
});

test('what Vault does not prolong is followed by another lease, and is given back once it has ended', async () => {
  await using scene = await openScene({ leaseMs: 600_000, leaseMaxMs: 600_000 });
  await scene.begin('a');
  await using gateway = await scene.gateway();
  const names = new Set<string>();
  for (let minute = 0; minute < 30; minute += 1) {
    const login = await gateway.login('a');
    names.add(login.username);
    assert.equal(scene.vault.isLive(login.password.reveal()), true, `minute ${minute}`);
    scene.nowMs += 60_000;
  }
  assert.ok(names.size >= 3 && names.size <= 6, `${names.size} leases in half an hour of ten minutes each`);
});

test('one that the server refuses is replaced and given back', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  await using gateway = await scene.gateway();
  const first = await gateway.login('a');
  first.onRejected(scene.nowMs);
  scene.nowMs += 1000;
  const second = await gateway.login('a');
  assert.notEqual(second.username, first.username);
  await gateway.returns.now();
  assert.equal(scene.vault.isLive(first.password.reveal()), false);
  assert.equal(scene.vault.isLive(second.password.reveal()), true);
});

test('a gateway that is killed leaves rows, by which the next one gives back what is over, and what the first alone had', async () => {
  await using scene = await openScene();
  await scene.begin('a', 'b');
  // Never disposed: it was killed.
  const killed = await scene.gateway({ id: 'killed' });
  const [a, b] = [await killed.login('a'), await killed.login('b')];
  await scene.end('a');
  await using next = await scene.gateway({ id: 'next', holderAwayMs: 3_600_000 });
  await next.returns.now();
  assert.equal(scene.vault.isLive(a.password.reveal()), false);
  assert.equal(scene.vault.isLive(b.password.reveal()), true, 'its holder may live');
  const gone = { incarnation: 'killed', peerAddress: undefined, identityKeys: undefined, changeSeen: 0 };
  await scene.store.gateways.note({ ...gone, state: 'left' }, 0);
  await next.returns.now();
  assert.equal(scene.vault.isLive(b.password.reveal()), false);
  assert.deepEqual(actionsOf(next), ['lease_given_back', 'lease_given_back']);
});

test('killed between question and response, the lease is told as lost: nobody knows its name', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  const stuck = Promise.withResolvers<void>();
  scene.vault.beforeLeases = () => stuck.promise;
  const killed = await scene.gateway({ id: 'killed' });
  const login = killed.login('a').catch(() => undefined);
  while (scene.vault.liveLeases.length === 0) await new Promise(setImmediate);
  const { leases } = await scene.store.leases.claim({
    claimMs: 0,
    limit: 9,
    holderId: 'next',
    holderAwayMs: 0,
    askedMs: 0,
    endedMs: 0,
    except: [],
  });
  assert.deepEqual(
    leases.map(({ sealed, credential }) => [sealed, credential]),
    [[undefined, 'orders']],
  );
  // The row was taken for lost meanwhile: what comes is given back, and serves nobody.
  await scene.store.leases.forget(leases[0]?.id ?? '');
  stuck.resolve();
  assert.equal(await login, undefined);
  assert.deepEqual(scene.vault.liveLeases, []);
});

test('a session that ends while Vault makes its lease leaves nothing behind', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  await using gateway = await scene.gateway();
  const stuck = Promise.withResolvers<void>();
  scene.vault.beforeLeases = () => stuck.promise;
  const login = gateway.login('a').then(
    () => 'served',
    () => 'refused',
  );
  while (scene.vault.liveLeases.length === 0) await new Promise(setImmediate);
  await scene.end('a');
  gateway.set.forget('a');
  stuck.resolve();
  assert.equal(await login, 'refused');
  assert.equal(gateway.leases.size, 0);
  // A request that was on its way all the same.
  await assert.rejects(gateway.login('a'), { message: /the session is over/ });
  assert.equal(gateway.set.forget('a'), false);
  await gateway.returns.now();
  assert.deepEqual(scene.vault.liveLeases, []);
});

test('a balancer that did not wait for Vault leaves the row: the lease may have been given', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  await using gateway = await scene.gateway();
  scene.vault.losesLeases = true;
  await assert.rejects(gateway.login('a'), { message: /status 504/ });
  const { length } = (await scene.store.leases.claim(everything)).leases;
  assert.deepEqual([length, scene.vault.liveLeases.length], [1, 1]);
});

test('what cannot be given back is tried again, with an alarm, until Vault takes it', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  await using gateway = await scene.gateway({
    store: { postpone: (id) => scene.store.leases.postpone(id, 0) },
  });
  await gateway.login('a');
  scene.vault.refusesReturns = true;
  await scene.end('a');
  for (let times = 0; times < 6; times += 1) await gateway.returns.now();
  assert.equal(scene.vault.givenBack.length, 6);
  assert.deepEqual(actionsOf(gateway), ['lease_taken', 'lease_not_given_back']);
  assert.match(
    gateway.steps.at(-1)?.message ?? '',
    /Vault localhost:\d+ did not take the lease back \(status 400/,
  );
  assert.equal(gateway.set.leaseCounts.failing, 1);
  scene.vault.refusesReturns = false;
  await gateway.returns.now();
  assert.deepEqual(scene.vault.liveLeases, []);
  await gateway.returns.now();
  assert.deepEqual(actionsOf(gateway), ['lease_taken', 'lease_not_given_back', 'lease_given_back']);
  assert.equal(gateway.set.leaseCounts.failing, 0);
});

test('a gateway that knows nothing of the Vault of a lease leaves it to others at once, and says so where none gives it back', async () => {
  await using scene = await openScene();
  await scene.begin('a', 'b');
  await using first = await scene.gateway();
  await first.login('a');
  await first.login('b');
  await using other = await scene.gateway({ id: 'other', knowsVault: false });
  await scene.end('a');
  await other.returns.now();
  assert.equal(scene.vault.givenBack.length, 0);
  await first.returns.now();
  assert.deepEqual([scene.vault.givenBack.length, actionsOf(other)], [1, []]);
  assert.deepEqual(actionsOf(first), ['lease_taken', 'lease_taken', 'lease_given_back']);
  await scene.end('b');
  for (let times = 0; times < 4; times += 1) {
    for (let looks = 0; looks < 3; looks += 1) await other.returns.now();
    scene.nowMs += defaultLimits.leaseRetryMsMax;
  }
  assert.deepEqual(actionsOf(other), ['lease_not_given_back'], 'one look in a while');
  assert.match(other.steps[0]?.message ?? '', /no credential of the configuration is of Vault localhost:\d+/);
});

test('rows that were changed, or are of another key, have gateways give nothing back', async () => {
  await using scene = await openScene();
  await scene.begin('a', 'b');
  await using gateway = await scene.gateway();
  const other = await scene.gateway({ id: 'other', key: createSigningKey() });
  const held: string[] = [];
  const rows = scene.store.leases;
  const { hold } = rows;
  rows.hold = async (id, one) => {
    held.push(one.sealed);
    return await hold.call(rows, id, one);
  };
  await other.login('a');
  await gateway.login('b');
  assert.equal(held.length, 2);
  // Somebody who writes to the database puts what is sealed for one row into another.
  await rows.ask(
    { id: 'forged', sessionId: 'b', principalId, credential: 'orders', holderId: 'g' },
    { leasesPerSessionMax: 9, leasesPerPrincipalMax: 9, leasesMax: 9 },
  );
  await hold.call(rows, 'forged', { sealed: held[1] ?? '', lifetimeMs: 1000 });
  await rows.release('forged');
  await scene.end('a');
  await gateway.returns.now();
  assert.deepEqual(scene.vault.givenBack, []);
  assert.deepEqual(
    gateway.steps
      .filter(({ action }) => action === 'lease_lost')
      .map(({ sessionId }) => sessionId)
      .toSorted(),
    ['a', 'b'],
  );
});

test('with another key of the gateway its leases are sealed anew', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  const keys = { ...signer };
  await using gateway = await scene.gateway({ key: keys });
  await gateway.login('a');
  const next = createSigningKey();
  Object.assign(keys, next);
  await gateway.returns.now();
  await scene.end('a');
  await using second = await scene.gateway({ id: 'second', key: next });
  await second.returns.now();
  assert.deepEqual(actionsOf(second), ['lease_given_back']);
});

const away = () => Promise.reject(new Error('the store is away'));

test('while the store is away nobody gets a new lease, and those that there are go on and are prolonged', async () => {
  await using scene = await openScene({ leaseMs: 600_000 });
  await scene.begin('a', 'b');
  const changed: Partial<LeaseStore> = {};
  await using gateway = await scene.gateway({ store: changed });
  const first = await gateway.login('a');
  Object.assign(changed, { ask: away, hold: away, forget: away, release: away, claim: away });
  await assert.rejects(gateway.login('b'), {
    code: 'credential_unavailable',
    message: /cannot be written down in the store, so none is used/,
  });
  assert.equal(scene.vault.liveLeases.length, 1);
  scene.nowMs += 500_000;
  assert.equal((await gateway.login('a')).username, first.username);
  assert.equal(renewals(scene), 1);
  await gateway.returns.now();
  for (const name of ['ask', 'hold', 'forget', 'release', 'claim'] as const) delete changed[name];
  const said: number[] = [];
  changed.hold = async (id, held) => {
    said.push(held.lifetimeMs);
    return await scene.store.leases.hold(id, held);
  };
  await gateway.returns.now();
  await gateway.returns.now();
  assert.deepEqual(said, [600_000], 'the store is told, once, until when it lasts');
});

for (const [when, changed, record] of [
  ['the store goes away before it is written down', { hold: away }, undefined],
  ['the store has no row of it', { hold: async () => false }, undefined],
  ['the audit cannot be written', {}, away],
] as const)
  test(`a lease is given back and serves nobody where ${when}`, async () => {
    await using scene = await openScene();
    await scene.begin('a');
    await using gateway = await scene.gateway({
      store: changed,
      ...(record === undefined ? {} : { record }),
    });
    await assert.rejects(gateway.login('a'));
    assert.deepEqual(scene.vault.liveLeases, []);
    assert.equal(gateway.leases.size, 0);
  });

test('a session has a bounded number of leases, which refusals of its server do not raise', async () => {
  await using scene = await openScene();
  await scene.begin('a', 'b', 'c');
  await using gateway = await scene.gateway({ limits: { leasesPerSessionMax: 1, leasesPerPrincipalMax: 2 } });
  const first = await gateway.login('a');
  await gateway.login('b');
  await assert.rejects(gateway.login('c'), { code: 'limit_exceeded', limit: 'leasesPerPrincipalMax' });
  first.onRejected(scene.nowMs);
  scene.nowMs += 1000;
  await gateway.login('a');
  assert.equal(scene.vault.liveLeases.length, 2, 'the first goes on: no other one may be had');
});

test('Vault that is away, refuses, or gives no lease leaves no row', async () => {
  await using scene = await openScene();
  await scene.begin('a');
  await using gateway = await scene.gateway();
  scene.vault.put('app', { password: 'kv' });
  await assert.rejects(gateway.login('a', 'fixed'), {
    message: /gave no lease that ends for secret\/data\/app/,
  });
  scene.nowMs += 2000;
  await gateway.set.login('shared', { nowMs: scene.nowMs });
  await scene.vault[Symbol.asyncDispose]();
  for (let times = 0; times < 3; times += 1) {
    scene.nowMs += 2000;
    await assert.rejects(gateway.login('a'), {
      code: 'credential_unavailable',
      message: /cannot be reached/,
    });
  }
  assert.deepEqual((await scene.store.leases.claim(everything)).leases, []);
});

test('keys of AWS are one set of each session, sign for it alone, and its token is searched for in its responses', async () => {
  await using scene = await openScene({ leaseMs: 900_000 });
  await scene.begin('a', 'b');
  await using gateway = await scene.gateway();
  const head = {
    method: 'GET',
    destination: { scheme: 'https', host: 'bucket.test', port: 443 },
    path: '/object',
    query: '',
    headers: new HeaderList(),
    httpVersion: '1.1',
  } as const;
  const sign = (session: string) =>
    gateway.set.inject(head, [{ credential: 'keys' }], useOf(scene.nowMs, session));
  const [a, again, b] = [await sign('a'), await sign('a'), await sign('b')];
  const tokens = [a, again, b].map(({ head: { headers } }) => headers.first('x-amz-security-token') ?? '');
  assert.equal(tokens[0], tokens[1]);
  assert.notEqual(tokens[0], tokens[2]);
  const keyOf = (token: string): string => `AKIA${token.slice(-16).toUpperCase()}`;
  for (const [
    at,
    {
      head: { headers },
    },
  ] of [a, again, b].entries())
    assert.match(headers.first('authorization') ?? '', new RegExp(`Credential=${keyOf(tokens[at] ?? '')}/`));
  assert.equal(a.searched?.tables.length, 1);
  assert.equal(scene.vault.liveLeases.length, 2, 'one lease for the three fields of each');
  // Keys of a role that was assumed end at their time: others follow before that.
  scene.nowMs += 890_000;
  const later = (await sign('a')).head.headers.first('x-amz-security-token');
  assert.notEqual(later, tokens[0]);
  await scene.end('b');
  gateway.set.forget('b');
  await gateway.returns.now();
  assert.equal(scene.vault.givenBack.length, 1);
});

test('a gateway that ends gives back what it has', async () => {
  await using scene = await openScene();
  await scene.begin('a', 'b');
  const gateway = await scene.gateway();
  const [a] = [await gateway.login('a'), await gateway.login('b')];
  await gateway[Symbol.asyncDispose]();
  assert.deepEqual(scene.vault.liveLeases, []);
  assert.deepEqual(actionsOf(gateway), [
    'lease_taken',
    'lease_taken',
    'lease_given_back',
    'lease_given_back',
  ]);
  await assert.rejects(gateway.login('a'));
  assert.equal(scene.vault.isLive(a.password.reveal()), false);
});

test('perSession needs one path of one Vault', async () => {
  const open = (config: CredentialConfig): void =>
    void new CredentialSet({ it: config }, { S: 'secret', K: 'key' });
  const kv = { address: 'https://vault.test', path: 'aws/sts/app', auth: { tokenSource: { env: 'S' } } };
  const vault = (field: string, path = kv.path) => ({ vault: { ...kv, path, field } });
  const code = { code: 'config_invalid', message: /all of it comes from one path of one Vault/ };
  assert.throws(() => open({ kind: 'login', username: 'u', perSession: true, source: { env: 'S' } }), code);
  for (const accessKeyId of [{ env: 'K' }, vault('access_key', 'aws/sts/other')])
    assert.throws(
      () => open({ kind: 'sigv4', perSession: true, accessKeyId, source: vault('secret_key') }),
      code,
    );
  open({ kind: 'sigv4', perSession: true, accessKeyId: vault('access_key'), source: vault('secret_key') });
});
