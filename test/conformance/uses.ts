// What every engine of the store must count of what rules, grants and credentials were used for.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEntry, Store } from '../../src/store/store.ts';
import type { UseKind } from '../../src/store/uses/event-uses.ts';
import { auditEntry } from './audit.ts';

const hourMs = 3_600_000;
const nowMs = Math.floor(Date.now() / hourMs) * hourMs;

/** An event as a gateway stores it. */
export function usedEntry(
  id: string,
  fields: Readonly<Record<string, unknown>>,
  changes: Partial<AuditEntry> = {},
): AuditEntry {
  const entry = auditEntry(id, { timeMs: nowMs, ...changes });
  return { ...entry, json: JSON.stringify({ ...JSON.parse(entry.json), ...fields }) };
}

export function useConformance(open: () => Promise<Store>): void {
  const read = async (store: Store, kind: UseKind, names?: readonly string[]) =>
    (await store.uses.read({ kind, fromMs: nowMs - hourMs, limit: 10, ...(names && { names }) }))?.items;
  const counts = async (store: Store, kind: UseKind, names?: readonly string[]): Promise<unknown> =>
    (await read(store, kind, names))
      ?.map(({ name, recent: { allowed, denied, failed }, uses }) => [name, uses, allowed, denied, failed])
      .toSorted();

  test('each rule, grant and credential is counted with the event, an id once', async () => {
    await using store = await open();
    const batch = [
      usedEntry('1', { rule: 'read', injected: ['token', 'other', 'token'] }),
      usedEntry(
        '2',
        { rule: 'read', injected: ['token'], traceId: 'f1', errorCode: 'upstream_timeout' },
        { verdict: 'error' },
      ),
      usedEntry('3', { rule: 'default-deny', count: 12 }, { verdict: 'deny' }),
      usedEntry('4', { rule: 'access-grant:x', observed: 'deny-all' }),
      usedEntry('5', { rule: 'read' }, { kind: 'session', verdict: 'info' }),
      usedEntry('6', { rule: 'read' }, { kind: 'alarm', verdict: 'deny' }),
    ];
    await store.audit.append(batch);
    await store.audit.append([batch[0]!, usedEntry('7', { rule: 'read' }, { verdict: 'unknown' })]);
    assert.deepEqual(await counts(store, 'rule'), [
      ['access-grant:x', 1, 1, 0, 0],
      ['default-deny', 12, 0, 12, 0],
      ['read', 3, 1, 0, 2],
    ]);
    assert.deepEqual(await counts(store, 'rule', ['access-grant:x', 'nobody']), [
      ['access-grant:x', 1, 1, 0, 0],
    ]);
    assert.deepEqual(await counts(store, 'observed'), [['deny-all', 1, 1, 0, 0]]);
    assert.deepEqual(await counts(store, 'credential'), [
      ['other', 1, 1, 0, 0],
      ['token', 2, 1, 0, 1],
    ]);
    assert.deepEqual(await counts(store, 'all'), [['', 16, 2, 12, 2]]);
    const failure = { ms: nowMs, code: 'upstream_timeout', trace: 'f1' };
    assert.deepEqual((await read(store, 'rule', ['read']))?.[0]?.failure?.code, 'unknown');
    // What else went wrong says nothing of the credential.
    assert.equal((await read(store, 'credential', ['token']))?.[0]?.failure, undefined);
    await store.audit.append([
      usedEntry('8', { rule: 'x', traceId: 'f1', errorCode: failure.code }, { verdict: 'error' }),
    ]);
    assert.deepEqual((await read(store, 'rule', ['x']))?.[0]?.failure, failure);
  });

  test('rules of one name in two policies are two, and a credential that is refused or cannot be had failed', async () => {
    await using store = await open();
    await store.audit.append([
      usedEntry('1', { rule: 'read', policyName: 'main' }),
      usedEntry('2', { rule: 'read', policyName: 'ceiling' }),
      usedEntry('3', { rule: 'read', injected: ['token'], status: 401 }),
      usedEntry(
        '4',
        { rule: 'read', failedCredential: 'gone', errorCode: 'credential_unavailable' },
        { verdict: 'error' },
      ),
    ]);
    const rules = (await read(store, 'rule'))?.map(({ policy, uses }) => [policy, uses]).toSorted();
    assert.deepEqual(rules, [
      ['', 2],
      ['ceiling', 1],
      ['main', 1],
    ]);
    const codes = (await read(store, 'credential'))
      ?.map(({ name, failure }) => [name, failure?.code])
      .toSorted();
    assert.deepEqual(codes, [
      ['gone', 'credential_unavailable'],
      ['token', 'status_401'],
    ]);
  });

  test('counts are of the hours that were asked for, the last use of all times, and nothing is of the future', async () => {
    await using store = await open();
    await store.audit.append([
      usedEntry('1', { rule: 'old' }, { timeMs: nowMs - 30 * hourMs }),
      usedEntry('2', { rule: 'both' }, { timeMs: nowMs - 30 * hourMs }),
      usedEntry('3', { rule: 'both' }),
      usedEntry('4', { rule: 'ahead' }, { timeMs: nowMs + 900 * hourMs }),
    ]);
    const page = await store.uses.read({ kind: 'rule', fromMs: nowMs - hourMs + 5, limit: 10 });
    assert.equal(page?.fromMs, nowMs - hourMs);
    assert.deepEqual(await counts(store, 'rule'), [
      ['ahead', 1, 1, 0, 0],
      ['both', 2, 1, 0, 0],
      ['old', 1, 0, 0, 0],
    ]);
    const last = new Map(page?.items.map(({ name, lastMs }) => [name, lastMs]));
    assert.equal(last.get('old'), nowMs - 30 * hourMs);
    assert.ok((last.get('ahead') ?? Infinity) <= Date.now());
    const hours = await store.uses.hours(nowMs - 40 * hourMs);
    assert.deepEqual(
      hours?.hours.map(({ hour, allowed }) => [nowMs / hourMs - hour, allowed]),
      [
        [30, 2],
        [0, 2],
      ],
    );
  });

  test('names that are long gone, hours that nobody asks for and grants of long ago are forgotten', async () => {
    await using store = await open();
    const day = 24 * hourMs;
    await store.audit.append([
      usedEntry('1', { rule: 'gone' }, { timeMs: nowMs - 401 * day }),
      usedEntry('2', { rule: 'access-grant:old' }, { timeMs: nowMs - 41 * day }),
      usedEntry('3', { rule: 'access-grant' }, { timeMs: nowMs - 41 * day }),
      usedEntry('4', { rule: 'kept' }, { timeMs: nowMs - 3 * day }),
    ]);
    await store.uses.prune(nowMs);
    const page = await store.uses.read({ kind: 'rule', fromMs: nowMs - 500 * day, limit: 10 });
    assert.deepEqual(
      page?.items.map(({ name, recent }) => [name, recent.allowed]),
      [
        ['kept', 0],
        ['access-grant', 0],
      ],
    );
    assert.deepEqual(
      (await store.uses.hours(0))?.hours.map(({ hour }) => nowMs / hourMs - hour),
      [3 * 24],
    );
  });

  test('what a workload wrote counts as what it is', async () => {
    await using store = await open();
    const path = '/","rule":"forged","injected":["forged"],"x":"\u0000\ud800\\';
    await store.audit.append([usedEntry('1', { path, rule: 'read', details: { rule: 'forged', count: 9 } })]);
    assert.deepEqual(await counts(store, 'rule'), [['read', 1, 1, 0, 0]]);
    assert.deepEqual(await counts(store, 'credential'), []);
    assert.deepEqual(await counts(store, 'all'), [['', 1, 1, 0, 0]]);
  });
}
