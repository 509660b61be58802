import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { KnownStore, type StartFacts } from '../../../src/gateway/changes/known-store.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { LateStore } from '../../../src/store/late-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { askedStore, StoreOutage } from '../../../src/store/store-outage.ts';
import type { AccessRecord } from '../../../src/store/access-store.ts';
import type { NewPolicyVersion, PolicyVersion } from '../../../src/store/policy-store.ts';
import type { NumberedEnding, Store } from '../../../src/store/store.ts';

const published: NewPolicyVersion = {
  policy: 'main',
  files: [{ name: 'a.yaml', text: 'rules: []' }],
  version: 'v1',
  publishedMs: 1,
  publishedBy: 'anna',
};
const bounds = { policiesMax: 10, policyVersionsMax: 10 };

interface Scene extends AsyncDisposable {
  readonly known: KnownStore;
  readonly store: Store;
  /** The store itself. */
  readonly far: Store;
  leave(): Promise<void>;
  comeBack(): Promise<void>;
}

async function scene(start?: StartFacts): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const far = stack.use(await openStore('sqlite::memory:'));
  let isAway = start !== undefined;
  const absent = new ProxyError('store_unavailable', 'away', { retryAfterSeconds: 1 });
  const late = new LateStore({ open: async () => far, onRefused: ({ message }) => assert.fail(message) });
  const probe = async (): Promise<void> => {
    if (isAway) throw absent;
    await late.store().probe?.();
  };
  if (!isAway) await probe();
  const begin = start === undefined ? {} : { begin: { awayMs: 1000, why: 'away' } };
  const outage = stack.use(new StoreOutage({ probe, outageMs: 60_000, ...begin }));
  const known = new KnownStore(askedStore(late.store(), outage), outage, start);
  return {
    known,
    store: known.asked(),
    far,
    leave: async () => {
      isAway = true;
      await outage.confirm();
    },
    comeBack: async () => {
      isAway = false;
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => void (outage.sinceMs === undefined ? resolve() : setTimeout(look, 20));
      look();
      await promise;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

test('what is in force is what the store last said, while it is away', async () => {
  await using one = await scene();
  const { known, store, far } = one;
  await far.policies.publish(published, 0, bounds);
  const before = await store.policies.published();
  const { hash } = before[0] ?? assert.fail('nothing is published');
  await store.policies.files(hash);
  await store.access.inForce(5);
  assert.equal(known.standIns, 0);
  await one.leave();
  assert.deepEqual(await store.policies.published(), before);
  assert.deepEqual(await store.policies.files(hash), published.files);
  assert.deepEqual(await store.access.inForce(5), []);
  assert.deepEqual(await store.access.expire(5), []);
  // Whoever counts what is taken sees that the store did not say it.
  assert.equal(known.standIns, 4);
  await assert.rejects(async () => store.policies.files('another'), { code: 'store_unavailable' });
  await assert.rejects(async () => store.changes.place(), { code: 'store_unavailable' });
  await assert.rejects(async () => store.sessions.endedSince(0, 10), { code: 'store_unavailable' });
  await one.comeBack();
  await far.policies.publish({ ...published, version: 'v2', files: [] }, 1, bounds);
  const [after] = await store.policies.published();
  assert.equal(after?.number, 2);
  // Files of what is not published any more are not kept.
  assert.deepEqual([...known.facts.files.keys()], []);
});

test('what another gateway knows more holds while the store is away, and is that of the store again afterwards', async () => {
  await using one = await scene();
  const { known, store, far } = one;
  await far.policies.publish(published, 0, bounds);
  await store.policies.published();
  const more = {
    identity: undefined,
    policies: [policy],
    files: new Map([['h', published.files]]),
    grants: [grant],
  };
  assert.equal(known.hear(more), false);
  await one.leave();
  assert.equal(known.hear(more), true);
  assert.deepEqual(await store.policies.published(), [policy]);
  assert.deepEqual(await store.policies.files('h'), published.files);
  assert.deepEqual(await store.access.inForce(99), [grant]);
  await one.comeBack();
  assert.equal((await store.policies.published())[0]?.number, 1);
  assert.deepEqual(await store.access.inForce(99), []);
});

test('of what another gateway does not know, what is known here stays, and not all is taken', async () => {
  await using one = await scene();
  const { known, store, far } = one;
  await far.policies.publish(published, 0, bounds);
  const before = await store.policies.published();
  const { hash } = before[0] ?? assert.fail('nothing is published');
  await store.policies.files(hash);
  await one.leave();
  const told = { identity: undefined, policies: undefined, files: new Map(), grants: [grant] };
  assert.equal(known.hear(told), false);
  assert.deepEqual(await store.policies.published(), before);
  assert.deepEqual(await store.policies.files(hash), published.files);
  assert.deepEqual(await store.access.inForce(99), [grant]);
  assert.equal(known.hear({ ...told, policies: [], grants: undefined }), false);
  assert.deepEqual(await store.access.inForce(99), [grant]);
  assert.deepEqual(await store.policies.published(), []);
  assert.equal(known.hear({ ...told, policies: [] }), true);
});

test('what is not asked for here is missed of nobody', async () => {
  await using one = await scene();
  await one.store.access.inForce(5);
  await one.leave();
  const told = { identity: undefined, policies: undefined, files: new Map(), grants: [grant] };
  assert.equal(one.known.hear(told), true);
});

test('an identity that this gateway made is known as one that it read', async () => {
  await using one = await scene();
  assert.equal(await one.store.identity.write({ version: 1, sealed: 'sealed' }), true);
  assert.deepEqual(one.known.facts.identity, { version: 1, sealed: 'sealed' });
  assert.equal(await one.store.identity.write({ version: 1, sealed: 'another' }), false);
  assert.deepEqual(one.known.facts.identity, { version: 1, sealed: 'sealed' });
});

test('a later identity that another gateway has is read while the store is away, an earlier one is not, and the store says it itself afterwards', async () => {
  await using one = await scene();
  const { known, store, far } = one;
  const row = (version: number) => ({ version, sealed: `sealed ${version}` });
  for (const version of [1, 2]) assert.equal(await far.identity.write(row(version)), true);
  assert.deepEqual(await store.identity.read(), row(2));
  // The store is there.
  const [opened, none] = [async () => true, async () => assert.fail('it is not opened')];
  assert.equal(await known.hearIdentity({ identity: row(3) }, none), 'old');
  await one.leave();
  await assert.rejects(async () => store.identity.version(), { code: 'store_unavailable' });
  for (const identity of [row(1), row(2), undefined])
    assert.equal(await known.hearIdentity({ identity }, none), 'old');
  assert.equal(await known.hearIdentity({ identity: row(4) }, opened), 'opened');
  assert.deepEqual([await store.identity.version(), await store.identity.read()], [4, row(4)]);
  assert.deepEqual(known.facts.identity, row(4));
  assert.equal(await known.hearIdentity({ identity: row(3) }, none), 'old');
  await one.comeBack();
  assert.deepEqual(await store.identity.read(), row(2));
  // What was heard then is over.
  await one.leave();
  await assert.rejects(async () => store.identity.version(), { code: 'store_unavailable' });
});

test('an identity of another gateway that is not opened here is known to nobody, and the version before stays', async () => {
  await using one = await scene();
  const { known, store, far } = one;
  const row = (version: number) => ({ version, sealed: `sealed ${version}` });
  for (const version of [1, 2]) assert.equal(await far.identity.write(row(version)), true);
  await store.identity.read();
  await one.leave();
  assert.equal(await known.hearIdentity({ identity: row(3) }, async () => true), 'opened');
  const read: unknown[] = [];
  const look = async (): Promise<boolean> => {
    read.push(await store.identity.version(), await store.identity.read(), known.facts.identity);
    return false;
  };
  assert.equal(await known.hearIdentity({ identity: row(9) }, look), 'refused');
  assert.deepEqual(read, [9, row(9), row(3)]);
  const fails = known.hearIdentity({ identity: row(9) }, () => Promise.reject(new Error('it cannot')));
  await assert.rejects(fails, /it cannot/);
  assert.deepEqual([await store.identity.version(), await store.identity.read()], [3, row(3)]);
  assert.deepEqual(known.facts.identity, row(3));
  // It stands in the way of no later one.
  assert.equal(await known.hearIdentity({ identity: row(4) }, async () => true), 'opened');
  assert.deepEqual(known.facts.identity, row(4));
  // What the store says meanwhile is what counts.
  const isBack = async (): Promise<boolean> => {
    await one.comeBack();
    await store.identity.read();
    return true;
  };
  assert.equal(await known.hearIdentity({ identity: row(5) }, isBack), 'old');
  assert.deepEqual(known.facts.identity, row(2));
});

test('what was never read is not made up', async () => {
  await using one = await scene();
  await one.leave();
  await assert.rejects(async () => one.store.policies.published(), { code: 'store_unavailable' });
});

const ending: NumberedEnding = { sessionId: 's', sequence: 7, state: 'revoked', reason: 'x' };
const policy: PolicyVersion = {
  policy: 'main',
  number: 3,
  version: 'v3',
  hash: 'h',
  isWithdrawn: false,
  publishedMs: 1,
  publishedBy: 'anna',
};
const grant: AccessRecord = {
  id: 'g',
  sessionId: 's',
  principalId: 'p',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  reason: 'because',
  createdMs: 1,
  pendingUntilMs: 2,
  state: 'granted',
  terms: { scope: 'host', subject: 'session', endsMs: 100 },
};
const start: StartFacts = {
  identity: { version: 2, sealed: 'sealed' },
  policies: [policy],
  files: new Map([['h', published.files]]),
  grants: [grant],
  place: { history: 'h1', number: 9 },
  endings: [ending],
};

test('a gateway that starts without the store reads what another one handed it, and that only while it starts', async () => {
  await using one = await scene(start);
  const { known, store } = one;
  assert.deepEqual(await store.changes.place(), start.place);
  assert.deepEqual(await store.sessions.endingsSince(undefined), { sequence: 9, endings: [] });
  const first = { overMs: 0, sessionId: '' };
  assert.deepEqual(await store.sessions.endedBehind(first, 10), { endings: [ending], place: undefined });
  assert.deepEqual(await store.identity.read(), start.identity);
  assert.equal(await store.identity.version(), 2);
  assert.deepEqual(await store.policies.published(), [policy]);
  assert.deepEqual(await store.policies.files('h'), published.files);
  assert.deepEqual(await store.access.inForce(99), [grant]);
  assert.deepEqual(await store.access.inForce(100), []);
  await store.gateways.note(
    { incarnation: 'a', peerAddress: undefined, state: 'serving', changeSeen: 9, identityKeys: undefined },
    1,
  );
  assert.equal(known.standIns, 0);
  known.started();
  for (const asked of [
    () => store.changes.place(),
    () => store.sessions.endingsSince(undefined),
    () => store.sessions.endedBehind(first, 10),
    () => store.identity.read(),
    () => store.gateways.current(1),
    () =>
      store.gateways.note(
        { incarnation: 'a', peerAddress: undefined, state: 'left', changeSeen: 9, identityKeys: undefined },
        1,
      ),
  ])
    await assert.rejects(async () => void (await asked()), { code: 'store_unavailable' });
  // What begins anything is never made up.
  await assert.rejects(async () => store.sessions.find('s'), { code: 'store_unavailable' });
  assert.deepEqual(await store.policies.published(), [policy]);
  // Handed on as it was handed over.
  assert.deepEqual(known.facts.identity, start.identity);
});

test('of what was handed over the endings are kept until the gateway serves, and no longer', async () => {
  await using one = await scene({ ...start, endings: [{ ...ending }] });
  const { known, store } = one;
  const kept = new WeakRef(handedEndings(known));
  await store.identity.read();
  known.started();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  // What a WeakRef was asked for is held until the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.equal(kept.deref(), undefined);
  assert.equal(known.handed, undefined);
});

function handedEndings(known: KnownStore): StartFacts['endings'] {
  const { endings } = known.handed ?? assert.fail();
  assert.equal(endings.length, 1);
  return endings;
}
