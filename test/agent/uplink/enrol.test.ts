import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { agentVersion, enrol, problemOf } from '../../../src/agent/uplink/enrol.ts';
import { openGateway } from '../../../src/agent/uplink/gateway-connection.ts';
import { SessionKey } from '../../../src/agent/uplink/session-key.ts';
import { SessionToken } from '../../../src/agent/uplink/token.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { errorTable, type ErrorCode } from '../../../src/protocol/error-table.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import type { Posture } from '../../../src/protocol/session-messages.ts';
import { resourceBaseline, resourcesSettled } from '../../support/resources.ts';
import { FakeGateway } from '../support/fake-gateway.ts';

const posture: Posture = {
  runtime: 'node',
  runtimeVersion: '26.10.0',
  platform: 'linux-x64',
  nondumpable: true,
  execOnly: false,
  untraced: true,
  coreLimitZero: true,
  inspectorClosed: true,
  environmentClean: true,
  jailed: false,
  uid: 1000,
  notes: [],
};

function tokenOf(text: string): SessionToken {
  const memory = Buffer.alloc(text.length);
  memory.write(text, 'latin1');
  return new SessionToken(memory, text.length);
}

const gatewayOf = (fake: FakeGateway) => openGateway(fake.url, { ca: fake.authority.caPem });
const enrolAt = async (fake: FakeGateway, token = tokenOf('a.b.c'), limits: Limits = defaultLimits) =>
  enrol({ gateway: gatewayOf(fake), token, key: await SessionKey.generate(), posture, limits });

describe('enrolment', () => {
  test('carries token, key and posture, and gives a session bound to the key', async () => {
    await using fake = await FakeGateway.start({ placeholders: { GITHUB_TOKEN: 'placeholder' } });
    const session = await enrolAt(fake);
    assert.equal(fake.session.token, 'a.b.c');
    assert.deepEqual(fake.session.posture, posture);
    assert.equal(session.id, fake.session.id);
    assert.deepEqual(session.response.placeholders, { GITHUB_TOKEN: 'placeholder' });
    assert.deepEqual(session.response.capture_ports, [5432]);
    assert.ok(session.expiresInMs > 890_000 && session.expiresInMs <= 900_000);
  });

  test('comes again when a gateway takes nobody now and says when, with a proof of its own, and not where it does not', async () => {
    await using fake = await FakeGateway.start();
    const busy = {
      kind: 'raw',
      status: 503,
      type: 'application/json',
      body: '{"error":"store_unavailable"}',
    } as const;
    for (const status of [503, 429]) fake.failNext('enrol', { ...busy, status, retryAfter: '1' });
    const session = await enrolAt(fake);
    assert.equal(session.id, fake.session.id);
    assert.deepEqual(fake.requests, ['enrol', 'enrol', 'enrol']);
    for (const retryAfter of [undefined, '900', 'Fri, 31 Dec 1999 23:59:59 GMT', '-1']) {
      fake.failNext('enrol', retryAfter === undefined ? busy : { ...busy, retryAfter });
      await assert.rejects(enrolAt(fake), { code: 'store_unavailable' }, retryAfter);
    }
    fake.failNext('enrol', { ...busy, status: 500, retryAfter: '1' });
    await assert.rejects(enrolAt(fake), { code: 'store_unavailable' });
    assert.equal(fake.requests.length, 8);
  });

  test('zeroes the token, however it goes', async () => {
    await using fake = await FakeGateway.start();
    fake.failNext('enrol', { kind: 'refuse', code: 'token_expired' });
    for (const expected of [false, true]) {
      const token = tokenOf('a.b.c');
      const went = await enrolAt(fake, token).then(
        () => true,
        () => false,
      );
      assert.equal(went, expected);
      assert.ok(token.bytes.every((byte) => byte === 0));
    }
  });

  for (const code of ['token_expired', 'token_invalid', 'token_reused', 'proof_invalid'] as const) {
    test(`a refusal with ${code} keeps its code`, async () => {
      await using fake = await FakeGateway.start();
      fake.failNext('enrol', { kind: 'refuse', code });
      await assert.rejects(enrolAt(fake), { code });
    });
  }

  test('a response that is not one is told, and nothing of the token with it', async () => {
    await using fake = await FakeGateway.start();
    const responses: readonly (readonly [status: number, body: string, code: ErrorCode])[] = [
      [200, '<html>a.b.c</html>', 'gateway_protocol'],
      [200, '{}', 'gateway_protocol'],
      [200, '{"session_id":"x","access_token":"a b","token_type":"DPoP","expires_in":9}', 'gateway_protocol'],
      [200, '{"session_id":"x","access_token":"a","token_type":"Bearer","expires_in":9}', 'gateway_protocol'],
      [200, '{"session_id":"x","access_token":"a","token_type":"DPoP","expires_in":-1}', 'gateway_protocol'],
      [
        200,
        '{"session_id":"x","access_token":"a","token_type":"DPoP","expires_in":9,"placeholders":{"A=B":"c"}}',
        'gateway_protocol',
      ],
      [
        200,
        '{"session_id":"x","access_token":"a","token_type":"DPoP","expires_in":9,"capture_ports":[0]}',
        'gateway_protocol',
      ],
      ...['""', '[]', '"-----BEGIN CERTIFICATE-----"'].map((ca): (typeof responses)[number] => [
        200,
        `{"session_id":"x","access_token":"a","token_type":"DPoP","expires_in":9,"gateway_ca":${ca}}`,
        'gateway_protocol',
      ]),
      [404, 'not here', 'gateway_protocol'],
      [302, '', 'gateway_protocol'],
    ];
    for (const [status, body, code] of responses) {
      fake.failNext('enrol', { kind: 'raw', status, type: 'text/html', body });
      await assert.rejects(enrolAt(fake), (error: Error & { code: string }) => {
        assert.equal(error.code, code, body);
        assert.doesNotMatch(error.message, /a\.b\.c/);
        return true;
      });
    }
  });

  test('a gateway that goes away or is silent ends it in time, and nothing stays open', async () => {
    const baseline = resourceBaseline();
    {
      await using fake = await FakeGateway.start();
      fake.failNext('enrol', { kind: 'reset' }, { kind: 'silence' });
      await assert.rejects(enrolAt(fake), { code: 'gateway_unreachable' });
      const short = { ...defaultLimits, enrolTimeoutMs: 300 };
      await assert.rejects(enrolAt(fake, undefined, short), { code: 'timeout', message: /300 ms/ });
    }
    await resourcesSettled(baseline);
  });
});

