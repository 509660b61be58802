import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { FollowedAuthority } from '../../../src/gateway/followed-authority.ts';
import { IdentityMark } from '../../../src/gateway/identity/identity-mark.ts';
import {
  nextAuthority,
  nextSigningKey,
  retiredAuthority,
  retiredSigningKey,
  switchedAuthority,
  switchedSigningKey,
} from '../../../src/gateway/identity/identity-rotation.ts';
import {
  keyEncryptionKeyOf,
  type KeyEncryptionKey,
} from '../../../src/gateway/identity/key-encryption-key.ts';
import { SealedStore, type SealedStoreOptions } from '../../../src/gateway/identity/sealed-store.ts';
import { StoredIdentity } from '../../../src/gateway/identity/stored-identity.ts';
import { FollowedSigningKey } from '../../../src/gateway/sessions/followed-signing-key.ts';
import { splitPemCertificates } from '../../../src/pki/pem.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { IdentityStore } from '../../../src/store/gateway-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

interface Row {
  readonly version: number;
  readonly sealed: string;
}

async function openScene(stack: AsyncDisposableStack) {
  const folder = stack.use(await temporaryDirectory()).path;
  const path = join(folder, 'state.db');
  const store = stack.use(await openStore(`sqlite:${path}`));
  const raw = new DatabaseSync(path);
  stack.defer(() => raw.close());
  const key = keyEncryptionKeyOf(randomBytes(32).toString('base64')) ?? assert.fail();
  const lines: string[] = [];
  let keys: () => Promise<readonly KeyEncryptionKey[]> = async () => [key];
  let isDiskFull = false;
  class Mark extends IdentityMark {
    override async write(seen: Parameters<IdentityMark['write']>[0]): Promise<void> {
      if (isDiskFull) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      await super.write(seen);
    }
  }
  const mark = new Mark(join(folder, 'gateway'));
  const options = { store: store.identity, clock: Date.now };
  let meanwhile = async (): Promise<void> => undefined;
  const late: IdentityStore = {
    version: async () => {
      const version = await store.identity.version();
      const work = meanwhile;
      meanwhile = async () => undefined;
      await work();
      return version;
    },
    read: () => store.identity.read(),
    write: (row) => store.identity.write(row),
  };
  const sealed = new SealedStore({ ...options, store: late, keys: () => keys(), mark });
  const log = (level: string, message: string): void => void lines.push(`${level} ${message}`);
  /** As an operator elsewhere, whose commands wait so until gateways have looked. */
  const operatorWith = (pause: SealedStoreOptions['pause']): SealedStore =>
    new SealedStore({
      ...options,
      keys: async () => [key],
      mark: new IdentityMark(join(folder, 'operator')),
      ...(pause !== undefined && { pause }),
    });
  const identity = stack.use(await StoredIdentity.open({ sealed, mark, log }));
  return {
    identity,
    key,
    lines,
    mark,
    /** Sealed for those keys, and no other, in the place of what is there. */
    rewrap: async (...those: readonly KeyEncryptionKey[]): Promise<Row> => {
      const other = new IdentityMark(join(folder, 'other'));
      await new SealedStore({ ...options, keys: async () => those, mark: other }).rewrap();
      return (await store.identity.read()) ?? assert.fail();
    },
    /** The disk of the gateway is full, or is not any more. */
    setFull: (isFull: boolean) => void (isDiskFull = isFull),
    markFile: join(folder, 'gateway', 'identity-seen.json'),
    store,
    operator: operatorWith(undefined),
    operatorWith,
    /** Once: when the store has said which version it has, and the gateway has done nothing upon it yet. */
    setMeanwhile: (work: typeof meanwhile) => void (meanwhile = work),
    setKeys: (given: typeof keys) => void (keys = given),
    read: async (): Promise<Row> => (await store.identity.read()) ?? assert.fail(),
    set: ({ version, sealed: text }: Row) =>
      void raw.prepare('UPDATE identity SET version = ?, sealed = ?').run(version, text),
    empty: () => void raw.exec('DELETE FROM identity'),
    log,
  };
}

