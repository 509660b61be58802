import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { NonceOutcome, NonceProof } from '../../../src/gateway/sessions/nonce-proofs.ts';
import { ProofMemory } from '../../../src/gateway/sessions/proof-memory.ts';
import {
  NonceNeeded,
  type NonceGiver,
  newNonceGiver,
  ProofNonces,
} from '../../../src/gateway/sessions/proof-nonces.ts';
import type { SessionRequest } from '../../../src/gateway/sessions/session-authenticator.ts';
import type { SessionServiceOptions } from '../../../src/gateway/sessions/session-service-options.ts';
import { createSigningKey, type SigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { sessionCommitPath, sessionPath, tunnelPath } from '../../../src/protocol/session-messages.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import {
  type AgentKey,
  openTestSessions,
  origin,
  proofOf,
  startMs,
  type TestSessions,
} from '../session-fixture.ts';

const { proofNonceMs } = defaultLimits;

const giver: NonceGiver = { gatewayName: '0123456789abcdef', key: randomBytes(32) };
const untilMs = startMs + proofNonceMs;

test('a nonce counts for a minute, for its session, in any process of the gateway that gave it', () => {
  const nonces = new ProofNonces(giver);
  const nonce = nonces.give('one', startMs);
  assert.match(nonce, /^[A-Za-z0-9_-]{60}$/);
  assert.notEqual(nonces.give('one', startMs), nonce);
  const kindAt = (nowMs: number): string => nonces.read(nonce, 'one', nowMs).kind;
  assert.deepEqual(nonces.read(nonce, 'one', startMs), { kind: 'good', untilMs });
  assert.deepEqual(new ProofNonces(giver).read(nonce, 'one', untilMs), { kind: 'good', untilMs });
  assert.equal(kindAt(untilMs + 1), 'bad');
  // A clock that goes back.
  assert.equal(kindAt(startMs - proofNonceMs - 1), 'bad');
  assert.equal(nonces.read(nonce, 'other', startMs).kind, 'bad');
  const { gatewayName } = giver;
  assert.deepEqual(new ProofNonces(newNonceGiver()).read(nonce, 'one', startMs), {
    kind: 'elsewhere',
    gatewayName,
  });
  // One of the same name knows another key.
  assert.equal(new ProofNonces(newNonceGiver(gatewayName)).read(nonce, 'one', startMs).kind, 'bad');
});

test('what is guessed or changed in any octet is no nonce', () => {
  const nonces = new ProofNonces(giver);
  const bytes = Buffer.from(nonces.give('s', startMs), 'base64url');
  for (const at of bytes.keys()) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    assert.notEqual(nonces.read(changed.toString('base64url'), 's', startMs).kind, 'good', `octet ${at}`);
  }
  for (const wrong of [
    undefined,
    null,
    7,
    '',
    'none',
    {},
    [bytes.toString('base64url')],
    // Of the version before.
    'A'.repeat(48),
    'A'.repeat(1e6),
  ])
    assert.equal(nonces.read(wrong, 's', startMs).kind, 'bad');
});

/** A store that counts what it is asked of sessions and proofs. */
async function countedStore(): Promise<{ readonly store: Store; readonly asked: string[] }> {
  const store = await openStore('sqlite::memory:');
  const asked: string[] = [];
  const counted = <Part extends object>(part: Part): Part =>
    new Proxy(part, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          asked.push(String(name));
          return Reflect.apply(value, target, args);
        };
      },
    });
  return { store: { ...store, sessions: counted(store.sessions), proofs: counted(store.proofs) }, asked };
}

interface Holder {
  readonly sessionId: string;
  readonly key: AgentKey;
  readonly accessToken: string;
}

async function committed(sessions: TestSessions): Promise<Holder> {
  const { sessionId, key, request } = await sessions.enrol(sessions.token());
  const { access_token: accessToken } = await sessions.service.commit(request('POST', sessionCommitPath));
  return { sessionId, key, accessToken };
}

