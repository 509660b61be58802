// An origin that wants another nonce in the proof of a request gets it, once, and the client does not notice.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { provenInjection } from '../../../src/gateway/credentials/kinds/proven-injection.ts';
import { newProofKey, ProofKey } from '../../../src/gateway/credentials/kept/proof-key.ts';
import { tellingOf } from '../../../src/gateway/credentials/request/telling.ts';
import { forwardProven, type ProvenRequest } from '../../../src/gateway/exchange/asked-proof.ts';
import type { ForwardRequest, ResponseReceiver } from '../../../src/gateway/forward/forwarder.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { RequestHead } from '../../../src/http/message-head.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { Secret } from '../../../src/protocol/secret.ts';

interface Response {
  readonly status: number;
  readonly headers?: readonly string[];
  readonly body?: Buffer;
}

const asking = (nonce: string, more: readonly string[] = []): Response => ({
  status: 401,
  headers: ['DPoP-Nonce', nonce, 'WWW-Authenticate', 'DPoP error="use_dpop_nonce", algs="ES256"', ...more],
  body: Buffer.from('{"error":"use_dpop_nonce"}'),
});

interface Options {
  readonly hasBody?: boolean;
  readonly isAlone?: boolean;
}

/** What the origin saw as nonce, and what the client got. */
async function played(responses: readonly Response[], { hasBody = false, isAlone = true }: Options = {}) {
  const tokens = {
    held: async () => ({ secret: new Secret('token'), proofKey: new ProofKey(newProofKey()) }),
    reject: () => undefined,
  };
  const bare: RequestHead = {
    method: hasBody ? 'POST' : 'GET',
    destination: { scheme: 'https', host: 'api.test', port: 443 },
    path: '/orders',
    query: 'a=b',
    headers: new HeaderList([['x-own', 'kept']]),
    httpVersion: '1.1',
  };
  const { head, ...told } = await provenInjection(tokens).apply(bare, 1_000_000, undefined);
  const injected = tellingOf(isAlone ? [told] : [told, {}]);
  const seen: (string | undefined)[] = [];
  const got: string[] = [];
  const receiver: ResponseReceiver = {
    onInformation: () => undefined,
    onHead: (status) => void got.push(String(status)),
    onData: (chunk) => got.push(Buffer.from(chunk).toString()) > 0,
    onTrailers: () => undefined,
    onComplete: () => void got.push('end'),
  };
  const forward = async (request: ForwardRequest, to: ResponseReceiver) => {
    const { headers } = request.head;
    assert.deepEqual([headers.all('dpop').length, headers.first('authorization')], [1, 'DPoP token']);
    assert.equal(headers.first('x-own'), 'kept');
    const claims = headers.first('dpop')?.split('.')[1] ?? '';
    const { nonce, htu } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, string>;
    assert.equal(htu, 'https://api.test/orders');
    seen.push(nonce);
    const {
      status,
      headers: fields = [],
      body,
    } = responses[seen.length - 1] ?? assert.fail('asked too often');
    to.onHead(status, fields, body === undefined);
    if (body !== undefined) to.onData(body, () => undefined);
    to.onTrailers([]);
    to.onComplete?.();
    return { protocol: 'http/1.1' } as const;
  };
  const body = hasBody ? { kind: 'length', length: 3 } : { kind: 'none' };
  // Of a request only the head is looked at, and of what was validated whether there is a body.
  const validated = { head, body, framing: body } as unknown as ProvenRequest['validated'];
  await forwardProven({ forward }, { head } as ForwardRequest, receiver, {
    validated,
    injected,
    clock: () => 1_000_500,
  });
  return { seen, got };
}

test('a request is sent again with the nonce that its origin asks for, and the client sees one response', async () => {
  const { seen, got } = await played([asking('n1'), { status: 200, body: Buffer.from('orders') }]);
  assert.deepEqual(seen, [undefined, 'n1']);
  assert.deepEqual(got, ['200', 'orders', 'end']);
});

test('it is sent again once: what the origin says then is for the client', async () => {
  const { seen, got } = await played([asking('n1'), asking('n2')]);
  assert.deepEqual(seen, [undefined, 'n1']);
  assert.deepEqual(got, ['401', '{"error":"use_dpop_nonce"}', 'end']);
});

test('all else goes to the client as it came: other words, two nonces, one that cannot stand in a proof, a body, two credentials', async () => {
  const cases: readonly (readonly [Response, Options?])[] = [
    [{ status: 401, headers: ['DPoP-Nonce', 'n1', 'WWW-Authenticate', 'DPoP error="invalid_token"'] }],
    [{ status: 401, headers: ['DPoP-Nonce', 'n1'] }],
    [{ status: 401, headers: ['WWW-Authenticate', 'DPoP error="use_dpop_nonce"'] }],
    [{ status: 401, headers: ['DPoP-Nonce', 'n1', 'WWW-Authenticate', 'Bearer error="use_dpop_nonce"'] }],
    [{ ...asking('n1'), status: 403 }],
    [{ ...asking('n1'), status: 200 }],
    [asking('n1', ['DPoP-Nonce', 'n2'])],
    [asking('a b')],
    [asking('n1'), { hasBody: true }],
    [asking('n1'), { isAlone: false }],
  ];
  for (const [response, options] of cases) {
    const { seen, got } = await played([response], options);
    assert.deepEqual(seen, [undefined], JSON.stringify(response));
    assert.equal(got[0], String(response.status));
    assert.equal(got.at(-1), 'end');
  }
});

test('an origin that asks with more than anybody would read is refused', async () => {
  const body = Buffer.alloc(defaultLimits.proofRefusalBytesMax + 1);
  await assert.rejects(played([{ ...asking('n1'), body }]), {
    code: 'origin_malformed',
    limit: 'proofRefusalBytesMax',
  });
});
