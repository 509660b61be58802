import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endedWithout, lockedOut, lockedOutAway } from '../../../src/gateway/identity/locked-out.ts';
import type { GatewayPresence } from '../../../src/store/gateway-store.ts';

const [old, next] = ['0123456789abcdef', 'fedcba9876543210'];

function gateway(name: string, changes: Partial<GatewayPresence> = {}): GatewayPresence {
  return {
    incarnation: name.repeat(32),
    peerAddress: `${name}.test:8444`,
    state: 'serving',
    changeSeen: 1,
    identityKeys: [old],
    isCurrent: true,
    ...changes,
  };
}

test('a gateway that is away without a word and could not start again is named, but where another process has its address', () => {
  const current = [gateway('a', { identityKeys: [next] }), gateway('b', { identityKeys: [old, next] })];
  const lapsed = { isCurrent: false } as const;
  assert.equal(lockedOut(current, [next]), undefined);
  const why = (away: readonly GatewayPresence[]): string | undefined =>
    lockedOutAway({ current, away }, [next])?.message;
  assert.match(
    why([
      gateway('c', lapsed),
      gateway('d', { ...lapsed, peerAddress: undefined, identityKeys: undefined }),
    ]) ?? '',
    /^2 gateways on this store, not heard of .* c{8}\S* at c\.test:8444 has key 0123456789abcdef, d{8}\S* does not say which it has\. .*--even-if-away/,
  );
  for (const away of [
    [],
    [gateway('c', { ...lapsed, identityKeys: [next] })],
    [gateway('c', { ...lapsed, peerAddress: 'a.test:8444' })],
    [gateway('c', { ...lapsed, state: 'left' })],
    [gateway('a', { ...lapsed, incarnation: `${'a'.repeat(16)}${'9'.repeat(16)}`, peerAddress: 'z.test:1' })],
  ])
    assert.equal(why(away), undefined);
  assert.equal(
    endedWithout(
      [
        gateway('c', lapsed),
        gateway('d', { state: 'left' }),
        gateway('e', { state: 'left', identityKeys: [next] }),
      ],
      [next],
    ),
    1,
  );
});
