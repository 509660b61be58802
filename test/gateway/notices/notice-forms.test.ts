// What becomes a notice, how much of it a receiver is told, and in which form. Signatures are checked by the library of the specification.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { QuestionDesk } from '../../../src/gateway/access/question-desk.ts';
import { SessionAudit } from '../../../src/gateway/audit/session-audit.ts';
import { cloudEvent } from '../../../src/gateway/notices/cloud-event.ts';
import { NoticeFlood } from '../../../src/gateway/notices/notice-flood.ts';
import { type Notice, noticeKindOf, noticeOf } from '../../../src/gateway/notices/notice.ts';
import { slackMessage } from '../../../src/gateway/notices/slack-message.ts';
import { isSignedBy, signedFields, webhookKey } from '../../../src/gateway/notices/standard-webhook.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { RecordingSink } from '../support/recording-sink.ts';

const event: AuditEvent = {
  v: 1,
  id: '018f0000-0000-7000-8000-000000000001',
  time: '2026-11-27T10:00:00.000Z',
  kind: 'exchange',
  traceId: 'a'.repeat(32),
  sessionId: 's-1',
  principal: 'issuer|build-7',
  verdict: 'deny',
  method: 'GET',
  scheme: 'https',
  host: 'denied.test',
  port: 443,
  path: '/x?token=hidden',
  errorCode: 'policy_denied',
  message: 'no rule allows GET https://denied.test/x',
};

test('each kind of event is told as what it is, and what nobody needs is not', () => {
  const kinds = (more: Partial<AuditEvent>): string | undefined => noticeKindOf({ ...event, ...more });
  assert.equal(kinds({}), 'denial');
  assert.equal(kinds({ verdict: 'allow' }), undefined);
  assert.equal(kinds({ verdict: 'error' }), undefined);
  assert.equal(kinds({ errorCode: 'limit_exceeded', rule: 'api' }), 'budget');
  assert.equal(kinds({ errorCode: 'limit_exceeded', rule: 'api', limit: 'requestsPerSecondMax' }), 'denial');
  assert.equal(kinds({ kind: 'alarm', verdict: 'info', action: 'token_reused' }), 'alarm');
  assert.equal(kinds({ kind: 'session', verdict: 'info', action: 'access_requested' }), 'access');
  assert.equal(kinds({ kind: 'session', verdict: 'info', action: 'question_asked' }), 'question');
  assert.equal(kinds({ kind: 'session', verdict: 'deny', action: 'refused' }), undefined);
});

test('a notice has no query, and no text without a bound', () => {
  const notice = noticeOf(
    { ...event, host: 'h'.repeat(5_000), message: '\u{1f600}'.repeat(2_000) },
    'denial',
  );
  const json = cloudEvent(notice, 3, { gateway: 'gw', link: 'https://console.example.com/' });
  assert.ok(!json.includes('hidden'), json);
  assert.ok(json.length < 4_000);
  assert.ok(json.isWellFormed());
  // Written above.
  const { data, ...head } = JSON.parse(json) as { readonly data: Readonly<Record<string, unknown>> };
  assert.deepEqual(head, {
    specversion: '1.0',
    id: event.id,
    source: 'urn:upstreamproxy:gateway:gw',
    type: 'upstreamproxy.denial',
    time: event.time,
    subject: 's-1',
    datacontenttype: 'application/json',
  });
  assert.equal(data['untold'], 3);
  assert.equal(data['path'], '/x?…');
});

