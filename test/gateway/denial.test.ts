import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denialAnswer } from '../../src/gateway/denial.ts';

const denial = {
  code: 'policy_denied',
  message: 'no rule allows example.com',
  rule: 'default-deny',
  traceId: 't-1',
  method: 'GET',
  url: 'https://example.com/x',
} as const;

test('a denial names the request, the rule, the next step and the trace', () => {
  const { head, body } = denialAnswer(denial, '*/*');
  assert.equal(head.status, 403);
  assert.equal(head.headers.first('x-deny-reason'), 'policy_denied');
  for (const part of ['GET https://example.com/x', 'default-deny', 'next: ', 't-1'])
    assert.ok(body.includes(part), part);
});

test('a client that accepts JSON gets JSON with the same facts', () => {
  for (const accept of ['application/json', 'text/html, application/vnd.npm.install-v1+json; q=1.0']) {
    const { head, body } = denialAnswer(denial, accept);
    assert.equal(head.headers.first('content-type'), 'application/problem+json');
    const parsed = JSON.parse(body) as Record<string, unknown>;
    assert.equal(parsed['rule'], 'default-deny');
    assert.equal(parsed['trace_id'], 't-1');
    assert.equal(parsed['status'], 403);
  }
});

test('the declared length is the length of the body in bytes', () => {
  const { head, body } = denialAnswer({ ...denial, message: 'verboten für exämple' }, undefined);
  assert.equal(head.headers.first('content-length'), String(Buffer.byteLength(body)));
});
