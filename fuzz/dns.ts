// Fuzz target: a message to the resolver, as latin1 text. It is answered or ignored and never a fault; an answer has
// the id and the question that it answers, only records that point to it, and the map stays bounded. Options as in run-target.ts.

import assert from 'node:assert/strict';

import { readDnsRequest } from '../src/agent/capture/dns-message.ts';
import { FakeAddresses } from '../src/agent/capture/fake-addresses.ts';
import { answerDns } from '../src/agent/capture/resolver.ts';
import { generatedDnsQuery } from '../test/support/generated-dns-query.ts';
import { runTarget } from './run-target.ts';

const names = [
  'api.allowed.test',
  'ALLOWED.test',
  'localhost',
  'a.localhost',
  '0.1.18.198.in-addr.arpa',
  '1.2.3.4',
  'single',
  '',
  `${'b.'.repeat(120)}test`,
  `${'x'.repeat(63)}.test`,
  'a b.test',
];
const namesMax = 8;
const addresses = new FakeAddresses({ namesMax });

await runTarget({
  name: 'dns',
  generate: (random) => generatedDnsQuery(random, names),
  check(input) {
    const bytes = Buffer.from(input, 'latin1');
    const reply = answerDns(bytes, addresses);
    assert.ok(addresses.size <= namesMax);
    if (reply === undefined) return false;
    const answer = Buffer.from(reply);
    assert.equal(answer.readUInt16BE(0), bytes.readUInt16BE(0));
    assert.equal(readDnsRequest(reply).kind, 'ignored', 'an answer is no question');
    assert.ok(answer.length <= 512, 'it fits without EDNS');
    const request = readDnsRequest(bytes);
    if (request.kind !== 'query') return false;
    const { question } = request.query;
    assert.deepEqual([...answer.subarray(12, 12 + question.length)], [...question]);
    let at = 12 + question.length;
    for (let count = answer.readUInt16BE(6); count > 0; count--) {
      assert.equal(answer.readUInt16BE(at), 0xc00c);
      at += 12 + answer.readUInt16BE(at + 10);
    }
    for (let count = answer.readUInt16BE(10); count > 0; count--) at += 11;
    assert.equal(at, answer.length, 'nothing stands behind the records');
    return true;
  },
});
