import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LockState } from '../../../src/agent/placements/file-lock.ts';
import { hasEnded, type Owner, ownOwner } from '../../../src/agent/placements/owner.ts';
import { withTemporaryDirectory } from '../../support/temporary-directory.ts';

const self: Owner = { ...ownOwner(), locks: true };
const otherContainer = { ...self, pidNamespace: 'pid:[1]', started: '1' };

const cases: readonly (readonly [string, Owner, LockState, boolean])[] = [
  ['runs, and has its lock', self, 'busy', false],
  ['runs, where there are no locks', { ...self, locks: false }, 'impossible', false],
  ['has ended, and its lock is free', { ...self, started: '1' }, 'held', true],
  ['has ended, where there are no locks', { ...self, started: '1', locks: false }, 'impossible', true],
  ['runs in another container', otherContainer, 'busy', false],
  ['has ended in another container', otherContainer, 'held', true],
  ['may run in another container, without locks', { ...otherContainer, locks: false }, 'held', false],
  ['may run in another container, and locks cannot be had here', otherContainer, 'impossible', false],
  ['nothing is known of', { ...self, boot: '', started: '', locks: false }, 'impossible', false],
  ['nothing is known of but that its lock is free', { ...self, boot: '', started: '' }, 'held', true],
];

for (const [name, owner, lock, ended] of cases) {
  test(`a session that ${name} counts as ${ended ? 'ended' : 'running'}`, async () => {
    await withTemporaryDirectory(async (folder) => {
      assert.equal(await hasEnded(owner, lock, folder), ended);
    });
  });
}

test('what ran before this machine was started has ended, unless another machine can share the folder', async () => {
  const before = { ...self, boot: 'of another kernel' };
  await withTemporaryDirectory(async (folder) => {
    assert.equal(await hasEnded(before, 'held', folder), true);
    assert.equal(await hasEnded(before, 'busy', folder), false);
  });
  // A file system that this kernel makes up stands for one of a network: neither is on the list.
  assert.equal(await hasEnded(before, 'held', '/proc'), false);
});
