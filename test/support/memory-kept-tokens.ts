// Kept tokens in memory, as the contract has them, with calls that can be made to fail.

import { ProxyError } from '../../src/protocol/error.ts';
import type { KeptToken, KeptTokenStore, KeptWrite } from '../../src/store/kept-token-store.ts';

type Row = { -readonly [Name in keyof KeptToken]: KeptToken[Name] } & { claimUntilMs: number };

export interface MemoryKeptTokens extends KeptTokenStore {
  readonly rows: ReadonlyMap<string, KeptToken>;
  /** Calls of that name fail so often. */
  fail(name: keyof KeptTokenStore, times: number): void;
}

export function memoryKeptTokens(clock: () => number = Date.now): MemoryKeptTokens {
  const rows = new Map<string, Row>();
  const failing = new Map<string, number>();
  const call = async <Value>(name: string, act: () => Value): Promise<Value> => {
    const left = failing.get(name) ?? 0;
    failing.set(name, left - 1);
    if (left > 0) throw new ProxyError('store_unavailable', 'the store is away');
    return act();
  };
  const write = (row: Row, sealed: string): void => {
    Object.assign(row, {
      version: row.version + 1,
      sealed,
      state: 'held',
      word: undefined,
      claimedBy: undefined,
    });
    Object.assign(row, { attempts: 0, claimUntilMs: 0 });
  };
  const insert = (id: string, { sealed, lifetimeMs }: KeptWrite, sessionId?: string): number => {
    const version = (rows.get(id)?.version ?? 0) + 1;
    const fresh = { id, sessionId, version, sealed, state: 'held', word: undefined, lifetimeMs } as const;
    rows.set(id, { ...fresh, ageMs: 0, claimedBy: undefined, attempts: 0, claimUntilMs: 0 });
    return version;
  };
  const held = (id: string, version: number): Row | undefined => {
    const row = rows.get(id);
    return row?.version === version ? row : undefined;
  };
  return {
    rows,
    fail: (name, times) => void failing.set(name, times),
    read: (id) => call('read', () => (rows.has(id) ? { ...(rows.get(id) as Row) } : undefined)),
    list: (limit) => call('list', () => [...rows.values()].slice(0, limit)),
    put: (id, written) => call('put', () => insert(id, written)),
    putOfSession: (id, { sessionId, max, ...written }) =>
      call('putOfSession', () => {
        const own = [...rows.values()].filter((row) => row.sessionId === sessionId);
        const ending = own
          .filter(({ lifetimeMs }) => lifetimeMs !== undefined)
          .toSorted((a, b) => (a.lifetimeMs ?? 0) - (b.lifetimeMs ?? 0));
        for (const row of ending.slice(0, Math.max(0, own.length + 1 - max))) rows.delete(row.id);
        if ([...rows.values()].filter((row) => row.sessionId === sessionId).length >= max) return false;
        insert(id, written, sessionId);
        return true;
      }),
    claim: (id, { version, holderId, claimMs }) =>
      call('claim', () => {
        const row = held(id, version);
        if (row?.state !== 'held') return { kind: 'changed' } as const;
        if (row.claimUntilMs > clock()) return { kind: 'taken' } as const;
        const { attempts } = row;
        const isLeft = row.claimedBy !== undefined;
        Object.assign(row, { claimedBy: holderId, claimUntilMs: clock() + claimMs, attempts: attempts + 1 });
        return { kind: 'claimed', attempts, isLeft } as const;
      }),
    letGo: (id, { version, holderId, isSent }) =>
      call('letGo', () => {
        const row = held(id, version);
        if (row?.claimedBy !== holderId) return;
        Object.assign(row, {
          claimedBy: undefined,
          claimUntilMs: 0,
          attempts: row.attempts - (isSent ? 0 : 1),
        });
      }),
    commit: (id, { version, sealed }) =>
      call('commit', () => {
        const row = held(id, version);
        if (row !== undefined) write(row, sealed);
        return row !== undefined;
      }),
    refuse: (id, { version, word }) =>
      call('refuse', () => {
        const row = held(id, version);
        if (row?.state !== 'held') return false;
        write(row, row.sealed);
        Object.assign(row, { state: 'refused', word });
        return true;
      }),
    forget: (id) => call('forget', () => rows.delete(id)),
    forgetSession: (sessionId) =>
      call('forgetSession', () => {
        const own = [...rows.values()].filter((row) => row.sessionId === sessionId);
        for (const { id } of own) rows.delete(id);
        return own.length;
      }),
    ofSession: (sessionId, limit) =>
      call('ofSession', () =>
        [...rows.values()].filter((row) => row.sessionId === sessionId).slice(0, limit),
      ),
    sessionsOver: () => Promise.resolve([]),
    readKey: () => Promise.resolve(undefined),
    writeKey: () => Promise.resolve(false),
  };
}
