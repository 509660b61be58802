// A rule that asks OPA, before a server with its REST API.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openOpa, type OpaOptions } from '../support/opa-server.ts';
import { openScene } from './decider-scene.ts';

interface Input {
  readonly request: { readonly method: string; readonly path: string };
  readonly body: { readonly json?: { readonly amount?: number }; readonly seen: boolean };
}

const documents: OpaOptions['documents'] = {
  'gateway/reads': ({ request }: Input) => (request.method === 'GET' ? true : undefined),
  'gateway/no': () => false,
  'gateway/small': ({ body }: Input) => (body.json?.amount ?? Infinity) < 100,
  'gateway/text': () => 'true',
  'gateway/one': () => 1,
  'gateway/object': () => ({ allow: true }),
  'gateway/null': () => null,
  'gateway/throws': () => {
    throw new Error('evaluation');
  },
};

test('only a plain true allows, and the audit has who was asked, how long, and what it said', async () => {
  await using opa = await openOpa({ documents, logsDecisions: true });
  const table = [
    ['gateway/reads', 200, 'allowed', undefined],
    ['gateway/no', 403, 'denied', undefined],
    ['gateway/text', 403, 'denied', 'the result is not true or false'],
    ['gateway/one', 403, 'denied', 'the result is not true or false'],
    ['gateway/object', 403, 'denied', 'the result is not true or false'],
    ['gateway/null', 403, 'undefined', undefined],
    ['gateway/none', 403, 'undefined', undefined],
    ['gateway/throws', 503, 'unavailable', 'it responds with status 500'],
  ] as const;
  for (const [document, status, outcome, said] of table) {
    await using scene = await openScene({
      settings: { opa: { kind: 'opa', url: opa.url(document), ca: [] } },
      decide: '{ by: opa, timeoutMs: 60000 }',
    });
    const response = await scene.send();
    assert.equal(response.status, status, document);
    if (status !== 200) assert.match(response.body, /the decider opa/);
    assert.doesNotMatch(response.body, /127\.0\.0\.1|v1\/data|status 500/);
    assert.equal(scene.got.length, status === 200 ? 1 : 0);
    const [event] = await scene.path.events(1);
    const [fact, ...others] = event?.deciders ?? [];
    assert.deepEqual(others, []);
    assert.equal(fact?.name, 'opa');
    assert.equal(fact?.outcome, outcome, document);
    assert.equal(fact?.said, said);
    assert.ok(Number.isInteger(fact?.durationMs));
    assert.equal(event?.rule, 'api');
    assert.equal(event?.verdict, status === 200 ? 'allow' : 'deny');
    if (outcome === 'allowed') assert.equal(fact?.decisionId, 'decision-1');
  }
  assert.deepEqual(opa.asked[0]?.input.request.path, '/a');
});

test('it gets the request as the workload sent it, with all of its body', async () => {
  await using opa = await openOpa({ documents, token: 'shown' });
  await using scene = await openScene({
    settings: { opa: { kind: 'opa', url: opa.url('gateway/small'), ca: [], source: { env: 'OPA_TOKEN' } } },
    environment: { OPA_TOKEN: 'shown' },
    decide: '{ by: opa, timeoutMs: 60000 }',
  });
  const headers = { 'content-type': 'application/json', 'x-team': 'blue' };
  const body = '{"amount":99,"note":"caf\u00e9"}';
  assert.equal((await scene.send({ method: 'POST', headers, body })).status, 200);
  assert.equal((await scene.send({ method: 'POST', headers, body: '{"amount":100}' })).status, 403);
  // Where two parsers could differ it is a text.
  assert.equal(
    (await scene.send({ method: 'POST', headers, body: '{"amount":500,"amount":1}' })).status,
    403,
  );
  assert.deepEqual(
    scene.got.map((one) => one.body),
    [body],
  );
  const [first, , third] = opa.asked;
  const { session, request, ...input } = first!.input;
  assert.deepEqual(session, {
    id: 'session-alice',
    principal: 'issuer|alice',
    claims: { sub: 'alice' },
    posture: [],
  });
  assert.deepEqual(
    { ...request, headers: undefined },
    {
      method: 'POST',
      scheme: 'https',
      host: 'api.test',
      port: scene.port,
      path: '/a',
      query: '?b=c',
      headers: undefined,
    },
  );
  assert.deepEqual(request.headers['x-team'], ['blue']);
  assert.equal(input.rule, 'api');
  assert.deepEqual(input.body, { seen: true, octets: Buffer.byteLength(body), json: JSON.parse(body) });
  assert.equal(third?.input.body.text, '{"amount":500,"amount":1}');
  assert.equal(opa.connections, 1);
});
