import assert from 'node:assert/strict';
import test from 'node:test';

import { parseProblem, WebSocketRefusedError } from '../../src/net/websocket-refusal.ts';

test('a problem is read, and nothing that it does not need', () => {
  const body = Buffer.from('{"error":"token_reused","message":"Used before.","trace_id":"abc","extra":[1]}');
  assert.deepEqual(parseProblem(body), { error: 'token_reused', message: 'Used before.', trace_id: 'abc' });
});

for (const body of [
  '',
  'null',
  '[]',
  '"x"',
  '{',
  '{"error":"x"}',
  '{"error":1,"message":"x"}',
  '{"error":"x","message":{}}',
]) {
  test(`${JSON.stringify(body)} is no problem of ours`, () => {
    assert.equal(parseProblem(Buffer.from(body)), undefined);
  });
}

test('the text of the other side cannot steer a terminal and is not long', () => {
  const message = `a\u001b[2J\r\nb\u202ec${'x'.repeat(10_000)}`;
  const problem = parseProblem(Buffer.from(JSON.stringify({ error: 'e', message })));
  assert.match(problem?.message ?? '', /^a \[2J b cx+$/);
  assert.equal(problem?.message.length, 500);
});

test('the error names status, code and message', () => {
  const error = new WebSocketRefusedError(409, { error: 'token_reused', message: 'Used before.' });
  assert.equal(error.code, 'websocket_refused');
  assert.match(error.message, /409.*token_reused.*Used before\./);
  assert.match(new WebSocketRefusedError(502, undefined).message, /502/);
});