function upgrade(
  { key, accessToken }: Holder,
  nonce: unknown,
  nowMs: number,
  claims: object = {},
): SessionRequest {
  const url = `${origin}${tunnelPath}`;
  const given = nonce === undefined ? {} : { nonce };
  return {
    authorization: `DPoP ${accessToken}`,
    proof: proofOf(key, { method: 'GET', url, nowMs, accessToken, claims: { ...given, ...claims } }),
    method: 'GET',
    url,
    nowMs,
  };
}

function renewal(sessions: TestSessions, { accessToken, key }: Holder, nonce: string): SessionRequest {
  const url = `${origin}${sessionPath}`;
  const nowMs = sessions.nowMs();
  const proof = proofOf(key, { url, nowMs, accessToken, claims: { nonce } });
  return { authorization: `DPoP ${accessToken}`, proof, method: 'POST', url, nowMs };
}

async function nonceOf(sessions: TestSessions, holder: Holder): Promise<string> {
  try {
    await sessions.service.authenticate(upgrade(holder, 'none', sessions.nowMs()));
  } catch (error) {
    if (error instanceof NonceNeeded) return error.nonce;
    throw error;
  }
  return assert.fail('it was taken without one');
}

test('a proof with a nonce of the gateway counts once, and nothing is asked of the store', async () => {
  const { store, asked } = await countedStore();
  await using sessions = await openTestSessions({ store });
  const holder = await committed(sessions);
  const nowMs = sessions.nowMs();
  asked.length = 0;
  const nonce = await nonceOf(sessions, holder);
  const request = upgrade(holder, nonce, nowMs);
  const { principal, isKnownHere } = await sessions.service.authenticate(request);
  assert.equal(principal.sessionId, holder.sessionId);
  assert.equal(isKnownHere, true);
  assert.deepEqual(
    asked.filter((name) => name === 'find' || name === 'remember'),
    [],
  );
  await assert.rejects(sessions.service.authenticate(request), { code: 'proof_invalid' });
  // The nonce itself serves more than one connection of its minute.
  await sessions.service.authenticate(upgrade(holder, nonce, nowMs));
  sessions.advance(proofNonceMs + 1);
  await assert.rejects(sessions.service.authenticate(upgrade(holder, nonce, sessions.nowMs())), NonceNeeded);
});

test('one of an agent without nonces counts by the store, as ever', async () => {
  const { store, asked } = await countedStore();
  await using sessions = await openTestSessions({ store });
  const holder = await committed(sessions);
  asked.length = 0;
  const request = upgrade(holder, undefined, sessions.nowMs());
  const { isKnownHere } = await sessions.service.authenticate(request);
  assert.equal(isKnownHere, false);
  assert.ok(asked.includes('remember') && asked.includes('find'));
  await assert.rejects(sessions.service.authenticate(request), { code: 'proof_invalid' });
});

test('a captured proof counts at no other gateway or process on the store, for whatever it is asked', async () => {
  const store = await openStore('sqlite::memory:');
  const signingKey = createSigningKey();
  await using one = await openTestSessions({ store, signingKey });
  await using other = await openTestSessions({
    store: { ...store, close: async () => undefined },
    signingKey,
  });
  const holder = await committed(one);
  const captured = upgrade(holder, await nonceOf(one, holder), one.nowMs());
  await one.service.authenticate(captured);
  await assert.rejects(other.service.authenticate(captured), NonceNeeded);
  // Nor does the one that asked for a nonce.
  const first = upgrade(holder, 'none', one.nowMs());
  for (const { service } of [one, other]) await assert.rejects(service.authenticate(first), NonceNeeded);
});

/** Gateways or processes on one store, each with what it remembers of proofs. */
async function served(
  store: Store,
  signingKey: SigningKey,
  nonces?: SessionServiceOptions['nonces'],
): Promise<TestSessions> {
  const own = { ...store, close: async (): Promise<void> => undefined };
  return await openTestSessions({ store: own, signingKey, ...(nonces === undefined ? {} : { nonces }) });
}

