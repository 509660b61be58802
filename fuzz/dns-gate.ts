// Fuzz target: messages of DNS at a rule with `dns`, as latin1 text. What passes is what the resolver of the agent reads in the same way; a
// refusal is a response to its very query; and no response passes twice, or without its query. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { readDnsRequest } from '../src/agent/capture/dns-message.ts';
import { DnsGate } from '../src/gateway/datagrams/dns-gate.ts';
import { readDnsQuery, readDnsResponse } from '../src/gateway/datagrams/dns-message.ts';
import { parseHostPattern } from '../src/policy/host-pattern.ts';
import { defaultLimits } from '../src/protocol/limits.ts';
import { generatedDnsQuery } from '../test/support/generated-dns-query.ts';
import { runTarget } from './run-target.ts';

const names = [
  'api.allowed.test',
  'API.Allowed.TEST',
  'allowed.test',
  'a.b.allowed.test',
  'other.test',
  'xallowed.test',
  'allowed.test.other.test',
  '',
  'under_score.allowed.test',
  `${'b.'.repeat(110)}allowed.test`,
  `${'x'.repeat(63)}.allowed.test`,
  'a b.allowed.test',
];

function patterns() {
  const parsed = parseHostPattern('*.allowed.test', 'allow');
  if (typeof parsed === 'string') assert.fail(parsed);
  return [[parsed]];
}

await runTarget({
  name: 'dns-gate',
  generate: (random) => generatedDnsQuery(random, names),
  check(input) {
    const bytes = Buffer.from(input, 'latin1');
    const gate = new DnsGate(patterns());
    assert.equal(gate.response(bytes), false, 'nothing was asked');
    const gated = gate.query(bytes);
    const question = readDnsQuery(bytes);
    assert.equal(gated.kind === 'dropped', question === undefined);
    if (question === undefined) return false;
    assert.ok(bytes.length <= defaultLimits.dnsQueryBytesMax);
    const other = readDnsRequest(bytes);
    if (other.kind !== 'query') assert.fail('another reader takes it for something else');
    assert.deepEqual(
      [other.query.name, other.query.type, other.query.class],
      [question.name, question.type, 1],
      'two readers read the same',
    );
    const isAllowed = question.name.endsWith('.allowed.test');
    assert.equal(gated.kind, isAllowed ? 'passes' : 'refused', question.name);
    const response = Buffer.from(gated.kind === 'refused' ? gated.reply : bytes);
    response.writeUInt8(response.readUInt8(2) | 0x80, 2);
    assert.equal(readDnsResponse(response), question.key, 'it responds to this query');
    assert.equal(readDnsQuery(response), undefined, 'a response is no query');
    assert.equal(gate.response(response), isAllowed, 'a refused query waits for nothing');
    assert.equal(gate.response(response), false, 'one response for each query');
    return true;
  },
});