test('each step of a rotation is taken, and what was signed before the step is good behind it', async () => {
  await using stack = new AsyncDisposableStack();
  const { identity, operator, log } = await openScene(stack);
  const { places } = identity;
  const authority = stack.use(await FollowedAuthority.open({ place: places.peers, clock: Date.now, log }));
  const signing = stack.use(await FollowedSigningKey.open({ place: places.signingKey, log }));
  const [nowMs, atOnce] = [Date.now(), { nowMs: Date.now(), atOnce: true, publishedForMs: 0 }];
  const { kid: first, publicKey } = signing;
  const { signerPem: before } = authority;
  /** Those who follow are told, and look by themselves. */
  const step = async (...changes: Parameters<SealedStore['change']>[0][]): Promise<void> => {
    for (const change of changes) await operator.change(change);
    await identity.look();
    await Promise.all([authority.look(), signing.look()]);
  };
  await step(nextSigningKey(nowMs), nextAuthority('peers', nowMs));
  const [, next = ''] = splitPemCertificates(authority.certificatesPem);
  assert.deepEqual([authority.signerPem, signing.kid, signing.publicKeys.length], [before, first, 2]);
  await step(switchedSigningKey(atOnce), switchedAuthority('peers', atOnce));
  assert.deepEqual([authority.signerPem, authority.certificatesPem], [next, next + before]);
  assert.notEqual(signing.kid, first);
  assert.ok(signing.publicKeyOf(first)?.equals(publicKey));
  await step(retiredSigningKey, retiredAuthority('peers'));
  assert.equal(authority.certificatesPem, next);
  assert.equal(signing.publicKeyOf(first), undefined);
});

test('followers of the identity are told of each version that it takes', async () => {
  await using stack = new AsyncDisposableStack();
  const { identity, operator, lines, mark } = await openScene(stack);
  let told = 0;
  const { interception } = identity.places;
  interception.watch?.(() => void (told += 1));
  await identity.look();
  assert.equal(told, 0);
  const { version } = await operator.change(nextAuthority('interception', Date.now()));
  await identity.look();
  await identity.look();
  assert.equal(told, 1);
  assert.equal((await mark.read())?.version, version);
  assert.equal(lines.at(-1), `info version ${version} of the identity in the store was taken`);
});

test('what cannot be read, is gone or is another one changes nothing, and is said once', async () => {
  await using stack = new AsyncDisposableStack();
  const scene = await openScene(stack);
  const { identity, operator, lines, read, set, empty, setKeys } = scene;
  const { kid } = await identity.places.signingKey.read();
  await operator.change(nextSigningKey(Date.now()));
  await identity.look();
  const good = await read();
  lines.length = 0;
  const refused = async (message: RegExp): Promise<void> => {
    for (let n = 0; n < 3; n++) await identity.look();
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0] ?? '', message);
    assert.match(lines[0] ?? '', /^error .*; the keys and authorities of before serve on$/);
    assert.equal((await identity.places.signingKey.read()).kid, kid);
    lines.length = 0;
    set(good);
    await identity.look();
    assert.deepEqual(lines, []);
  };
  set({ version: 3, sealed: good.sealed });
  await refused(/\(version 3\) is damaged/);
  set({ version: 2, sealed: good.sealed.slice(0, 400) });
  await refused(/\(version 2\) is damaged/);
  // The whole row is read, and its key asked for, at each look that a person asks for.
  setKeys(() => Promise.reject(new ProxyError('identity_unusable', 'there is no key')));
  await identity.look();
  await identity.look();
  setKeys(async () => [keyEncryptionKeyOf(randomBytes(32).toString('base64')) ?? assert.fail()]);
  await identity.look();
  assert.equal(lines.length, 2, lines.join('\n'));
  assert.match(lines[0] ?? '', /^error there is no key; the keys and authorities of before serve on$/);
  assert.match(lines[1] ?? '', /^error the identity in the store is sealed for key/);
  lines.length = 0;
  empty();
  await identity.look();
  assert.match(
    lines.join('\n'),
    /^error the store has no identity, and this gateway has had version 2 of one/,
  );
  assert.equal(await scene.store.identity.read(), undefined);
});