test('behind gateways that ask each other a proof counts once at all of them, and nothing is asked of the store', async () => {
  const { store, asked } = await countedStore();
  const signingKey = createSigningKey();
  await using stack = new AsyncDisposableStack();
  stack.defer(() => store.close());
  const gateways: { readonly name: string; readonly sessions: TestSessions }[] = [];
  for (const name of ['1'.repeat(16), '2'.repeat(16), '3'.repeat(16)])
    gateways.push({
      name,
      sessions: stack.use(await served(store, signingKey, { giver: newNonceGiver(name) })),
    });
  const questions: NonceProof[] = [];
  const ask = async (name: string, proof: NonceProof): Promise<NonceOutcome> => {
    questions.push(proof);
    const found = gateways.find((one) => one.name === name);
    return found === undefined
      ? 'unknown'
      : await found.sessions.service.nonceProofs.takeOwn(proof, found.sessions.nowMs());
  };
  for (const { sessions } of gateways) sessions.service.nonceProofs.askOthers(ask);
  const [one, other, third] = gateways.map(({ sessions }) => sessions);
  assert.ok(one !== undefined && other !== undefined && third !== undefined);
  const holder = await committed(one);
  for (const { service } of [other, third]) await service.watch.look();
  const nonce = await nonceOf(one, holder);
  asked.length = 0;
  const requests = [one, other, third].map(() => upgrade(holder, nonce, one.nowMs()));
  for (const [at, { service }] of [one, other, third].entries()) {
    const request = requests[at];
    assert.ok(request !== undefined);
    assert.equal((await service.authenticate(request)).isKnownHere, true);
  }
  // Each of them at each, wherever it counted first.
  for (const request of requests)
    for (const { service } of [one, other, third])
      await assert.rejects(service.authenticate(request), { code: 'proof_invalid', message: /used before/ });
  assert.deepEqual(
    asked.filter((name) => name === 'find' || name === 'remember'),
    [],
  );
  assert.ok(questions.every((proof) => proof.sessionId === holder.sessionId && proof.nonce === nonce));
  // For another session, and of a gateway that nobody knows.
  const stranger = await committed(other);
  for (const given of [nonce, new ProofNonces(newNonceGiver()).give(stranger.sessionId, one.nowMs())])
    await assert.rejects(third.service.authenticate(upgrade(stranger, given, third.nowMs())), NonceNeeded);
  // Its minute is over by the clock of who gave it.
  one.advance(proofNonceMs + 1);
  await assert.rejects(other.service.authenticate(upgrade(holder, nonce, other.nowMs())), NonceNeeded);
});

test('workers of one gateway take nonces of each other, and remember proofs together', async () => {
  const { store, asked } = await countedStore();
  const signingKey = createSigningKey();
  const nonces = { giver, memory: new ProofMemory() };
  await using one = await openTestSessions({ store, signingKey, nonces });
  await using other = await served(store, signingKey, nonces);
  const holder = await committed(one);
  const captured = upgrade(holder, await nonceOf(one, holder), one.nowMs());
  asked.length = 0;
  assert.equal((await other.service.authenticate(captured)).isKnownHere, true);
  for (const { service } of [one, other])
    await assert.rejects(service.authenticate(captured), { code: 'proof_invalid', message: /used before/ });
  assert.ok(!asked.includes('remember') && !asked.includes('find'));
});

test('a proof is remembered for as long as its nonce is good, whatever the clock of its agent says', async () => {
  await using sessions = await openTestSessions();
  const holder = await committed(sessions);
  const nonce = await nonceOf(sessions, holder);
  // As old as a proof may be: by its own time it could be forgotten at once.
  const late = upgrade(holder, nonce, sessions.nowMs() - defaultLimits.proofAgeMsMax);
  await sessions.service.authenticate({ ...late, nowMs: sessions.nowMs() });
  sessions.advance(1000);
  await assert.rejects(sessions.service.authenticate({ ...late, nowMs: sessions.nowMs() }), {
    code: 'proof_invalid',
  });
  const { nonceProofs } = sessions.service;
  const proof = { nonce, sessionId: holder.sessionId, keyThumbprint: 'k', jti: 'one' };
  assert.equal(await nonceProofs.takeOwn(proof, startMs), 'new');
  for (const nowMs of [startMs, startMs + proofNonceMs - 1])
    assert.equal(await nonceProofs.takeOwn(proof, nowMs), 'seen');
  // Another one came a moment later, and what is over was forgotten: the judge of this one had looked at its clock before.
  const later = { ...proof, nonce: 'none', jti: 'two' };
  await nonceProofs.takeOwn(later, startMs + proofNonceMs + 5);
  assert.equal(await nonceProofs.takeOwn(proof, startMs + proofNonceMs - 1), 'seen');
});

