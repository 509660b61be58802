// What each kind of client is sent when a package is refused: in the one place where it looks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packageResponder } from '../../../src/gateway/exchange/package-denial.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { packageRegistries } from '../../../src/understand/packages/package-request.ts';

const error = new ProxyError('policy_denied', 'No rule allows it.');
const denial = {
  code: 'policy_denied',
  message: 'No rule allows it.',
  traceId: 'abc',
  rule: 'default-deny',
} as const;
const keptUntilMs = Date.parse('2030-01-04T12:30:00Z');

for (const registry of packageRegistries)
  test(registry, () => {
    const fetched = { registry, root: undefined, name: 'some/name', version: '1.0.0', keptUntilMs };
    const { head, body } = packageResponder(error, fetched)?.(denial) ?? assert.fail();
    const short = 'upstreamproxy: some/name@1.0.0 is too young until 2030-01-04T12:30Z (trace abc)';
    assert.equal(head.status, 403);
    assert.equal(head.reasonPhrase, short);
    for (const name of ['x-error-message', 'npm-notice']) assert.deepEqual(head.headers.all(name), [short]);
    assert.deepEqual(head.headers.all('cache-control'), ['no-store']);
    assert.deepEqual(head.headers.all('content-length'), [String(body.length)]);
    const text = Buffer.from(body).toString();
    const types = head.headers.all('content-type');
    if (registry === 'oci') {
      const { errors } = JSON.parse(text) as {
        readonly errors: readonly { code: string; message: string }[];
      };
      assert.equal(errors[0]?.code, 'DENIED');
      assert.match(errors[0]?.message ?? '', /No rule allows it/);
    } else if (registry === 'npm' || registry === 'maven') {
      assert.deepEqual(types, ['application/problem+json']);
      assert.match((JSON.parse(text) as { readonly error: string }).error, /No rule allows it/);
    } else {
      assert.deepEqual(types, ['text/plain; charset=utf-8']);
      assert.match(text, /^upstreamproxy: No rule allows it/);
    }
  });

test('what is no denial of a package has the usual form', () => {
  const fetched = { registry: 'npm', root: undefined, name: 'a' } as const;
  assert.equal(packageResponder(error, undefined), undefined);
  assert.equal(packageResponder(new ProxyError('timeout', 'x'), fetched), undefined);
});

test('the phrase is bounded, and names the rule that denies', () => {
  const fetched = { registry: 'npm', root: undefined, name: 'x'.repeat(214) } as const;
  const { head } = packageResponder(error, fetched)?.({ ...denial, rule: 'no-x' }) ?? assert.fail();
  assert.match(head.reasonPhrase ?? '', /^upstreamproxy: x{120} is not allowed \(rule no-x, trace abc\)$/);
});
