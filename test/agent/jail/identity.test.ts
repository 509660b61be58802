import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parseIdentity, rehearseIdentity } from '../../../src/agent/jail/identity.ts';
import { openSystemCalls } from '../../../src/system/ffi.ts';
import { systemCallNumbers } from '../../../src/system/system-call-numbers.ts';

const database = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nwork:x:1001:1002:,,,:/home/work:/bin/bash\n',
  group: 'root:x:0:\nwork:x:1002:\nvideo:x:44:other,work\n',
};

test('a name gives the numbers, the groups and the environment of its entry', () => {
  assert.deepEqual(parseIdentity('work', database), {
    uid: 1001,
    gid: 1002,
    groups: [1002, 44],
    environment: { USER: 'work', LOGNAME: 'work', HOME: '/home/work' },
  });
});

test('a number needs no entry', () => {
  assert.deepEqual(parseIdentity('65000', database), {
    uid: 65000,
    gid: 65000,
    groups: [65000],
    environment: {},
  });
});

test('a group can be given beside the user', () => {
  const { uid, gid } = parseIdentity('1001:video', database);
  assert.deepEqual([uid, gid], [1001, 44]);
});

for (const text of ['nobody-here', '', ':video', 'work:', 'work:no', 'a:b:c', '4294967295', '-1']) {
  test(`"${text}" is refused`, () => {
    assert.throws(() => parseIdentity(text, database), { code: 'usage' });
  });
}

test(
  'a rehearsal says who the kernel takes the process for, and leaves it as it was',
  { skip: process.geteuid?.() !== 0 && 'needs root' },
  () => {
    using calls = openSystemCalls();
    const kernel = { calls, numbers: systemCallNumbers() };
    const before = readFileSync('/proc/thread-self/status', 'latin1');
    const identity = { uid: 65_534, gid: 65_533, groups: [65_533, 7], environment: {} };
    const { uids, gids, groups } = rehearseIdentity(kernel, identity);
    assert.deepEqual([uids, gids, groups.toSorted((a, b) => a - b)], [[65_534], [65_533], [7, 65_533]]);
    const after = readFileSync('/proc/thread-self/status', 'latin1');
    const kept = (text: string): readonly string[] => text.match(/^(Uid|Gid|Groups|Cap\w+):.*$/gm) ?? [];
    assert.equal(kept(before).length, 8);
    assert.deepEqual(kept(after), kept(before));
  },
);
