import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeOpenFields, encodeOpenFields } from '../../src/protocol/open-fields.ts';

test('an absent field stays absent and is no property at all', () => {
  const fields = decodeOpenFields(encodeOpenFields({ authority: 'a.test:443', mode: 'tls', alpn: 'h2' }));
  assert.deepEqual(fields, { authority: 'a.test:443', mode: 'tls', alpn: 'h2' });
  assert.deepEqual(Object.keys(fields), ['authority', 'mode', 'alpn']);
});

test('a field of the largest length passes and a longer one is refused, not cut', () => {
  const authority = 'a'.repeat(0xffff);
  assert.equal(decodeOpenFields(encodeOpenFields({ authority, mode: 'raw' })).authority, authority);
  assert.throws(() => encodeOpenFields({ authority: `${authority}a`, mode: 'raw' }), {
    code: 'frame_too_large',
  });
});

test('the error names the field that is unreadable', () => {
  const payload = encodeOpenFields({ authority: 'a.test:443', mode: 'raw', sni: 'x' });
  payload[payload.length - 1] = 0xff;
  assert.throws(() => decodeOpenFields(payload), { code: 'frame_malformed', message: /field sni of open/ });
});
