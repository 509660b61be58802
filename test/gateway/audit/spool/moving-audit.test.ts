import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MovingAudit } from '../../../../src/gateway/audit/spool/moving-audit.ts';
import type { SpooledAudit } from '../../../../src/gateway/audit/spool/spooled-audit.ts';
import { auditEntry } from '../../../conformance/audit.ts';

function scene() {
  const [stored, spooled]: [string[], string[]] = [[], []];
  const state = { hasMoved: false, fails: false, opened: 0 };
  const audit = new MovingAudit({
    store: {
      append: async (entries) => {
        if (state.fails || state.hasMoved) throw new Error('refused');
        stored.push(...entries.map(({ id }) => id));
      },
      leftOpen: async () => [{ id: 'left' }] as never,
    },
    hasMoved: () => state.hasMoved,
    openSpool: async () => {
      state.opened += 1;
      const spool: Pick<SpooledAudit, 'append' | 'hasRoom' | 'state'> = {
        append: async (entries) => void spooled.push(...entries.map(({ id }) => id)),
        hasRoom: false,
        state: { waitingBytes: 7, waitingRecords: 1 },
      };
      return spool as SpooledAudit;
    },
  });
  return { audit, stored, spooled, state };
}

test('batches go to the store until it has moved, and from then on to one spool', async () => {
  const { audit, stored, spooled, state } = scene();
  await audit.append([auditEntry('a')]);
  assert.equal(audit.hasRoom, true);
  assert.equal((await audit.leftOpen(1)).length, 1);
  state.hasMoved = true;
  await audit.append([auditEntry('b')]);
  await audit.append([auditEntry('c')]);
  assert.deepEqual([stored, spooled, state.opened], [['a'], ['b', 'c'], 1]);
  assert.equal(audit.hasRoom, false);
  assert.equal(audit.state.waitingBytes, 7);
  assert.deepEqual(await audit.leftOpen(1), []);
});

test('a store that fails for another reason is no store that has moved', async () => {
  const { audit, state } = scene();
  state.fails = true;
  await assert.rejects(audit.append([auditEntry('a')]), /refused/);
  assert.equal(state.opened, 0);
});
