import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { descriptorShare } from '../../../src/gateway/admission/descriptor-share.ts';

test('a quarter of the soft limit is for strangers', () => {
  const text =
    'Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 524288               files\n';
  assert.equal(descriptorShare(text), 256);
  assert.ok(descriptorShare(readFileSync('/proc/self/limits', 'utf8')) > 0);
});

test('no limit is no bound', () => {
  assert.equal(
    descriptorShare('Max open files            unlimited            unlimited            files\n'),
    Number.MAX_SAFE_INTEGER,
  );
  assert.equal(descriptorShare(''), Number.MAX_SAFE_INTEGER);
});
