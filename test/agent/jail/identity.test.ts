import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseIdentity } from '../../../src/agent/jail/identity.ts';

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
