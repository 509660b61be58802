// Kind `hmac`: verified as services verify it, by their own words, and attacked by a workload that knows how it is made.

import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { Webhook } from 'standardwebhooks';

import { CredentialSet } from '../../../../src/gateway/credentials/credential-set.ts';
import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { RequestHead } from '../../../../src/http/message-head.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';
import { canary, findCanary } from '../../../support/canary.ts';
import { openCredentialScene } from '../support/credential-scene.ts';
import { credentialOf, credentialProblems, sentWith } from '../support/signed-request.ts';
import type { Asked, SentRequest } from '../support/signed-request.ts';

const configOf = (written: object): CredentialConfig => credentialOf({ kind: 'hmac', ...written });
const key = canary('hmac');

/** What goes out of a request that is asked for so. */
const sent = (
  written: object,
  { secret = key, ...asked }: Asked & { readonly secret?: string } = {},
): Promise<SentRequest> => sentWith(configOf(written), secret, asked);

const field = ({ head }: { readonly head: RequestHead }, name: string): string =>
  head.headers.all(name).join(' and ');
const hex = (algorithm: string, secret: string | Buffer, text: string): string =>
  createHmac(algorithm, secret).update(text).digest('hex');
function assertNow(seconds: string): void {
  assert.match(seconds, /^\d{10}$/);
  assert.ok(Math.abs(Date.now() / 1000 - Number(seconds)) < 300, seconds);
}

const slack = {
  template: 'v0:{timestamp}:{body}',
  headers: { 'X-Slack-Request-Timestamp': '{timestamp}', 'X-Slack-Signature': 'v0={signature}' },
};
const json = '{"a":"ä"}';