test('a store that went back is brought to where a gateway is that runs, and others take it', async () => {
  await using stack = new AsyncDisposableStack();
  const { identity, operator, lines, read, set, markFile, setKeys, key } = await openScene(stack);
  const first = await read();
  await operator.change(nextSigningKey(Date.now()));
  await operator.change(nextAuthority('peers', Date.now()));
  await identity.look();
  const { publicKeys } = await identity.places.signingKey.read();
  // What a process knows it needs no file for.
  await rm(markFile);
  set(first);
  lines.length = 0;
  // Who cannot open it leaves it as it is, and says so.
  setKeys(async () => [keyEncryptionKeyOf(randomBytes(32).toString('base64')) ?? assert.fail()]);
  await identity.look();
  assert.match(lines.join('\n'), /^error the identity in the store is sealed for key/);
  assert.equal((await read()).version, 1);
  setKeys(async () => [key]);
  set(first);
  lines.length = 0;
  for (let n = 0; n < 3; n++) await identity.look();
  assert.equal((await read()).version, 3);
  assert.match(lines.join('\n'), /^info the identity in the store had gone back: version 3 is there again/);
  const { document } = await operator.readOne();
  assert.ok(document.signingKey.next !== undefined && document.authorities.peers.next !== undefined);
  const now = (await identity.places.signingKey.read()).publicKeys;
  assert.ok(now.length === 2 && now.every((one, i) => one.equals(publicKeys[i] ?? assert.fail())));
  // What is no earlier version of it is left as it is.
  for (const sealed of [first.sealed, 'x', '{}']) {
    set({ version: 2, sealed });
    await identity.look();
    assert.deepEqual(await read(), { version: 2, sealed });
  }
  assert.match(lines.at(-1) ?? '', /^error the identity in the store \(version 2\) is damaged/);
});

test('a store that is no longer behind when it is written to is left as it is: a rotation is not undone', async (t) => {
  // It looks when it is asked to, and no other look comes between.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await using stack = new AsyncDisposableStack();
  const { identity, operator, lines, read, set, setMeanwhile } = await openScene(stack);
  const atOnce = { nowMs: Date.now(), atOnce: true, publishedForMs: 0 };
  const { kid: leaked } = await identity.places.signingKey.read();
  const { version } = await operator.change(nextSigningKey(Date.now()));
  const behind = await read();
  // The gateway has one version more than the replica.
  await operator.change((document) => document);
  await identity.look();
  for (const steps of [[], [switchedSigningKey(atOnce), retiredSigningKey]]) {
    set(behind);
    lines.length = 0;
    setMeanwhile(async () => {
      // As another gateway, which brings it back, and an operator behind it.
      await operator.change((document) => document);
      for (const step of steps) await operator.change(step);
    });
    await identity.look();
    assert.equal((await read()).version, version + 1 + steps.length);
    assert.doesNotMatch(lines.join('\n'), /is there again/);
  }
  await identity.look();
  const { kid, publicKeys } = await identity.places.signingKey.read();
  assert.notEqual(kid, leaked);
  assert.equal(publicKeys.length, 1);
  assert.equal((await read()).version, version + 3);
});

test('a row that is put back is sealed for no key that was retired since, also where the configuration names it', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await using stack = new AsyncDisposableStack();
  const { identity, operator, lines, key, read, set, setKeys, rewrap } = await openScene(stack);
  const old = keyEncryptionKeyOf(randomBytes(32).toString('base64')) ?? assert.fail();
  const keyIds = ({ sealed }: Row): readonly string[] =>
    // As it was written.
    (JSON.parse(sealed) as { readonly keys: readonly { readonly id: string }[] }).keys.map(({ id }) => id);
  const both = await rewrap(key, old);
  setKeys(async () => [key, old]);
  await identity.look();
  assert.deepEqual(keyIds(both), [key.id, old.id]);
  // In another history the key that stays is another one.
  const other = await rewrap(old);
  set(both);
  await rewrap(key);
  await operator.change(nextSigningKey(Date.now()));
  await identity.look();
  set(both);
  for (const version of [3, 4]) {
    await identity.look();
    assert.deepEqual([(await read()).version, keyIds(await read())], [version, [key.id]]);
  }
  await identity.look();
  // With no key of both there is nobody to seal it for.
  set(other);
  lines.length = 0;
  await identity.look();
  assert.deepEqual(await read(), other);
  assert.match(
    lines.join('\n'),
    /^error the identity in the store is version 3, and this gateway has had version 4/,
  );
});

