// A list is asked for page by page, as far as was asked, and says whether there is more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdminClient, type Fetch } from '../../../src/console/api/admin-client.ts';
import { askPages } from '../../../src/console/parts/asked-pages.ts';

test('every page is asked for behind the one before, up to the bound, and what is left is told', async () => {
  const asked: string[] = [];
  const fetch: Fetch = (input) => {
    asked.push(String(input));
    const at = asked.length;
    return Promise.resolve(
      Response.json({ items: [{ id: `a${at}` }], ...(at % 3 === 0 ? {} : { next: `n${at}` }) }),
    );
  };
  const client = new AdminClient({
    entrance: { by: 'token', token: 'x' },
    fetch,
    onUnknown: () => undefined,
  });
  const question = { operation: 'accessRequests', path: '/v1/access', query: { state: 'pending' } } as const;
  const all = await askPages(client, { ...question, pagesMax: 10 });
  assert.deepEqual([all.items.map(({ id }) => id), all.hasMore], [['a1', 'a2', 'a3'], false]);
  assert.deepEqual(asked, [
    '/v1/access?state=pending',
    '/v1/access?state=pending&before=n1',
    '/v1/access?state=pending&before=n2',
  ]);
  const some = await askPages(client, { ...question, pagesMax: 2 });
  assert.deepEqual([some.items.length, some.hasMore], [2, true]);
});