describe('the form of a service is verified as it says', () => {
  test('v0 of the timestamp and the body, as Slack has it', async () => {
    for (const body of [json, '', undefined]) {
      const out = await sent(slack, body === undefined ? {} : { body });
      const time = field(out, 'x-slack-request-timestamp');
      assertNow(time);
      assert.equal(out.body, body ?? '');
      assert.equal(field(out, 'x-slack-signature'), `v0=${hex('sha256', key, `v0:${time}:${body ?? ''}`)}`);
    }
  });

  test('one field with time and signature, as Stripe has it', async () => {
    const written = {
      template: '{timestamp}.{body}',
      headers: { 'Stripe-Signature': 't={timestamp},v1={signature}' },
    };
    const out = await sent(written, { body: json });
    const [, time = '', v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(field(out, 'stripe-signature')) ?? [];
    assertNow(time);
    assert.equal(v1, hex('sha256', key, `${time}.${json}`));
  });

  test('Base64 of the body alone, as Shopify has it', async () => {
    const headers = { 'X-Shopify-Hmac-Sha256': '{signature}' };
    const out = await sent({ template: '{body}', encoding: 'base64', headers }, { body: json });
    const expected = createHmac('sha256', key).update(json).digest('base64');
    assert.equal(field(out, 'x-shopify-hmac-sha256'), expected);
  });

  test('Standard Webhooks, by their own library', async () => {
    const secret = Buffer.from('a-key-of-standard-webhooks-0123').toString('base64');
    const headers = {
      'webhook-id': '{nonce}',
      'webhook-timestamp': '{timestamp}',
      'webhook-signature': 'v1,{signature}',
    };
    const written = {
      template: '{nonce}.{timestamp}.{body}',
      keyEncoding: 'base64',
      encoding: 'base64',
      headers,
    };
    const out = await sent(written, { body: json, secret });
    const told = Object.fromEntries(Object.keys(headers).map((name) => [name, field(out, name)]));
    assert.deepEqual(new Webhook(secret).verify(out.body, told), JSON.parse(json));
    assert.throws(() => new Webhook(secret).verify(`${out.body} `, told));
  });

  test('time, method, target and body, with a key in Base64, as exchanges have it', async () => {
    const raw = Buffer.from('0123456789abcdef');
    const written = {
      template: '{timestamp}{method}{target}{body}',
      dangerouslyAllowAmbiguous: true,
      algorithm: 'sha512',
      keyEncoding: 'base64',
      headers: { 'CB-ACCESS-SIGN': '{signature}', 'CB-ACCESS-TIMESTAMP': '{timestamp}' },
    };
    const line = 'POST /in/a%20b?x=1&y';
    const out = await sent(written, { line, body: json, secret: raw.toString('base64') });
    const time = field(out, 'cb-access-timestamp');
    assert.equal(field(out, 'cb-access-sign'), hex('sha512', raw, `${time}POST/in/a%20b?x=1&y${json}`));
  });

  test('a parameter behind the query that it signs, with what belongs to it', async () => {
    const parameters = { timestamp: '{timestamp:ms}', signature: '{signature}' };
    const line = 'GET /in/a?symbol=A%2FB&signature=of-the-client&%74imestamp=1';
    const out = await sent({ template: '{query}\n{body}', parameters }, { line });
    const [, query = '', signature] = /^\/in\/a\?(.*)&signature=([0-9a-f]{64})$/.exec(out.target) ?? [];
    assert.match(query, /^symbol=A%2FB&timestamp=\d{13}$/);
    assert.equal(signature, hex('sha256', key, `${query}\n`));
  });

  test('fields, a hash of the body, and Date, one line each', async () => {
    const written = {
      template:
        '{method}\n{host}\n{path}\n{query:sorted}\n{header:date}\n{header:content-type}\n{body:sha256:base64}',
      algorithm: 'sha1',
      headers: {
        Date: '{timestamp:http}',
        Digest: 'SHA-256={body:sha256:base64}',
        Authorization: 'HMAC id:{signature}',
      },
    };
    const fields = [
      ['Content-Type', 'text/plain'],
      ['Date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
      ['Authorization', 'x y'],
    ] as const;
    const out = await sent(written, { line: 'POST /in/a?b=2&a=1', fields, body: json });
    const hash = createHash('sha256').update(json).digest('base64');
    const date = field(out, 'date');
    assertNow(String(Date.parse(date) / 1000));
    assert.equal(field(out, 'digest'), `SHA-256=${hash}`);
    assert.equal(out.target, '/in/a?b=2&a=1');
    const signed = ['POST', 'a.test', '/in/a', 'a=1&b=2', date, 'text/plain', hash].join('\n');
    assert.equal(field(out, 'authorization'), `HMAC id:${hex('sha1', key, signed)}`);
  });
});

describe('a body', () => {
  const limits = { ...defaultLimits, signedBodyBytesMax: 10 };

  test('that no template covers streams by, however long', async () => {
    const written = { template: '{method}\n{target}', headers: { 'X-Sign': '{signature}' } };
    const out = await sent(written, { body: 'x'.repeat(11), limits });
    assert.equal(out.body, 'x'.repeat(11));
    assert.equal(field(out, 'x-sign'), hex('sha256', key, 'POST\n/in/a'));
  });

  test('that is covered is held up to the bound, and refused beyond it', async () => {
    assert.equal((await sent(slack, { body: 'x'.repeat(10), limits })).body, 'x'.repeat(10));
    await assert.rejects(sent(slack, { body: 'x'.repeat(11), limits }), {
      code: 'body_too_large',
      limit: 'signedBodyBytesMax',
      message: /covers it/,
    });
  });
});

describe('a workload that knows how it is made', () => {
  test('has its own signature replaced, however it writes the name, and two of them refused', async () => {
    for (const name of ['x-slack-signature', 'X-SLACK-SIGNATURE', 'x_slack_signature']) {
      const { head } = await sent(slack, { fields: [[name, 'v0=own']], body: json });
      assert.equal([...head.headers].flat().includes('v0=own'), false);
      assert.equal(head.headers.size, 2);
    }
    for (const [one, other] of [
      ['X-Slack-Signature', 'x-slack-signature'],
      ['X-Slack-Signature', 'x_slack_signature'],
      ['X-Slack-Request-Timestamp', 'X-Slack-Request-Timestamp'],
    ] as const) {
      const fields = [one, other].map((name) => [name, 'a'] as const);
      await assert.rejects(sent(slack, { fields, body: json }), { code: 'signature_refused' });
    }
    const parameters = { signature: '{signature}' };
    await assert.rejects(
      sent({ template: '{query}\n{body}', parameters }, { line: 'GET /a?signature=1&s%69gnature=2' }),
      { code: 'signature_refused' },
    );
  });

  const covering = { template: '{method}\n{header:x-what}\n{path}', headers: { 'X-Sign': '{signature}' } };
  const rows: readonly (readonly [string, string, readonly (readonly [string, string])[]])[] = [
    ['a field that is missing', 'GET /in/a', []],
    [
      'a field that stands twice',
      'GET /in/a',
      [
        ['X-What', 'a'],
        ['X-What', 'b'],
      ],
    ],
    [
      'a field that stands twice to some',
      'GET /in/a',
      [
        ['X-What', 'a'],
        ['X_What', 'b'],
      ],
    ],
    ['a field with an underscore', 'GET /in/a', [['X_What', 'a']]],
    ['a field beyond ASCII', 'GET /in/a', [['X-What', '\u00e4']]],
    ['a method in small letters', 'get /in/a', [['X-What', 'a']]],
    ['no path', 'OPTIONS *', [['X-What', 'a']]],
  ];
  for (const [what, line, fields] of rows)
    test(`${what} is not signed`, async () => {
      await assert.rejects(sent(covering, { line, fields }), { code: 'signature_refused' });
      const control = await sent(covering, { line: 'GET /in/a', fields: [['X-What', 'a']] });
      assert.equal(field(control, 'x-sign'), hex('sha256', key, 'GET\na\n/in/a'));
    });
});

test('a key that is not of its encoding is not used, and nothing of it is told', async () => {
  for (const keyEncoding of ['hex', 'base64'])
    await assert.rejects(sent({ ...slack, keyEncoding }, { secret: `${key}-` }), (error: Error) => {
      assert.match(error.message, new RegExp(`the secret is not ${keyEncoding}`));
      return !JSON.stringify([error.message, error.stack]).includes(key);
    });
});

test('through a gateway, over both versions of HTTP: what was sent is what is signed, and the key is nowhere', async () => {
  await using opened = await openCredentialScene({ credential: configOf(slack), environment: { KEY: key } });
  const length = `Content-Length: ${Buffer.byteLength(json)}`;
  assert.equal((await opened.post('/in/a', [length, 'X-Slack-Signature: v0=own'], json)).status, 200);
  assert.equal((await opened.get2('/in/a', {}, json)).status, 200);
  const twice = await opened.post('/in/a', [length, 'X-Slack-Signature: a', 'x_slack_signature: b'], json);
  assert.equal(twice.headers.get('x-deny-reason'), 'signature_refused');
  assert.equal(opened.seen.length, 2);
  for (const { headers, body } of opened.seen) {
    assert.equal(body, json);
    const signed = `v0:${String(headers['x-slack-request-timestamp'])}:${json}`;
    assert.equal(headers['x-slack-signature'], `v0=${hex('sha256', key, signed)}`);
  }
  const { parts, audit } = opened.path;
  const all = [opened.received(), JSON.stringify([audit, opened.seen]), inspect(parts, { depth: 12 })].join(
    '\n',
  );
  // Positive control: the same search finds what the response repeats.
  assert.ok(all.includes(String(opened.seen[0]?.headers['x-slack-signature'])));
  assert.deepEqual(findCanary(all, key), []);
});

test('the signature comes behind what other credentials of the rule put on, whatever order they stand in', async () => {
  const configs: Readonly<Record<string, CredentialConfig>> = {
    sign: configOf({ template: '{header:x-key}\n{target}', headers: { 'X-Sign': '{signature}' } }),
    key: { kind: 'header', header: 'X-Key', source: { env: 'ID' } },
    query: { kind: 'query', parameter: 'k', source: { env: 'ID' } },
  };
  await using set = new CredentialSet(configs, { KEY: key, ID: 'public-id' });
  const destination = { scheme: 'https', host: 'a.test', port: 443 } as const;
  const head = {
    method: 'GET',
    destination,
    path: '/a',
    query: '',
    headers: new HeaderList(),
    httpVersion: '1.1',
  } as const;
  const injections = ['sign', 'key', 'query'].map((credential) => ({ credential }));
  const { head: signed, names } = await set.inject(head, injections, { nowMs: Date.now() });
  assert.equal(signed.headers.first('x-sign'), hex('sha256', key, 'public-id\n/a?k=public-id'));
  assert.deepEqual(names, ['key', 'query', 'sign']);
});

describe('what cannot work is told when the configuration is read', () => {
  const placed = { headers: { 'X-Sign': '{signature}' } };
  const rows: readonly (readonly [object, RegExp])[] = [
    [{ template: '{body}' }, /no field and no parameter has \{signature\}/],
    [{ template: '{nonce}{body}', ...placed }, /tells the service which/],
    [{ template: '{target}{body}', ...placed }, /two requests can give the same text/],
    [{ template: '{header:x-sign}\n{body}', ...placed }, /cannot be signed/],
    [{ template: '{header:accept}\n{body}', ...placed }, /changed behind the signature/],
    [{ template: '{header:cookie}\n{body}', ...placed }, /changed behind the signature/],
  ];
  for (const [written, expected] of rows)
    test(JSON.stringify(written), () => {
      assert.throws(() => new CredentialSet({ it: configOf(written) }, { KEY: key }), expected);
    });

  test('each key by itself', () => {
    const problems = (written: object): string => credentialProblems({ kind: 'hmac', ...written });
    assert.match(problems({}), /kind hmac needs "template"/);
    // The field of drafts before RFC 9421.
    assert.equal(
      problems({ template: '{body}', headers: { Signature: 'keyId="a",signature="{signature}"' } }),
      '',
    );
    assert.match(problems({ template: '{x}' }), /\{x\} is not known; write one of \{method\}/);
    assert.match(problems({ template: '{timestamp}' }), /would serve for every request/);
    assert.match(problems({ template: '{body}', algorithm: 'md5' }), /sha256, sha512/);
    assert.match(
      problems({ template: '{body}', headers: { Host: '{signature}' } }),
      /Host belongs to the message/,
    );
    assert.match(problems({ template: '{body}', headers: { Accept: '{signature}' } }), /sets Accept itself/);
    assert.match(problems({ template: '{body}', headers: { 'X-A': '{body}' } }), /cannot stand there/);
    assert.match(
      problems({ template: '{body}', parameters: { 'a&b': '{signature}' } }),
      /name of a query parameter/,
    );
  });
});
