// A store with something of everything, and what is read of it by its contract, for tests of what copies it.

import { verifyChain } from '../../src/store/chain/verify-chain.ts';
import type { Store } from '../../src/store/store.ts';
import { auditEntry } from '../conformance/audit.ts';
import { chainSigner } from '../conformance/chain.ts';
import { newSession } from '../conformance/new-session.ts';
import { newPolicy, policyBounds } from '../conformance/policies.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
/** What a list or an array of an engine could read as something else. */
const odd = `{"a",\\N,NULL} 'q' \u00e9\u{1f600}\n\ttab`;

export interface FilledStore {
  /** How many changes it has numbered. */
  readonly changes: number;
  readonly expected: unknown;
  read(store: Store): Promise<unknown>;
}

/** Fills it, and closes it. */
export async function fillStore(store: Store, events: number): Promise<FilledStore> {
  const { sessions } = store;
  await sessions.enrol(newSession('living', { tokenKey: 'used', claims: { odd } }), bounds);
  await sessions.commit('living', 2000);
  await sessions.enrol(newSession('Fresh', { tokenKey: 'fresh' }), bounds);
  await sessions.enrol(newSession('ended', { tokenKey: 'ended' }), bounds);
  await sessions.commit('ended', 2000);
  await sessions.end('ended', { state: 'revoked', reason: odd }, 3000);
  await store.presence.note([
    { sessionId: 'living', gatewayId: 'g', tunnels: 2, seenMs: 2500, policyVersion: 'v' },
  ]);
  await store.proofs.remember(
    { keyThumbprint: 'k', jti: odd, expiresMs: 9_000_000_000_000 },
    { nowMs: 1, proofsPerKeyMax: 9, proofsMax: 9 },
  );
  await store.budgets.borrow({ sessionId: 'living', budget: 'b' }, 40, { max: 100, budgetsPerSessionMax: 9 });
  const seen = { source: odd, name: 'a' };
  const seenBounds = {
    nowMs: 5,
    max: 9,
    promisedMax: 9,
    unusedMs: 9,
    owner: { principalId: 'p', sessionId: 'living' },
    ownerDayMax: 9,
  };
  await store.firstSeen.see(seen, [{ item: odd, digest: odd }, { item: 'b' }], seenBounds);
  await store.treeHeads.advance(odd, undefined, odd);
  await fillLeases(store);
  await store.keptTokens.put('credential/odd', { sealed: odd, lifetimeMs: 1000 });
  await store.keptTokens.putOfSession('other', { sealed: odd, sessionId: 'living', max: 9 });
  await store.keptTokens.claim('other', { version: 1, holderId: odd, claimMs: 1000 });
  await store.keptTokens.writeKey(odd, 0);
  await fileAccess(store);
  await store.operators.add(
    {
      id: 't',
      digest: 'd',
      name: odd,
      role: 'reader',
      sees: { team: 'a' },
      createdMs: 1,
      createdBy: 'ada',
      expiresMs: 9_000_000_000_000,
    },
    { operatorTokensMax: 9 },
  );
  await store.policies.publish(newPolicy('one'), 0, policyBounds);
  await store.policies.publish(newPolicy(odd, { binding: { team: 'a' }, note: odd }), 1, policyBounds);
  await store.policies.note(
    { policy: 'main', number: 2, gatewayId: 'g', state: 'refused', reason: odd, atMs: 7 },
    { outcomesMax: 9 },
  );
  await store.policies.keep({ version: 'v', content: odd, seenMs: 5 }, { keptMax: 9 });
  await store.identity.write({ version: 1, sealed: odd });
  await fillAudit(store, events);
  const expected = await read(store);
  const changes = await store.changes.newest();
  await store.close();
  return { changes, expected, read };
}

async function fillLeases({ leases }: Store): Promise<void> {
  const leaseBounds = { leasesPerSessionMax: 9, leasesPerPrincipalMax: 9, leasesMax: 9 };
  const lease = { sessionId: 'living', principalId: odd, credential: odd, holderId: odd };
  await leases.ask({ id: 'asked', ...lease }, leaseBounds);
  await leases.ask({ id: 'held', ...lease }, leaseBounds);
  await leases.hold('held', { sealed: odd, lifetimeMs: 1000 });
}

async function fileAccess(store: Store): Promise<void> {
  const asked = { sessionId: 'living', principalId: 'issuer|subject', scheme: 'https', port: 443 } as const;
  const times = { createdMs: 1000, pendingUntilMs: 9_000_000_000_000 };
  const access = {
    accessPendingPerSessionMax: 9,
    accessRequestsPerSessionMax: 9,
    accessPendingPerPrincipalMax: 9,
    accessRequestsPerPrincipalMax: 9,
    accessRequestsMax: 9,
  };
  await store.access.file({ ...asked, ...times, id: 'r', host: 'a.test', reason: odd, path: '/x' }, access);
  await store.access.grant(
    'r',
    { scope: 'path', subject: 'session', endsMs: 9_000_000_000_000 },
    { nowMs: 1, note: odd },
  );
  await store.access.file({ ...asked, ...times, id: 's', host: 'b.test', reason: 'because' }, access);
}

/** Whose key signs the chain of its audit. */
const signer = chainSigner();

async function fillAudit(store: Store, events: number): Promise<void> {
  await store.audit.chain.begin(signer);
  // A cut goes along too.
  await store.audit.append(['a', 'b', 'c'].map((id) => auditEntry(`gone-${id}`, { timeMs: 1 })));
  await store.audit.prune({ beforeMs: 2, batch: 3 });
  const entries = Array.from({ length: events }, (_, at) =>
    auditEntry(`event-${at}`, at % 3 === 0 ? { sessionId: 'living' } : { timeMs: 1000 + at * 100 }),
  );
  for (let at = 0; at < entries.length; at += 100) await store.audit.append(entries.slice(at, at + 100));
  await store.audit.append([], [auditEntry('event-open', { verdict: 'unknown' })]);
  await store.audit.chain.end();
}

/** All that its contract tells of it. */
async function read(store: Store): Promise<unknown> {
  const { sessions, audit, policies } = store;
  const kept = await audit.query({ limit: 100_000 });
  return {
    sessions: await sessions.list({ limit: 100 }),
    endings: (await sessions.endingsSince(0)).endings,
    consumed: [await store.tokens.consumedBy('used'), await store.tokens.consumedBy('fresh')],
    presence: await store.presence.of('living'),
    seen: Object.fromEntries(await store.firstSeen.find({ source: odd, name: 'a' }, [odd, 'b', 'c'], 5)),
    access: await store.access.list({ limit: 100 }),
    operators: await store.operators.list(5),
    published: await policies.published(),
    files: await policies.files((await policies.find('main', 2))?.hash ?? ''),
    outcomes: await policies.outcomes('main', 2),
    kept: await policies.kept('v'),
    identity: await store.identity.read(),
    events: kept,
    held: await audit.held(),
    chain: await verifyChain(audit.chain, signer.publicKeys, {}),
    byHost: (await audit.search({ host: 'example.com', limit: 5, lookMax: 1000 })).events.map(({ id }) => id),
  };
}
