// Messages by which another system says what somebody decided: only what its secret signed, of now, and once, is believed.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';

import {
  type CallbackFormat,
  readCallback,
  type ReceivedCallback,
} from '../../../src/gateway/callbacks/read-callback.ts';
import { SeenMessages } from '../../../src/gateway/callbacks/seen-messages.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';

const nowMs = Date.parse('2026-11-27T10:00:00Z');
const webhookSecret = `whsec_${randomBytes(32).toString('base64')}`;
const slackSecret = randomBytes(16).toString('hex');

function webhook(value: unknown, atMs = nowMs, secret = webhookSecret): ReceivedCallback {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  const seconds = Math.floor(atMs / 1000);
  const signature = new Webhook(secret).sign('msg_1', new Date(seconds * 1000), body);
  const headers = {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(seconds),
    'webhook-signature': signature,
  };
  return { headers, body: Buffer.from(body) };
}

function slack(form: string, atMs = nowMs, secret = slackSecret): ReceivedCallback {
  const timestamp = String(Math.floor(atMs / 1000));
  const mac = createHmac('sha256', secret).update(`v0:${timestamp}:${form}`).digest('hex');
  const headers = { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${mac}` };
  return { headers, body: Buffer.from(form) };
}

function pressed(value: unknown, action_id: unknown, more: object = {}): string {
  const payload = {
    type: 'block_actions',
    user: { id: 'U1', name: 'al' },
    actions: [{ action_id, value }],
    ...more,
  };
  return new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
}

function read(received: ReceivedCallback, format: CallbackFormat) {
  const secret = format === 'slack' ? slackSecret : webhookSecret;
  return readCallback(received, { name: 'team', format, secret }, nowMs);
}

function refusalOf(received: ReceivedCallback, format: CallbackFormat): string {
  try {
    read(received, format);
    return 'read';
  } catch (error) {
    assert.ok(error instanceof ProxyError);
    for (const secret of [webhookSecret, slackSecret]) assert.ok(!error.message.includes(secret));
    return error.code;
  }
}

const said = { user: 'U1', question: 'q1', decision: 'once' };

test('what a sender signed is read, from a system of your own and from Slack', () => {
  assert.deepEqual(read(webhook({ ...said, note: 'fine' }), 'webhook'), {
    ...said,
    note: 'fine',
    messageId: 'msg_1',
  });
  const form = pressed('q1 deny', 'upstreamproxy_deny', { response_url: 'https://evil.test/' });
  const { messageId, ...read1 } = read(slack(form), 'slack');
  assert.deepEqual(read1, { user: 'U1', question: 'q1', decision: 'deny' });
  assert.match(messageId, /^v0=/);
});

test('another secret, another time, another octet: nothing is read', () => {
  const { callbackClockMs: clockMs } = defaultLimits;
  for (const [make, format] of [
    [(atMs: number, secret?: string) => webhook(said, atMs, secret), 'webhook'],
    [
      (atMs: number, secret?: string) => slack(pressed('q1 once', 'upstreamproxy_once'), atMs, secret),
      'slack',
    ],
  ] as const) {
    assert.equal(refusalOf(make(nowMs), format), 'read');
    assert.equal(
      refusalOf(make(nowMs, `whsec_${randomBytes(24).toString('base64')}`), format),
      'operator_unknown',
    );
    assert.equal(refusalOf(make(nowMs - clockMs), format), 'read');
    assert.equal(refusalOf(make(nowMs - clockMs - 1000), format), 'operator_unknown');
    assert.equal(refusalOf(make(nowMs + clockMs + 1000), format), 'operator_unknown');
    const { headers, body } = make(nowMs);
    for (const name of Object.keys(headers)) {
      for (const value of [
        undefined,
        '',
        `${headers[name as keyof typeof headers]}0`,
        '-1',
        'NaN',
        '1e9',
        '9'.repeat(4_000),
      ])
        assert.equal(
          refusalOf({ headers: { ...headers, [name]: value }, body }, format),
          'operator_unknown',
          name,
        );
    }
    for (let at = 0; at < body.length; at += 1) {
      const changed = Buffer.from(body);
      changed.writeUInt8((changed[at] ?? 0) ^ 1, at);
      assert.equal(refusalOf({ headers, body: changed }, format), 'operator_unknown');
    }
    // The order of fields is of the octets.
    assert.equal(
      refusalOf({ headers, body: Buffer.concat([body, Buffer.from(' ')]) }, format),
      'operator_unknown',
    );
  }
});

test('what is signed and is no decision is refused with its place', () => {
  for (const value of [
    'no JSON',
    [],
    null,
    { ...said, user: 7 },
    { ...said, user: '' },
    { ...said, question: 'Q 1' },
    { ...said, question: ['q1'] },
    { ...said, decision: 'allow' },
    { ...said, decision: ['once'] },
    { ...said, more: 1 },
    { ...said, note: 'n'.repeat(501) },
  ])
    assert.equal(refusalOf(webhook(value), 'webhook'), 'usage', JSON.stringify(value));
  for (const form of [
    'payload=',
    'other=1',
    `${pressed('q1 once', 'upstreamproxy_once')}&${pressed('q1 deny', 'upstreamproxy_deny')}`,
    pressed('q1 once', 'upstreamproxy_deny'),
    pressed('q1 once extra', 'upstreamproxy_once'),
    pressed('q1', 'upstreamproxy_once'),
    pressed(undefined, 'upstreamproxy_open'),
    pressed('q1 constructor', 'upstreamproxy_constructor'),
    pressed('q1 once', 'upstreamproxy_once', { type: 'view_submission' }),
    pressed('q1 once', 'upstreamproxy_once', { user: {} }),
    pressed('q1 once', 'upstreamproxy_once', { actions: [] }),
    pressed('q1 once', 'upstreamproxy_once', {
      actions: ['once', 'deny'].map((one) => ({ action_id: `upstreamproxy_${one}`, value: `q1 ${one}` })),
    }),
  ])
    assert.equal(refusalOf(slack(form), 'slack'), 'usage', form);
});

test('a message comes once, and those that are remembered are bounded', () => {
  const seen = new SeenMessages();
  seen.admit('team', 'msg_1', nowMs);
  assert.throws(() => seen.admit('team', 'msg_1', nowMs + 2 * defaultLimits.callbackClockMs - 1), {
    code: 'operator_unknown',
  });
  seen.admit('other', 'msg_1', nowMs);
  // Its own time is refused by now.
  seen.admit('team', 'msg_1', nowMs + 2 * defaultLimits.callbackClockMs);
  const many = new SeenMessages();
  for (let i = 0; i < defaultLimits.callbackSeenMax; i += 1) many.admit('team', `msg_${i}`, nowMs);
  assert.throws(() => many.admit('team', 'one more', nowMs), { code: 'limit_exceeded' });
  many.admit('team', 'one more', nowMs + 2 * defaultLimits.callbackClockMs);
});

test('a message that failed by a fault of the gateway may come again, and no other', async () => {
  const seen = new SeenMessages();
  const fail = (code: 'store_unavailable' | 'state_changed') => async (): Promise<void> => {
    throw new ProxyError(code, 'away');
  };
  let done = 0;
  const work = async (): Promise<void> => void (done += 1);
  await assert.rejects(seen.once('a', 'one', 0, fail('store_unavailable')), { code: 'store_unavailable' });
  await seen.once('a', 'one', 0, work);
  await assert.rejects(seen.once('a', 'one', 0, work), { code: 'operator_unknown' });
  await assert.rejects(seen.once('a', 'two', 0, fail('state_changed')), { code: 'state_changed' });
  await assert.rejects(seen.once('a', 'two', 0, work), { code: 'operator_unknown' });
  assert.equal(done, 1);
});
