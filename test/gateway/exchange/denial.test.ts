import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorCode, errorTable } from '../../../src/protocol/error-table.ts';
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

test('the reason phrase says who refuses and why, with nothing that the workload chose', () => {
  const { head } = denialResponse(denial, undefined);
  assert.equal(head.reasonPhrase, 'Refused by upstreamproxy: policy_denied (rule default-deny, trace t-1)');
  for (const code of Object.keys(errorTable) as ErrorCode[]) {
    const { message: _, rule: __, ...other } = { ...denial, code };
    const { head: bare } = denialResponse(
      { ...other, message: 'a\r\nb: c', url: 'https://x/\r\n' },
      undefined,
    );
    assert.match(bare.reasonPhrase ?? '', /^(?:Refused|Failed) by upstreamproxy: [a-z_0-9]+ \(trace t-1\)$/);
  }
});

test('npm gets the form whose reason it prints, whatever it asks for', () => {
  const npm = 'npm/11.6.0 node/v26.0.0 linux x64 workspaces/false';
  const { body } = denialResponse(denial, '*/*', npm);
  assert.match((JSON.parse(body) as { error: string }).error, /^upstreamproxy: no rule allows/);
  assert.match(denialResponse(denial, '*/*', 'npmx/1').body, /^upstreamproxy: /);
});

test('what to do next is that of the fault where it has one of its own, and access can be asked for first', () => {
  const given = { ...denial, code: 'origin_untrusted', next: 'The owner has to renew it.' } as const;
  assert.match(denialResponse(given, undefined).body, /^next: The owner has to renew it\.$/m);
  assert.match(denialResponse({ ...given, next: undefined }, undefined).body, /^next: .*`upstream\.ca`/m);
  assert.match(denialResponse({ ...given, accessUrl }, undefined).body, /^next: Leave a request for access/m);
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

test('a denial has the words of the organisation, in text and in JSON', () => {
  const help = { text: 'Ask #platform.', link: 'https://wiki.example.com/proxy' };
  assert.match(
    denialResponse({ ...denial, help }, undefined).body,
    /^help: Ask #platform\. https:\/\/wiki\.example\.com\/proxy$/m,
  );
  const parsed = JSON.parse(denialResponse({ ...denial, help }, 'application/json').body) as object;
  assert.deepEqual('help' in parsed ? parsed.help : undefined, help);
  assert.ok(!denialResponse(denial, undefined).body.includes('help:'));
});
