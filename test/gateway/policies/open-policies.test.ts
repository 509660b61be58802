import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import { openPolicies, type Policies } from '../../../src/gateway/policies/open-policies.ts';
import { waitUntil } from '../../support/program.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

async function open(file: string, isReadOnce: boolean, stack: AsyncDisposableStack): Promise<Policies> {
  const policy = { mode: 'files', paths: [file], isReadOnce } as const;
  return await openPolicies(
    { ...embeddedConfig('/nowhere'), policy },
    {
      stack,
      log: () => undefined,
      // None is pinned, and nothing is kept: the policies alone are looked at.
      ruleTrust: { reload: async () => undefined } as unknown as Parameters<
        typeof openPolicies
      >[1]['ruleTrust'],
      store: {} as Parameters<typeof openPolicies>[1]['store'],
      clock: () => Date.now(),
      record: async () => undefined,
      onFault: (error) => assert.fail(error.message),
      isOnDuty: () => false,
    },
  );
}

const hosts = (text: string): string => `rules:\n  - name: one\n    hosts: ${text}\n`;

test('a policy that is read once stays what it was when its files change, while another follows them', async () => {
  await withTemporaryDirectory(async (directory) => {
    await using stack = new AsyncDisposableStack();
    const file = join(directory, 'policy.yaml');
    await writeFile(file, hosts('a.example.com'));
    const once = await open(file, true, stack);
    const following = await open(file, false, stack);
    const first = once.current().version;
    assert.equal(following.current().version, first);
    // The second change gives the one that must not look the time of the whole interval of the other.
    for (const host of ['bb.example.com', 'ccc.example.com']) {
      const before = following.current().version;
      await writeFile(file, hosts(host));
      await waitUntil('the change is followed', () => following.current().version !== before);
      assert.equal(once.current().version, first);
    }
    await once.reload();
    assert.equal(once.current().version, first);
  });
});
