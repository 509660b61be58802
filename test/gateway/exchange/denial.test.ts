import assert from 'node:assert/strict';
import { test } from 'node:test';
import { denialResponse } from '../../../src/gateway/exchange/denial.ts';

const denial = {
  code: 'policy_denied',
  message: 'no rule allows example.com',
  rule: 'default-deny',
  traceId: 't-1',
  method: 'GET',
  url: 'https://example.com/x',
} as const;

test('a denial names the request, the rule, the next step and the trace', () => {
  const { head, body } = denialResponse(denial, '*/*');
  assert.equal(head.status, 403);
  assert.equal(head.headers.first('x-deny-reason'), 'policy_denied');
  for (const part of ['GET https://example.com/x', 'default-deny', 'next: ', 't-1'])
    assert.ok(body.includes(part), part);
});

test('a client that accepts JSON gets JSON with the same facts', () => {
  for (const accept of ['application/json', 'text/html, application/vnd.npm.install-v1+json; q=1.0']) {
    const { head, body } = denialResponse(denial, accept);
    assert.equal(head.headers.first('content-type'), 'application/problem+json');
    const parsed = JSON.parse(body) as Record<string, unknown>;
    assert.equal(parsed['rule'], 'default-deny');
    assert.equal(parsed['trace_id'], 't-1');
    assert.equal(parsed['status'], 403);
  }
});

test('the declared length is the length of the body in bytes', () => {
  const { head, body } = denialResponse({ ...denial, message: 'verboten für exämple' }, undefined);
  assert.equal(head.headers.first('content-length'), String(Buffer.byteLength(body)));
});

const accessUrl = 'http://upstreamproxy.invalid/access';

test('a denial that a grant could change has the request to copy, without the query', () => {
  const asked = { ...denial, url: 'https://example.com/x?key=1', accessUrl };
  const ask = { url: 'https://example.com/x', method: 'GET', reason: 'why the task needs it', trace: 't-1' };
  const { body } = denialResponse(asked, 'application/json');
  const parsed = JSON.parse(body) as Record<string, unknown>;
  assert.deepEqual(parsed['request_access'], { method: 'POST', url: accessUrl, body: ask });
  assert.match(String(parsed['next']), /stays refused until an operator grants it/);
  const text = denialResponse(asked, undefined).body;
  assert.ok(text.includes(`ask: POST ${accessUrl} ${JSON.stringify(ask)}\n`), text);
  assert.equal(denialResponse(denial, undefined).body.includes('ask:'), false);
});

test('for a repository of git the request is for all of it', () => {
  for (const service of ['git-upload-pack', 'git-receive-pack']) {
    const url = `https://example.com/a/b.git/info/refs?service=${service}`;
    const { body } = denialResponse({ ...denial, url, accessUrl }, 'application/json');
    const { request_access } = JSON.parse(body) as { request_access: { body: Record<string, unknown> } };
    assert.equal(request_access.body['url'], 'https://example.com/a/b.git');
    assert.equal('method' in request_access.body, false);
  }
});

test('the destination, and the reason where npm looks for it, stand in the JSON', () => {
  const destination = { scheme: 'https', host: 'example.com', port: 443 } as const;
  const { body } = denialResponse({ ...denial, destination }, 'application/json');
  const parsed = JSON.parse(body) as Record<string, unknown>;
  assert.deepEqual(parsed['destination'], destination);
  assert.equal(parsed['error'], 'upstreamproxy: no rule allows example.com (trace t-1)');
});
