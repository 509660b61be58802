// A rule that asks by Envoy's external authorization, before a server of gRPC that reads and writes by the published files.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeciderQuestion } from '../../src/gateway/deciders/decider.ts';
import { checkRequest, checkVerdict } from '../../src/gateway/deciders/check-message.ts';
import { HeaderList } from '../../src/http/header-list.ts';
import { openExtAuthz, readCheckRequest, writeCheckResponse } from '../support/ext-authz-server.ts';
import { authority, authorityFile, deciderHost, openScene } from './decider-scene.ts';

const ok = { status: { code: 0 } };
const option = (key: string, value: string): object => ({ header: { key, value } });

test('an OK allows, and everything else does not', async () => {
  const table = [
    [writeCheckResponse(ok), 200, 'allowed', undefined],
    [writeCheckResponse({ ...ok, okResponse: {} }), 200, 'allowed', undefined],
    [writeCheckResponse({ ...ok, dynamicMetadata: { fields: {} } }), 200, 'allowed', undefined],
    [writeCheckResponse({ status: { code: 7, message: 'no: row 17' } }), 403, 'denied', 'no: row 17'],
    [writeCheckResponse({ ...ok, deniedResponse: { body: 'secret' } }), 403, 'denied', undefined],
    [writeCheckResponse({ deniedResponse: {} }), 403, 'denied', undefined],
    // Envoy would let this through.
    [new Uint8Array(), 403, 'undefined', undefined],
    [writeCheckResponse({ okResponse: {} }), 403, 'undefined', undefined],
    [Uint8Array.of(0xff), 503, 'unavailable', 'its response is no CheckResponse'],
    [
      Buffer.concat([writeCheckResponse({ status: { code: 7 } }), writeCheckResponse(ok)]),
      503,
      'unavailable',
      'its response says one thing twice',
    ],
    [
      writeCheckResponse({ ...ok, okResponse: { queryParametersToSet: [{ key: 'a', value: 'b' }] } }),
      503,
      'unavailable',
      'it asks for a change other than of request fields (OkHttpResponse, field 7)',
    ],
  ] as const;
  let next: Uint8Array = new Uint8Array();
  await using server = await openExtAuthz({ check: () => next });
  await using scene = await openScene({
    settings: { authz: { kind: 'ext-authz', url: server.url, ca: [] } },
    decide: '{ by: authz, timeoutMs: 60000 }',
  });
  for (const [i, [octets, status, outcome, said]] of table.entries()) {
    next = octets;
    const response = await scene.send();
    assert.equal(response.status, status, `row ${String(i)}`);
    assert.doesNotMatch(response.body, /row 17|secret/);
    const event = (await scene.path.events(i + 1)).at(-1);
    assert.equal(event?.deciders?.[0]?.outcome, outcome);
    assert.equal(event?.deciders?.[0]?.said, said);
  }
});