test('what is signed here is verified by the library of the specification, and the other way round', () => {
  for (let round = 0; round < 50; round += 1) {
    const secret = `whsec_${randomBytes(24 + (round % 41)).toString('base64')}`;
    const key = webhookKey(` ${secret}\n`, 'of a test');
    const body = JSON.stringify({ text: randomBytes(round).toString('latin1') });
    const timestamp = Math.floor(Date.now() / 1000);
    const message = { id: `msg_${round}`, timestamp, body };
    const fields = { ...signedFields(key, message) };
    assert.deepEqual(new Webhook(secret).verify(body, fields), JSON.parse(body));
    const other = new Webhook(secret).sign(message.id, new Date(timestamp * 1000), body);
    assert.equal(isSignedBy(key, message, other), true);
    assert.equal(isSignedBy(key, message, `v1,AAAA v2,${other.slice(3)} ${other}`), true);
    assert.equal(isSignedBy(key, { ...message, body: `${body} ` }, other), false);
    assert.equal(isSignedBy(key, { ...message, timestamp: timestamp + 1 }, other), false);
    assert.equal(isSignedBy(key, { ...message, id: 'msg' }, other), false);
    assert.equal(isSignedBy(webhookKey(randomBytes(24).toString('base64'), 'x'), message, other), false);
  }
  const many = Array.from({ length: defaultLimits.callbackSignaturesMax }, () => 'v1,AAAA').join(' ');
  const key = webhookKey(randomBytes(32).toString('base64'), 'of a test');
  const message = { id: 'a', timestamp: 1, body: 'b' };
  assert.equal(isSignedBy(key, message, `${many} ${signedFields(key, message)['webhook-signature']}`), false);
});

test('a secret of the wrong form is told without it', () => {
  for (const secret of ['', 'whsec_', 'short', `whsec_${'*'.repeat(40)}`, `whsec_${'A'.repeat(400)}`])
    assert.throws(
      () => webhookKey(secret, 'of notices.team'),
      (error: Error) =>
        error.message.includes('of notices.team') &&
        (secret === '' || secret === 'whsec_' || !error.message.includes(secret)),
    );
});

test('a message for a chat is plain text whatever a workload names, and has a button for each decision', () => {
  const hostile = '<!channel> <https://evil.test|click> *bold* & `code` \u202e';
  const asked = `GET https://${hostile}`;
  const notice = noticeOf(
    {
      ...event,
      kind: 'session',
      verdict: 'info',
      action: 'question_asked',
      rule: hostile,
      details: { id: 'q1', asked, choices: ['once', 'session'], bound: [{ name: 'body', value: hostile }] },
    },
    'question',
  );
  const text = slackMessage(notice, 2, { link: 'https://console.example.com', canDecide: true });
  // Written above.
  const message = JSON.parse(text) as { readonly text: string; readonly blocks: readonly unknown[] };
  assert.ok(!/[<>]/.test(message.text), message.text);
  assert.ok(!text.includes('mrkdwn'));
  const buttons = JSON.stringify(message.blocks).match(/"value":"q1 \w+"/g);
  assert.deepEqual(buttons, ['"value":"q1 once"', '"value":"q1 session"', '"value":"q1 deny"']);
  assert.ok(text.includes('2 more notices were left out.'));
  assert.ok(!slackMessage(notice, 0, { link: undefined, canDecide: false }).includes('"value"'));
});

test('a question is told as the gateway records it: its rule, its body, and that a query is not shown', async () => {
  await using stack = new AsyncDisposableStack();
  const { questions: store } = stack.use(await openStore('sqlite::memory:'));
  const sink = new RecordingSink();
  const audit = new SessionAudit(Object.assign(sink, { flush: async () => undefined }));
  const desk = stack.use(
    new QuestionDesk({
      store,
      audit,
      limits: defaultLimits,
      clock: () => 1_000_000,
      reachesPeople: () => true,
      onFault: (error) => assert.fail(error),
    }),
  );
  const content = {
    rule: 'ask-writes',
    scheme: 'https',
    host: 'api.test',
    port: 443,
    method: 'POST',
    path: '/a?token=hidden',
    traceId: 'trace',
    policyVersion: 'v1',
    bound: [
      { name: 'request', value: 'POST https://api.test/a?token=hidden' },
      { name: 'operation 1', value: 'mutation one' },
      { name: 'operation 2', value: 'mutation two' },
      { name: 'body', value: `7 bytes, SHA-256 ${'0'.repeat(64)}` },
      { name: 'field x-org', value: 'private' },
      { name: 'not bound: date', value: '3 characters' },
    ],
    body: 'seen',
    choices: ['once'],
  } as const;
  const { principal } = { principal: { id: 'p', sessionId: 's', claims: {}, posture: [] } };
  await desk.ask({ rootId: 'root', onceKey: 'a', wideKey: 'b', content }, principal, {
    holdMs: 1,
    signal: AbortSignal.abort(),
  });
  const [asked] = sink.events;
  assert.ok(asked !== undefined);
  const notice = noticeOf(asked, 'question');
  assert.equal(notice.facts.rule, 'ask-writes');
  assert.deepEqual([notice.facts.sessionId, notice.ownerId], ['s', 'root']);
  assert.deepEqual(notice.question?.bound, [
    { name: 'operations', value: 'mutation one, mutation two' },
    { name: 'body', value: `7 bytes, SHA-256 ${'0'.repeat(64)}` },
    { name: 'fields', value: 'x-org' },
    { name: 'not bound', value: 'date' },
  ]);
  const text = slackMessage(notice, 0, { link: undefined, canDecide: true });
  assert.match(text, /Rule: ask-writes/);
  assert.match(text, /has a query, which is not shown here/);
  assert.match(text, /body: 7 bytes, SHA-256 0{64}/);
  assert.doesNotMatch(text + JSON.stringify(asked), /hidden|private/);
});

