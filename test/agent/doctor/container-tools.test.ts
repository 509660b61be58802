import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerFix, type ContainerScene } from '../../../src/agent/doctor/container-tools.ts';

const jail = {
  isRoot: false,
  restrictedRoot: false,
  noNewPrivileges: true,
  seccomp: true,
  ownUserNamespace: true,
};
const root = { ...jail, isRoot: true, restrictedRoot: true, ownUserNamespace: false };
const options = (scene: ContainerScene): readonly (string | undefined)[] =>
  (['podman', 'buildah'] as const).map(
    (tool) => /run (--.*?) -- COMMAND$/.exec(containerFix(tool, scene) ?? '')?.[1],
  );
const wall = '--jail-layers=no-new-privs,landlock';

test('what helps depends on tool and user', () => {
  assert.deepEqual(options({ jail: root, hasUserRanges: false }), [
    wall,
    '--jail-layers=ipc,processes,network,no-new-privs,landlock,capabilities',
  ]);
  assert.deepEqual(options({ jail, hasUserRanges: false }), [wall, wall]);
  assert.deepEqual(options({ jail, hasUserRanges: true }), ['--isolate=off', wall]);
});

test('where nothing stands in the way, nothing is said', () => {
  const open = { ...jail, noNewPrivileges: false, seccomp: false, ownUserNamespace: false };
  for (const hasUserRanges of [true, false])
    assert.deepEqual(options({ jail: open, hasUserRanges }), [undefined, undefined]);
  const outside = { ...root, restrictedRoot: false };
  assert.deepEqual(options({ jail: outside, hasUserRanges: false }), [undefined, undefined]);
  // As the layers that are named leave it.
  const walled = { ...open, noNewPrivileges: true };
  assert.deepEqual(options({ jail: walled, hasUserRanges: false }), [undefined, undefined]);
  assert.deepEqual(options({ jail: walled, hasUserRanges: true }), ['--isolate=off', undefined]);
  assert.deepEqual(options({ jail: { ...root, seccomp: false }, hasUserRanges: false }), [wall, undefined]);
});