test('it is told over TLS what the workload asks for, with a token, and sets and takes out what the rule permits', async () => {
  using file = authorityFile();
  let response: object = {
    ...ok,
    okResponse: { headers: [option('X-Team', 'blue')], headersToRemove: ['X-Debug'] },
  };
  await using server = await openExtAuthz({
    check: () => writeCheckResponse(response as Readonly<Record<string, unknown>>),
    tls: { authority, host: deciderHost },
  });
  await using scene = await openScene({
    settings: { authz: { kind: 'ext-authz', url: server.url, ca: [file.ca], source: { env: 'TOKEN' } } },
    environment: { TOKEN: 'shown' },
    decide: '{ by: authz, timeoutMs: 60000, mayAdd: x-team, mayRemove: x-debug }',
  });
  const headers = { 'x-team': 'red', X_Team: 'redder', 'x-debug': '1', 'content-type': 'text/plain' };
  const sent = await scene.send({ method: 'PUT', headers, body: Buffer.of(0xff, 0) });
  assert.equal(sent.status, 200);
  const [{ request, metadata } = { request: undefined, metadata: undefined }] = server.asked;
  assert.deepEqual(metadata?.get('authorization'), ['Bearer shown']);
  const { source, request: asked, contextExtensions } = request.attributes;
  assert.equal(source.principal, 'issuer|alice');
  const { headers: fields, ...http } = asked.http;
  assert.deepEqual(
    { ...http, rawBody: [...http.rawBody] },
    {
      method: 'PUT',
      path: '/a?b=c',
      host: `api.test:${String(scene.port)}`,
      scheme: 'https',
      protocol: 'HTTP/1.1',
      size: '2',
      rawBody: [0xff, 0],
    },
  );
  // What it may set is not what the workload sent.
  assert.equal(fields['x-team'], undefined);
  assert.equal(fields['x_team'], undefined);
  assert.equal(fields['x-debug'], '1');
  assert.equal(fields[':path'], '/a?b=c');
  assert.equal(contextExtensions.rule, 'api');
  assert.deepEqual(JSON.parse(contextExtensions.claims), { sub: 'alice' });
  const [got] = scene.got;
  assert.equal(got?.headers['x-team'], 'blue');
  assert.equal(got?.headers['x_team'], undefined);
  assert.equal(got?.headers['x-debug'], undefined);
  const [event] = await scene.path.events(1);
  assert.deepEqual(event?.deciders?.[0]?.set, ['x-team']);
  assert.deepEqual(event?.deciders?.[0]?.removed, ['x-debug']);
  const refused = [
    { headers: [option('x-other', 'a')] },
    { headers: [option('x-team', 'a'), option('x-team', 'b')] },
    { headers: [option('x-team', 'a\r\nhost: b')] },
    { headers: [option('', '')] },
    { headersToRemove: ['host'] },
    { headersToRemove: ['x-team'] },
  ];
  for (const okResponse of refused) {
    response = { ...ok, okResponse };
    assert.equal((await scene.send()).status, 403, JSON.stringify(okResponse));
  }
  assert.equal(scene.got.length, 1);
});

test('what is written is what the published files read, for all kinds of requests', () => {
  const question = (body: DeciderQuestion['body']): DeciderQuestion => ({
    rule: 'r',
    policyVersion: 'v',
    principal: { id: 'p', sessionId: 's', claims: { a: ['\ud800'] }, posture: ['jailed'] },
    request: {
      method: 'GET',
      destination: { scheme: 'https', host: '::1', port: 8443 },
      path: '/a',
      query: '',
      headers: new HeaderList([
        ['A', '1'],
        ['a', '\u00e92'],
        ['b', ''],
      ]),
    },
    body,
  });
  const sizes = [
    [{ kind: 'none' }, '0', ''],
    [{ kind: 'unseen' }, '-1', undefined],
    [{ kind: 'whole', octets: Buffer.from('caf\u00e9') }, '5', 'caf\u00e9'],
  ] as const;
  for (const [body, size, text] of sizes) {
    const { attributes } = readCheckRequest(checkRequest(question(body)));
    assert.equal(attributes.request.http.size ?? '0', size);
    assert.equal(attributes.request.http.body ?? (body.kind === 'unseen' ? undefined : ''), text);
    assert.equal(attributes.request.http.host, '[::1]:8443');
    assert.equal(attributes.request.http.headers.a, '1,\u00e92');
    assert.equal(attributes.contextExtensions.body, body.kind === 'unseen' ? 'unseen' : 'seen');
  }
});

test('a response that is cut anywhere, or has an octet changed, never allows what the whole one denies', () => {
  const denied = writeCheckResponse({ status: { code: 16, message: 'm' }, deniedResponse: { body: 'b' } });
  const outcomes = new Set<string>();
  for (let at = 0; at < denied.length; at += 1) {
    try {
      outcomes.add(checkVerdict(denied.subarray(0, at)).outcome);
    } catch {
      outcomes.add('fault');
    }
  }
  assert.deepEqual([...outcomes].toSorted(), ['denied', 'fault', 'undefined']);
});