test('a nonce is given to whoever has the key of a session, and nothing is kept of it', async () => {
  await using sessions = await openTestSessions({ limits: { proofsPerKeyMax: 4 } });
  const holder = await committed(sessions);
  const other = await committed(sessions);
  const nowMs = sessions.nowMs();
  // More than a key may have remembered.
  for (let i = 0; i < 10; i += 1) await nonceOf(sessions, holder);
  const nonce = await nonceOf(sessions, holder);
  await assert.rejects(sessions.service.authenticate(upgrade(other, nonce, nowMs)), NonceNeeded);
  const stolen = { ...holder, key: other.key };
  await assert.rejects(sessions.service.authenticate(upgrade(stolen, 'none', nowMs)), (error) => {
    assert.ok(!(error instanceof NonceNeeded));
    return true;
  });
  for (let i = 0; i < 2; i += 1) await sessions.service.authenticate(upgrade(holder, nonce, nowMs));
  await assert.rejects(sessions.service.authenticate(upgrade(holder, nonce, nowMs)), {
    code: 'limit_exceeded',
  });
});

test('a session that was revoked, had its time, or was not committed is not served for its nonce', async () => {
  await using sessions = await openTestSessions();
  const holder = await committed(sessions);
  const nonce = await nonceOf(sessions, holder);
  await sessions.service.revoke(holder.sessionId, 'stolen');
  await assert.rejects(sessions.service.authenticate(upgrade(holder, nonce, sessions.nowMs())), {
    code: 'session_revoked',
  });
  const enrolled = await sessions.enrol(sessions.token());
  const given = await nonceOf(sessions, enrolled);
  const { isKnownHere } = await sessions.service.authenticate(upgrade(enrolled, given, sessions.nowMs()));
  assert.equal(isKnownHere, false);
});

test('while what ended is not read, a nonce opens nothing that the store would refuse', async () => {
  const store = await openStore('sqlite::memory:');
  const state = { ticksMs: 0, isRead: true };
  const { endingsSince } = store.sessions;
  store.sessions.endingsSince = (sequence) =>
    state.isRead
      ? endingsSince.call(store.sessions, sequence)
      : Promise.reject(new ProxyError('store_unavailable', 'the query took too long'));
  // The probe responds all the time.
  await using sessions = await openTestSessions({ store, ticks: () => state.ticksMs });
  const { service } = sessions;
  const holder = await committed(sessions);
  const nonce = await nonceOf(sessions, holder);
  const authenticate = () => service.authenticate(upgrade(holder, nonce, sessions.nowMs()));
  state.isRead = false;
  state.ticksMs = defaultLimits.endingsReadMs;
  await service.watch.look();
  assert.equal((await authenticate()).isKnownHere, true);
  state.ticksMs += 1;
  assert.equal((await authenticate()).isKnownHere, false);
  await service.requireAlive(holder.sessionId, true);
  // By another process.
  await store.sessions.end(holder.sessionId, { state: 'revoked', reason: 'stolen' }, sessions.nowMs());
  await assert.rejects(authenticate(), { code: 'session_revoked' });
  await assert.rejects(service.renew(renewal(sessions, holder, nonce)), { code: 'session_revoked' });
  await assert.rejects(service.requireAlive(holder.sessionId, true), { code: 'session_revoked' });
  const other = await committed(sessions);
  state.isRead = true;
  await service.watch.look();
  const again = await service.authenticate(upgrade(other, await nonceOf(sessions, other), sessions.nowMs()));
  assert.equal(again.isKnownHere, true);
});

test('a renewal takes a proof with a nonce of the gateway, and with no other', async () => {
  await using sessions = await openTestSessions();
  const holder = await committed(sessions);
  await assert.rejects(sessions.service.renew(renewal(sessions, holder, 'none')), NonceNeeded);
  await sessions.service.renew(renewal(sessions, holder, await nonceOf(sessions, holder)));
});
