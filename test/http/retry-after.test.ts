import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import { retryAfterSecondsOf } from '../../src/http/retry-after.ts';

test('seconds of a refusal for now are read, and nothing else is', () => {
  for (const [status, values, expected] of [
    [503, ['5'], 5],
    [429, ['0'], 0],
    [429, ['999999999'], 999_999_999],
    [429, ['1000000000'], undefined],
    [503, [], undefined],
    [503, ['-1'], undefined],
    [503, ['1.5'], undefined],
    [503, ['Fri, 31 Dec 1999 23:59:59 GMT'], undefined],
    // Two readers would take one each.
    [503, ['1', '9'], undefined],
    [500, ['5'], undefined],
    [401, ['5'], undefined],
  ] as const) {
    const headers = new HeaderList(values.map((value) => ['Retry-After', value] as const));
    assert.equal(retryAfterSecondsOf(status, headers), expected, `${status} ${values.join(' | ')}`);
  }
});
