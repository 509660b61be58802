import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { type RecordOptions, type Records, withRecords } from '../../../src/cli/operator/audit-records.ts';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';
import { exchange } from '../policy-events.ts';

const nowMs = Date.parse('2030-01-08T00:00:00Z');
const at = (time: string, path: string) => exchange({ time: `2030-01-${time}:00.000Z`, path });
const enrolled = {
  ...exchange({ time: '2030-01-01T00:00:00.000Z' }),
  kind: 'session',
  action: 'enrolled',
  sessionId: 's',
  details: { claims: { team: 'red' }, posture: { jailed: true } },
} as const;
const events = [enrolled, at('05T23:59', '/old'), at('06T00:00', '/edge'), at('07T00:00', '/new')];

async function readRecords(
  place: RecordOptions,
  now: number,
): Promise<{ events: readonly AuditEvent[]; sessions: Records['sessions'] }> {
  return await withRecords(place, now, async ({ events: stream, sessions }) => ({
    events: await Array.fromAsync(stream),
    sessions,
  }));
}

test('what is older is left out, of a file and of a store, and what its session is stays known', async () => {
  await withTemporaryDirectory(async (directory) => {
    const audit = join(directory, 'audit.jsonl');
    await writeFile(audit, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    const config = join(directory, 'gateway.yaml');
    await writeFile(config, 'stateDirectory: state\n');
    {
      await using store = await openStore(`sqlite:${join(directory, 'state', 'state.db')}`);
      await store.audit.append(
        events.map((event) => {
          const { id, verdict, kind, time } = event;
          return { id, verdict, kind, timeMs: Date.parse(time), json: JSON.stringify(event) };
        }),
      );
    }
    for (const place of [{ audit }, { config }]) {
      const all = await readRecords(place, nowMs);
      assert.equal(all.events.length, 4);
      const recent = await readRecords({ ...place, since: 2 * 86_400_000 }, nowMs);
      assert.deepEqual(
        recent.events.map(({ path }) => path),
        ['/edge', '/new'],
      );
      assert.deepEqual(recent.sessions.get('s'), { claims: { team: 'red' }, posture: ['jailed'] });
    }
  });
});
