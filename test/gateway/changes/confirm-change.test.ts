import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confirmationText, confirmChange } from '../../../src/gateway/changes/confirm-change.ts';
import type { GatewayNote } from '../../../src/store/gateway-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { newPolicy, policyBounds } from '../../conformance/policies.ts';

const [one, other] = ['1'.repeat(16), '2'.repeat(16)];
const processOf = (gateway: string, number: number): string => gateway + String(number).padStart(16, '0');

async function scene() {
  const store = await openStore('sqlite::memory:');
  await store.policies.publish(newPolicy('one'), 0, policyBounds);
  const change = await store.changes.newest();
  const say = (incarnation: string, more: Partial<GatewayNote> = {}): Promise<void> =>
    store.gateways.note(
      {
        incarnation,
        peerAddress: undefined,
        state: 'serving',
        changeSeen: change,
        identityKeys: undefined,
        ...more,
      },
      60_000,
    );
  return { store, change, say };
}

test('a gateway has confirmed when all of its processes have', async () => {
  const { store, change, say } = await scene();
  await using _ = store;
  await say(processOf(one, 1));
  await say(processOf(one, 2), { changeSeen: change + 7 });
  await say(processOf(other, 1));
  await say(processOf(other, 2), { changeSeen: change - 1, peerAddress: '10.0.0.5:8444' });
  const said = await confirmChange(store, { deadlineMs: 0 });
  assert.deepEqual(said, {
    change,
    confirmed: [{ gateway: one }],
    missing: [{ gateway: other, address: '10.0.0.5:8444' }],
    tookMs: said.tookMs,
  });
  assert.equal(
    confirmationText({ ...said, tookMs: 2480 }),
    `confirmed by 1 of 2 gateways; within 2.5 s not by ${other} at 10.0.0.5:8444`,
  );
});

test('it waits for the last one, and for no one who left', async () => {
  const { store, change, say } = await scene();
  await using _ = store;
  await say(processOf(one, 1), { changeSeen: change - 1 });
  await say(processOf(other, 1), { changeSeen: change - 1, state: 'left' });
  const confirming = confirmChange(store, { deadlineMs: 60_000 });
  await say(processOf(one, 1), { state: 'draining' });
  const said = await confirming;
  assert.deepEqual([said.confirmed, said.missing], [[{ gateway: one }], []]);
  assert.equal(confirmationText({ ...said, tookMs: 410 }), 'confirmed by 1 of 1 gateway in 0.4 s');
});

test('it is over when whoever asked has gone', async () => {
  const { store, change, say } = await scene();
  await using _ = store;
  await say(processOf(one, 1), { changeSeen: change - 1 });
  const gone = new AbortController();
  const confirming = confirmChange(store, { deadlineMs: 3_600_000, signal: gone.signal });
  gone.abort();
  assert.deepEqual((await confirming).missing, [{ gateway: one }]);
});

test('where no gateway serves nobody is waited for', async () => {
  const { store } = await scene();
  await using _ = store;
  const said = await confirmChange(store, { deadlineMs: 3_600_000 });
  assert.equal(confirmationText(said), 'no gateway serves now; each takes it before it serves');
});
