import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AdminConnection } from '../../../src/admin/admin-connection.ts';
import { wholeBodies } from '../../../src/cli/operator/server-bodies.ts';

/** Gives pages by what they are asked from. */
function connectionTo(pages: Readonly<Record<string, { cast: string; next?: number }>>): AdminConnection {
  const ask = (_operation: string, { query }: { query?: { from: string } }): Promise<unknown> => {
    const page = pages[query?.from ?? 'start'];
    return Promise.resolve(page === undefined ? {} : { recording: { ...page, bytes: 9, whole: true } });
  };
  // It is asked for nothing else.
  return { ask } as unknown as AdminConnection;
}

test('a recording that comes in parts is one', async () => {
  const connection = connectionTo({
    start: { cast: 'a\n', next: 1 },
    '1': { cast: 'b\n', next: 2 },
    '2': { cast: 'c\n' },
  });
  assert.deepEqual((await wholeBodies(connection, 'id')).recording, {
    cast: 'a\nb\nc\n',
    bytes: 9,
    whole: true,
  });
  assert.deepEqual(await wholeBodies(connectionTo({}), 'id'), {});
});

test('parts that lead nowhere end', async () => {
  for (const next of [0, 1])
    await assert.rejects(
      wholeBodies(connectionTo({ start: { cast: 'a', next: 1 }, '1': { cast: 'b', next } }), 'id'),
      { code: 'admin_unreachable' },
    );
  await assert.rejects(wholeBodies(connectionTo({ start: { cast: 'a', next: 1 } }), 'id'), {
    code: 'admin_unreachable',
  });
});
