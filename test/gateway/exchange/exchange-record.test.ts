import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { HeaderList } from '../../../src/http/header-list.ts';
import type { RequestHead } from '../../../src/http/message-head.ts';
import { ExchangeRecord } from '../../../src/gateway/exchange/exchange-record.ts';
import type { AllowDecision, DenyDecision } from '../../../src/policy/decision.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { RecordingSink } from '../support/recording-sink.ts';
import { testPrincipal } from '../support/request-path.ts';

const seed = 20_261_126;
const destination = { scheme: 'https', host: 'api.test', port: 443 } as const;
const head: RequestHead = {
  destination,
  method: 'GET',
  path: '/a',
  query: '?b',
  headers: new HeaderList(),
  httpVersion: '1.1',
};
const rule = { name: 'api' };
const allow: AllowDecision = {
  effect: 'allow',
  rule,
  handling: 'intercept',
  inject: [],
  addresses: [],
  limits: {},
};
const deny: DenyDecision = { effect: 'deny', rule, reason: 'no', operatorReason: 'no rule' };
const connection = { address: '192.0.2.1', dialTimes: { resolvedMs: 0, dialledMs: 0 } };
const by = { policyVersion: 'abc' };
const fault = new ProxyError('timeout', 'late', { limit: 'idleTimeoutMs' });

function open(): { readonly sink: RecordingSink; readonly record: ExchangeRecord } {
  const sink = new RecordingSink();
  return { sink, record: new ExchangeRecord(sink, 'exchange', testPrincipal('alice'), 0) };
}

type Verb = (record: ExchangeRecord) => void;
/** Everything that can happen to an exchange. */
const verbs: Readonly<Record<string, Verb>> = {
  keep: (record) => record.keep(),
  asked: (record) => record.asked({ method: 'GET', target: '/a', protocol: 'h2', destination }),
  reached: (record) => record.reached(destination),
  validated: (record) => record.validated(head),
  pushRead: (record) => record.pushRead(head, { updates: [], options: [] }),
  allowed: (record) => record.decided(allow, by),
  awaiting: (record) => record.decided({ ...allow, awaits: 'git-commands' }, by),
  denied: (record) => record.decided(deny, by),
  explainedBy: (record) => record.explainedBy('raw'),
  injected: (record) => record.injected({ names: ['a'], stripped: ['b'] }, ['a', 'c']),
  dialled: (record) => record.dialled(connection),
  kept: (record) => record.dialled({ ...connection, isKept: true }),
  sent: (record) => record.sent(3),
  responded: (record) => record.responded(200),
  switched: (record) => record.switched(101, 'http/1.1'),
  received: (record) => record.received(5),
  scrubbed: (record) => record.scrubbed(1),
  succeeded: (record) => record.succeeded('h2'),
  servedHere: (record) => record.servedHere(200, { request: 0, response: 1 }),
  stayedSilent: (record) => record.stayedSilent(),
  refused: (record) => record.refused(fault, { operatorDetail: 'why' }),
  failed: (record) => record.failed(fault),
  cutShort: (record) => record.cutShort(fault),
  refusedWith: (record) => record.refusedWith(403),
  noted: (record) => record.noted({ refused: 2 }),
  unfinished: (record) => void record.unfinished(),
  ended: (record) => record.ended(),
};

test('whatever happens in whatever order, one valid event comes of it, and nothing is dialled that was not allowed', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...Object.keys(verbs)), { maxLength: 20 }), (names) => {
      const { sink, record } = open();
      let isAllowed = false;
      let isDenied = false;
      let hasEnded = false;
      for (const name of names) {
        try {
          verbs[name]?.(record);
        } catch (error) {
          assert.ok(error instanceof ProxyError && error.code === 'internal', String(error));
          continue;
        }
        if (hasEnded) continue;
        if (name === 'allowed') isAllowed = true;
        if (name === 'denied') isDenied = true;
        if (name === 'dialled' || name === 'kept' || name === 'injected' || name === 'succeeded')
          assert.ok(isAllowed && !isDenied, `${name} in ${names.join()}`);
        hasEnded = name === 'ended';
      }
      record.ended();
      record.ended();
      // The sink holds each event against the schema.
      assert.equal(sink.events.length, 1);
      assert.equal(sink.openTotal, 0);
    }),
    { seed, numRuns: 2000 },
  );
});

for (const [name, steps] of [
  ['a dial without a decision', ['dialled']],
  ['a dial after a denial', ['denied', 'dialled']],
  ['a dial while the decision awaits more of the request', ['awaiting', 'dialled']],
  ['a credential without a decision', ['injected']],
  ['a response of nobody', ['allowed', 'responded']],
  ['a second decision', ['allowed', 'denied']],
  ['success without a connection', ['allowed', 'succeeded']],
] as const) {
  test(`${name} is out of order`, () => {
    const { record } = open();
    const last = steps.at(-1) ?? '';
    for (const step of steps.slice(0, -1)) verbs[step]?.(record);
    assert.throws(() => verbs[last]?.(record), { code: 'internal', message: /cannot be/ });
  });
}

test('a decision that awaited more of the request is made again', () => {
  const { record, sink } = open();
  for (const step of ['awaiting', 'pushRead', 'allowed', 'dialled', 'responded', 'succeeded', 'ended'])
    verbs[step]?.(record);
  assert.deepEqual([sink.events[0]?.verdict, sink.events[0]?.rule], ['allow', 'api']);
});

test('what comes after the end changes nothing and is no fault: connections end later than exchanges', () => {
  const { record, sink } = open();
  verbs['allowed']?.(record);
  record.ended();
  const before = JSON.stringify(sink.events);
  for (const step of ['dialled', 'responded', 'sent', 'received', 'failed', 'ended']) verbs[step]?.(record);
  assert.equal(JSON.stringify(sink.events), before);
});

test('the policy explains a denial better than the error that it becomes', () => {
  const { record, sink } = open();
  verbs['denied']?.(record);
  record.refused(new ProxyError('policy_denied', 'for the workload'));
  record.ended();
  assert.deepEqual([sink.events[0]?.message, sink.events[0]?.errorCode], ['no rule', 'policy_denied']);
});

test('an unfinished exchange says what the policy had said', () => {
  const { record } = open();
  assert.equal(record.unfinished().decided, undefined);
  verbs['allowed']?.(record);
  assert.deepEqual([record.unfinished().verdict, record.unfinished().decided], ['unknown', 'allow']);
});
