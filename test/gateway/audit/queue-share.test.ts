import assert from 'node:assert/strict';
import { test } from 'node:test';

import { QueueShare } from '../../../src/gateway/audit/queue-share.ts';
import type { AuditEntry } from '../../../src/store/store.ts';

const entry = (sessionId: string): AuditEntry => ({
  id: 'e',
  sessionId,
  verdict: 'deny',
  kind: 'exchange',
  timeMs: 0,
  json: '{}',
});

test('a flood leaves as much room as it takes, and with more of them there is still some', () => {
  for (const floods of [1, 2, 7]) {
    const share = new QueueShare();
    const room = 1000;
    let used = 0;
    for (let isRefused = 0; isRefused < floods;) {
      isRefused = 0;
      for (let i = 0; i < floods; i += 1) {
        if (share.over(`flood-${i}`, room - used) === undefined) {
          share.add(entry(`flood-${i}`));
          used += 1;
        } else isRefused += 1;
      }
    }
    assert.ok(room - used >= Math.floor(room / (floods + 1)), `${room - used} left by ${floods}`);
    assert.equal(share.over('neighbour', room - used), undefined);
    assert.equal(share.over('flood-0', room - used)?.limit, 'auditQueueEventsMax');
  }
});

test('what is stored waits no more', () => {
  const share = new QueueShare();
  share.add(entry('a'));
  assert.notEqual(share.over('a', 1), undefined);
  share.remove(entry('a'));
  assert.equal(share.over('a', 1), undefined);
});
