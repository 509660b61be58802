import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askAgainSeconds } from '../../../src/gateway/sessions/ask-again.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { type ErrorCode, errorTable } from '../../../src/protocol/error-table.ts';

test('who is refused for now is told when to come again, but where another gateway takes it at once', () => {
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    const isForNow = [429, 503].includes(errorTable[code].http) && code !== 'shutting_down';
    assert.equal(askAgainSeconds(new ProxyError(code, 'why')), isForNow ? 1 : undefined, code);
    assert.equal(askAgainSeconds(new ProxyError(code, 'why', { retryAfterSeconds: 7 })), 7);
  }
});
