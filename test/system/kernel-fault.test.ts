import assert from 'node:assert/strict';
import { constants } from 'node:os';
import { test } from 'node:test';

import { isRefusal, KernelFault, requireDone } from '../../src/system/kernel-fault.ts';

const { errno } = constants;

test('a result below 0 is an error with the operation and the errno', () => {
  assert.equal(requireDone('open', 3), 3);
  assert.throws(() => requireDone('unshare', -errno.EPERM), { message: 'unshare: EPERM', code: 'EPERM' });
  assert.throws(() => requireDone('unshare', -4095), { code: 'errno 4095' });
});

test('only what the kernel has not or does not let this user is a refusal', () => {
  const refused = ['EPERM', 'EACCES', 'ENOSYS', 'EINVAL', 'EOPNOTSUPP', 'ENODEV', 'EROFS'] as const;
  for (const name of refused) assert.ok(isRefusal(new KernelFault('x', errno[name])), name);
});

test('what passes, or what another process can bring about, is none', () => {
  const states = ['EAGAIN', 'ENOMEM', 'ENOSPC', 'EMFILE', 'ENFILE', 'EINTR', 'EBUSY', 'ETIMEDOUT'] as const;
  for (const name of states) assert.ok(!isRefusal(new KernelFault('x', errno[name])), name);
  assert.ok(!isRefusal(new KernelFault('x', 4095)));
  assert.ok(!isRefusal(Object.assign(new Error('spawn'), { code: 'EAGAIN' })));
  assert.ok(!isRefusal('text'));
});

test('an error of our own says what was looked at', () => {
  assert.ok(isRefusal(new Error('there is no folder to mount over')));
});