test('a disk that is full keeps no retired key in use, and the mark is written when there is room', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await using stack = new AsyncDisposableStack();
  const { identity, operator, lines, log, mark, setFull, set, read } = await openScene(stack);
  const signing = stack.use(await FollowedSigningKey.open({ place: identity.places.signingKey, log }));
  const { kid: leaked } = signing;
  const atOnce = { nowMs: Date.now(), atOnce: true, publishedForMs: 0 };
  let told = 0;
  identity.places.signingKey.watch?.(() => void (told += 1));
  const first = await read();
  setFull(true);
  for (const step of [nextSigningKey(Date.now()), switchedSigningKey(atOnce), retiredSigningKey])
    await operator.change(step);
  lines.length = 0;
  for (let n = 0; n < 3; n++) await identity.look();
  assert.equal(told, 1);
  await signing.look();
  assert.notEqual(signing.kid, leaked);
  assert.equal(signing.publicKeyOf(leaked), undefined);
  assert.deepEqual(lines.toSorted(), [
    'error identity-seen.json of the state folder cannot be written: no space is left; until it is, this gateway would start with version 1 of the identity too, and it has 4',
    'info another key signs tokens now',
    'info version 4 of the identity in the store was taken',
  ]);
  assert.equal((await mark.read())?.version, 1);
  setFull(false);
  // Also while the store is behind, and at each look.
  set(first);
  await identity.look();
  assert.equal((await mark.read())?.version, 4);
});

test('the mark names the identity that was taken', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await using stack = new AsyncDisposableStack();
  const { identity, operator, mark, markFile, empty } = await openScene(stack);
  // As the message says: the file is removed to take what the store has.
  await rm(markFile);
  empty();
  const { document } = await operator.make();
  await operator.change((same) => same);
  await identity.look();
  assert.deepEqual(await mark.read(), { id: document.id, version: 2 });
});

test('a step that is put back before every gateway has looked is no success', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  await using stack = new AsyncDisposableStack();
  const { operator, read, set, empty, operatorWith } = await openScene(stack);
  const first = await read();
  let waitedMs = 0;
  // As somebody who writes to the database, late.
  let act = async (): Promise<void> => {
    if (waitedMs > defaultLimits.identityLookIntervalMs) set(first);
  };
  const waiting = operatorWith(async (ms) => {
    waitedMs += ms;
    await act();
  });
  const refused = (work: Promise<unknown>, message: RegExp): Promise<void> =>
    assert.rejects(work, { code: 'identity_unusable', message });
  await refused(
    waiting.change(nextSigningKey(Date.now())),
    /^version 2 was written to the store, and it has another version 1 now: .*do it again$/,
  );
  await operator.change(nextSigningKey(Date.now()));
  const other = await read();
  set(first);
  // Another history of the same version.
  act = async () => set(other);
  await refused(waiting.rewrap(), /it has another version 2 now/);
  act = async () => empty();
  await refused(waiting.rewrap(), /^version 3 was written to the store, and it has none now/);
  await operator.make();
  // What goes on is no fault, and every gateway has had the time.
  act = async () => void (await operator.change((document) => document));
  waitedMs = 0;
  assert.equal((await waiting.rewrap()).version, 2);
  assert.ok(waitedMs >= 2 * defaultLimits.identityLookIntervalMs);
});

test('after the failover to a replica that was behind, the other history of the same version is taken', async () => {
  await using stack = new AsyncDisposableStack();
  const { identity, operator, read, set } = await openScene(stack);
  const before = await read();
  await operator.change(nextSigningKey(Date.now()));
  await identity.look();
  const { publicKeys: one } = await identity.places.signingKey.read();
  set(before);
  await operator.change(nextSigningKey(Date.now()));
  await identity.look();
  const { publicKeys: other } = await identity.places.signingKey.read();
  assert.deepEqual([one.length, other.length], [2, 2]);
  assert.ok(one[0]?.equals(other[0] ?? assert.fail()) && !one[1]?.equals(other[1] ?? assert.fail()));
});