function denial(host: string): Notice {
  return noticeOf({ ...event, host }, 'denial');
}

test('a flood is told once, in a bounded memory, and takes nothing from what somebody waits for', () => {
  const flood = new NoticeFlood(30, 0);
  assert.deepEqual(flood.admit(denial('a.test'), 0), { untold: 0 });
  assert.equal(flood.admit(denial('a.test'), 1), undefined);
  let told = 0;
  for (let i = 0; i < 20_000; i += 1) if (flood.admit(denial(`${i}.test`), 1) !== undefined) told += 1;
  assert.equal(told, 29);
  const alarm = noticeOf({ ...event, kind: 'alarm' }, 'alarm');
  assert.deepEqual(flood.admit(alarm, 2), { untold: 20_000 - 29 });
  // Questions of workloads take nothing from alarms.
  const asks = noticeOf({ ...event, kind: 'session', action: 'access_requested' }, 'access');
  for (let i = 0; i < 1000; i += 1) flood.admit(asks, 2);
  for (let i = 0; i < 29; i += 1) assert.ok(flood.admit(alarm, 2));
  assert.equal(flood.admit(alarm, 2), undefined);
  // Two seconds are one more.
  assert.ok(flood.admit(alarm, 2_002));
  assert.ok(flood.admit(denial('a.test'), defaultLimits.noticeRepeatMs));
});

function asking(sessionId: string, root?: string): Notice {
  const details = { id: 'q', ...(root === undefined ? {} : { root }) };
  return noticeOf({ ...event, kind: 'session', action: 'question_asked', sessionId, details }, 'question');
}

test('one session with all that it made has a third of what is asked a minute, and the others are told of', () => {
  const flood = new NoticeFlood(30, 0);
  const toldOf = (notices: readonly Notice[], nowMs: number): number =>
    notices.filter((notice) => flood.admit(notice, nowMs) !== undefined).length;
  const children = Array.from({ length: 160 }, (_, i) => asking(`child-${i % 16}`, 'a'));
  assert.equal(toldOf([asking('a'), ...children], 0), 10);
  const access = noticeOf(
    { ...event, kind: 'session', action: 'access_requested', sessionId: 'a' },
    'access',
  );
  assert.equal(flood.admit(access, 0), undefined);
  assert.deepEqual(flood.admit(asking('b'), 0), { untold: 152 });
  assert.equal(
    toldOf(
      Array.from({ length: 50 }, () => asking('c')),
      0,
    ),
    10,
  );
  // Nine are left of all.
  assert.equal(
    toldOf(
      Array.from({ length: 50 }, () => asking('b')),
      0,
    ),
    9,
  );
  // A share grows with the time, and is never more than a third.
  assert.equal(toldOf(children, 6_000), 1);
  assert.equal(toldOf(children, 3_600_000), 10);
});

test('of one notice a minute a session does not have every one', () => {
  const flood = new NoticeFlood(1, 0);
  assert.ok(flood.admit(asking('a'), 0));
  assert.equal(flood.admit(asking('a'), 60_000), undefined);
  assert.ok(flood.admit(asking('b'), 60_000));
  assert.ok(flood.admit(asking('a'), 180_000));
});
