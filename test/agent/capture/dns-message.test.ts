import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dnsCode, dnsType, readDnsRequest, writeDnsReply } from '../../../src/agent/capture/dns-message.ts';
import { encodeDnsName } from '../../../src/protocol/dns-name.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { dnsQuery } from './support/dns-client.ts';

function refusedCode(bytes: Uint8Array): number {
  const request = readDnsRequest(bytes);
  assert.equal(request.kind, 'refused');
  assert.equal(request.reply.length, 12);
  assert.deepEqual(
    [...request.reply.subarray(0, 2)],
    [...bytes.subarray(0, 2)],
    'the id is that of the question',
  );
  return (request.reply[3] ?? 0) & 15;
}

test('a question is read with its name in lower case, and echoed with the case that was asked in', () => {
  const request = readDnsRequest(dnsQuery('ApI.Example.COM', dnsType.a, { id: 0xbeef }));
  assert.equal(request.kind, 'query');
  const { query } = request;
  assert.deepEqual(
    [query.id, query.name, query.type, query.class, query.recursionDesired, query.edns],
    [0xbeef, 'api.example.com', 1, 1, true, undefined],
  );
  const reply = writeDnsReply(query, dnsCode.noError);
  assert.ok(Buffer.from(reply).includes('ApI'));
});

test('an answer has the id, the question, one record that points to its name, and EDNS if the question had it', () => {
  const request = readDnsRequest(dnsQuery('a.test', dnsType.a, { id: 7, edns: 0 }));
  assert.equal(request.kind, 'query');
  const record = { type: dnsType.a, ttlSeconds: 30, data: Uint8Array.of(198, 18, 1, 0) };
  const reply = Buffer.from(writeDnsReply(request.query, dnsCode.noError, [record]));
  const question = '0161 0474657374 00 0001 0001';
  const answer = 'c00c 0001 0001 0000001e 0004 c6120100';
  const opt = '00 0029 04d0 00000000 0000';
  const expected = `0007 8580 0001 0001 0000 0001 ${question} ${answer} ${opt}`.replaceAll(' ', '');
  assert.equal(reply.toString('hex'), expected);
});

test('an unknown version of EDNS is answered with BADVERS and no record', () => {
  const request = readDnsRequest(dnsQuery('a.test', dnsType.a, { edns: 3 }));
  assert.equal(request.kind, 'query');
  const record = { type: dnsType.a, ttlSeconds: 30, data: new Uint8Array(4) };
  const reply = writeDnsReply(request.query, dnsCode.noError, [record]);
  assert.equal(reply[7], 0, 'no answer');
  assert.equal(reply.at(-6), 1, 'the upper bits of 16');
});

test('what is an answer, too short or too long is ignored', () => {
  const query = dnsQuery('a.test', dnsType.a);
  const answer = Buffer.from(query);
  answer.writeUInt8((answer[2] ?? 0) | 0x80, 2);
  for (const bytes of [
    answer,
    query.subarray(0, 11),
    new Uint8Array(defaultLimits.captureDnsRequestBytesMax + 1),
  ])
    assert.deepEqual(readDnsRequest(bytes), { kind: 'ignored' });
});

test('another operation is not implemented', () => {
  const update = Buffer.from(dnsQuery('a.test', dnsType.a));
  update.writeUInt8(5 << 3, 2);
  assert.equal(refusedCode(update), dnsCode.notImplemented);
});

test('malformed messages get a format error', () => {
  const changed = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(dnsQuery('a.test', dnsType.a));
    bytes.writeUInt8(value, at);
    return bytes;
  };
  const cases: Record<string, Uint8Array> = {
    'no question': changed(5, 0),
    'two questions': changed(5, 2),
    'an answer in a question': changed(7, 1),
    'an authority in a question': changed(9, 1),
    'additional records that are not there': changed(11, 9),
    truncated: changed(2, 2),
    'a pointer in place of a name': changed(12, 0xc0),
    'a label that is longer than the message': changed(12, 60),
    'a label of 64 octets': changed(12, 64),
    'a dot inside a label': changed(13, 0x2e),
    'an end within the question': dnsQuery('a.test', dnsType.a).subarray(0, 20),
    'a name of more than 255 octets': dnsQuery(`${'a23456789.'.repeat(27)}test`, dnsType.a),
    'EDNS twice': Buffer.concat([changed(11, 2), Buffer.from('0000290200000000000000'.repeat(2), 'hex')]),
  };
  for (const [name, bytes] of Object.entries(cases))
    assert.equal(refusedCode(bytes), dnsCode.formatError, name);
});

test('every cut of a question is an error and never a fault', () => {
  const query = dnsQuery('some.longer.name.test', dnsType.a, { edns: 0 });
  for (let length = 12; length < query.length; length++)
    assert.equal(refusedCode(query.subarray(0, length)), dnsCode.formatError, `${length} octets`);
});

test('a name that cannot stand in a message is a RangeError', () => {
  assert.equal(Buffer.from(encodeDnsName('a.bc')).toString('latin1'), '\x01a\x02bc\0');
  for (const name of ['a..b', `${'x'.repeat(64)}.test`, 'abc.'.repeat(70) + 'x'])
    assert.throws(() => encodeDnsName(name), RangeError, name);
});