describe('a session', () => {
  test('renews with its key, and the new access token is the one in force', async () => {
    await using fake = await FakeGateway.start();
    const session = await enrolAt(fake);
    const before = fake.session.accessToken;
    await session.renew();
    assert.notEqual(fake.session.accessToken, before);
    await session.commit();
    await session.commit();
    assert.equal(fake.session.state, 'committed');
    await session.end();
    assert.equal(fake.session.state, 'ended');
    assert.deepEqual(fake.requests, ['enrol', 'renew', 'commit', 'commit', 'end']);
  });

  test('goes on with the access token that the commit gives, or with its own where that gives none', async () => {
    await using fake = await FakeGateway.start();
    const session = await enrolAt(fake);
    const commitWith = async (access_token: unknown): Promise<void> => {
      const body = JSON.stringify({ committed: true, access_token, token_type: 'DPoP', expires_in: 60 });
      fake.failNext('commit', { kind: 'raw', status: 200, type: 'application/json', body });
      await session.commit();
    };
    for (const none of [undefined, 7, 'two words', 'a\r\nb']) await commitWith(none);
    await session.renew();
    await commitWith('given');
    assert.equal(session.lifetimeMs, 60_000);
    fake.session.accessToken = 'given';
    await session.end();
    assert.equal(fake.session.state, 'ended');
  });

  test('that was revoked learns it', async () => {
    await using fake = await FakeGateway.start();
    const session = await enrolAt(fake);
    fake.session.state = 'revoked';
    await assert.rejects(session.renew(), { code: 'session_revoked' });
    await assert.rejects(session.commit(), { code: 'session_revoked' });
  });
});

test('a problem keeps each code of the table, and an unknown one is gateway_protocol', () => {
  const body = (error: string) => Buffer.from(JSON.stringify({ error, message: 'why\u0007\nso' }));
  const of = (error: string, status = 400, fields: readonly (readonly [string, string])[] = []): ProxyError =>
    problemOf({ status, headers: new HeaderList(fields), body: body(error) });
  for (const code of Object.keys(errorTable)) assert.equal(of(code).code, code);
  assert.equal(of('toString').code, 'gateway_protocol');
  assert.equal(of('later_code').code, 'gateway_protocol');
  assert.match(of('timeout').message, /why so$/);
  const asking = [['Retry-After', '7']] as const;
  for (const error of ['store_unavailable', 'later_code']) {
    assert.equal(of(error, 503, asking).retryAfterSeconds, 7);
    assert.equal(of(error, 400, asking).retryAfterSeconds, undefined);
  }
});

test('the version that the agent tells is that of the package', () => {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  assert.equal(agentVersion, (JSON.parse(text) as { version: string }).version);
});
