import assert from 'node:assert/strict';
import { test } from 'node:test';

import { doctorResponse, type DoctorRequest } from '../../../src/gateway/exchange/doctor-response.ts';

const request = (path: string, more: Partial<DoctorRequest> = {}): DoctorRequest => ({
  method: 'GET',
  path,
  query: '',
  scheme: 'https',
  protocol: 'h2',
  // The response reads its session alone.
  principal: { id: 'p', sessionId: 'ses_1' } as DoctorRequest['principal'],
  ports: [5432],
  nowMs: 0,
  ...more,
});

test('it says by what the gateway was reached, and repeats the word of the client', () => {
  assert.deepEqual(JSON.parse(doctorResponse(request('/doctor/w0rd')).text), {
    ok: true,
    doctor: 'w0rd',
    session: 'ses_1',
    scheme: 'https',
    protocol: 'h2',
    ports: [5432],
    time: '1970-01-01T00:00:00.000Z',
  });
  assert.equal('doctor' in JSON.parse(doctorResponse(request('/doctor')).text), false);
});

test('every kind of client finds what its command asks for, with the word in it', () => {
  const paths = [
    '/doctor/npm/w0rd/-/ping',
    '/doctor/simple/w0rd/w0rd/',
    '/doctor/cargo/w0rd/config.json',
    '/doctor/cargo/w0rd/api/v1/crates',
    '/doctor.git/w0rd/info/refs',
    '/doctor/status/w0rd/anything/below',
  ];
  for (const path of paths) {
    const response = doctorResponse(request(path));
    assert.match(response.text, /w0rd/, path);
    assert.equal(response.status, path.includes('/status/') ? 418 : 200, path);
  }
  const references = doctorResponse(request('/doctor.git/w0rd/info/refs')).text;
  assert.match(
    references,
    /^001e# service=git-upload-pack\n00000[0-9a-f]{3}[0-9a-f]{40} refs\/heads\/w0rd\0\n0000$/,
  );
});

test('a word is short and plain, and nothing else gets a response', () => {
  for (const path of ['/doctor/<b>', `/doctor/${'a'.repeat(41)}`, '/doctor/a/b', '/doctor.git/a/HEAD'])
    assert.throws(() => doctorResponse(request(path)), { code: 'access_unknown' }, path);
  assert.throws(() => doctorResponse(request('/doctor', { method: 'POST' })), { code: 'access_unknown' });
  assert.equal(doctorResponse(request('/doctor/status/a', { method: 'OPTIONS' })).status, 418);
});
