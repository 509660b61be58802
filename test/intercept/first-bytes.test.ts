import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { classifyFirstBytes } from '../../src/intercept/first-bytes.ts';
import type { FirstBytesKind } from '../../src/intercept/first-bytes.ts';

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';

const cases: readonly (readonly [name: string, bytes: Uint8Array, kind: FirstBytesKind])[] = [
  ['nothing', latin1(''), 'incomplete'],
  ['a handshake record', latin1('\x16\x03\x01\x02\x00\x01'), 'tls'],
  ['a handshake record of version 3.3', latin1('\x16\x03\x03\x40\x00'), 'tls'],
  ['a record header without its length', latin1('\x16\x03\x01\x02'), 'incomplete'],
  ['the first octet of a record', latin1('\x16'), 'incomplete'],
  ['a record of another major version', latin1('\x16\x02\x01\x00\x10'), 'other'],
  ['a record without contents', latin1('\x16\x03\x01\x00\x00'), 'other'],
  ['a record longer than TLS allows', latin1('\x16\x03\x01\x40\x01'), 'other'],
  ['an alert record', latin1('\x15\x03\x01\x00\x02'), 'other'],
  ['an SSLv2 hello', latin1('\x80\x2e\x01\x00\x02'), 'other'],
  ['GET', latin1('GET / HTTP/1.1\r\n'), 'http'],
  ['a method and a space', latin1('POST '), 'http'],
  ['a method without a space yet', latin1('DELET'), 'incomplete'],
  ['a method with punctuation', latin1('M-SEARCH * HTTP/1.1'), 'http'],
  ['CONNECT inside', latin1('CONNECT a:443 HTTP/1.1'), 'http'],
  ['a method in lower case, which the parser responses', latin1('get / HTTP/1.1'), 'http'],
  ['a method that begins like the preface', latin1('PROPFIND / HTTP/1.1'), 'http'],
  ['a method PRI', latin1('PRI /x HTTP/1.1'), 'http'],
  ['the preface', latin1(preface), 'http2'],
  ['the preface and what follows', latin1(`${preface}\0\0\0\x04`), 'http2'],
  ['the preface but its last octet', latin1(preface.slice(0, -1)), 'incomplete'],
  ['a first word of 31 octets', latin1(`${'A'.repeat(31)} `), 'http'],
  ['a first word of 32 octets', latin1('A'.repeat(32)), 'other'],
  ['a first word of 31 octets, unfinished', latin1('A'.repeat(31)), 'incomplete'],
  ['a space first', latin1(' GET /'), 'other'],
  ['an empty line first', latin1('\r\nGET / HTTP/1.1'), 'http'],
  ['an empty line and no more', latin1('\r\n'), 'incomplete'],
  ['half an empty line', latin1('\r'), 'incomplete'],
  ['two empty lines first', latin1('\r\n\r\nGET / HTTP/1.1'), 'other'],
  ['a bare LF first', latin1('\nGET / HTTP/1.1'), 'other'],
  ['an empty line before TLS', latin1('\r\n\x16\x03\x01\x02\x00\x01'), 'other'],
  ['an empty line before a first word of 32 octets', latin1(`\r\n${'A'.repeat(32)}`), 'other'],
  ['SSH', latin1('SSH-2.0-OpenSSH_9.9\r\n'), 'other'],
  ['SSH with the comment of a distribution', latin1('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'), 'other'],
  ['a method that begins like SSH', latin1('SSH / HTTP/1.1'), 'http'],
  ['SOCKS 5', latin1('\x05\x01\x00'), 'other'],
  ['a PostgreSQL start', latin1('\x00\x00\x00\x08\x04\xd2\x16\x2f'), 'other'],
  ['Redis', latin1('*1\r\n$4\r\nPING\r\n'), 'other'],
  ['MQTT', latin1('\x10\x0c\x00\x04MQTT'), 'other'],
  ['octets above ASCII', latin1('G\xcbT / HTTP/1.1'), 'other'],
];

describe('the first bytes', () => {
  for (const [name, bytes, kind] of cases) {
    test(`${name}: ${kind}`, () => {
      assert.equal(classifyFirstBytes(bytes), kind);
    });
  }

  test('give the same verdict however they are cut: it never changes once it is there', () => {
    for (const [name, bytes, kind] of cases) {
      let verdict: FirstBytesKind = 'incomplete';
      for (let length = 0; length <= bytes.length; length++) {
        const now = classifyFirstBytes(bytes.subarray(0, length));
        if (verdict !== 'incomplete') assert.equal(now, verdict, `${name} at ${String(length)}`);
        verdict = now;
      }
      assert.equal(verdict, kind, name);
    }
  });

  test('decide within 32 octets', () => {
    for (let first = 0; first < 256; first++) {
      for (const fill of [0x00, 0x03, 0x20, 0x41, 0xff]) {
        const bytes = new Uint8Array(32).fill(fill);
        bytes[0] = first;
        assert.notEqual(classifyFirstBytes(bytes), 'incomplete', `${String(first)} ${String(fill)}`);
      }
    }
  });
});
