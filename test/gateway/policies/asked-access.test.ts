import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { askedRequest, judgedAccess, withAskedBody } from '../../../src/gateway/policies/asked-access.ts';
import { nowMs, policyOf, principal } from '../../policy/fixture.ts';

test('where TLS passes unopened the connection is what is decided about', () => {
  const policy = policyOf(`rules:
  - { name: pass, hosts: pin.example.com, tls: passthrough }
  - { name: raw, hosts: db.example.com, scheme: tcp, ports: 5432 }
  - { name: read, hosts: api.example.com }`);
  const judged = (url: string): string => {
    const access = judgedAccess(askedRequest('GET', url), (asked) =>
      policy.decide(principal(), asked, nowMs),
    );
    return `${access.depth} ${access.destination.scheme}`;
  };
  assert.equal(judged('https://pin.example.com/x'), 'connect https');
  assert.equal(judged('https://db.example.com:5432/x'), 'connect tcp');
  assert.equal(judged('https://api.example.com/x'), 'request https');
  // To a proxy it is sent as a request.
  assert.equal(judged('http://pin.example.com/x'), 'request http');
});

const post = (...fields: readonly string[]) => askedRequest('POST', 'https://api.example.com/', fields);

test('a body is read as the gateway reads it: of JSON where nothing says what it is, decoded, and bounded', async () => {
  const kindOf = async (octets: string | Buffer, ...fields: readonly string[]): Promise<string> => {
    const { body } = await withAskedBody(post(...fields), Buffer.from(octets), 100);
    return body?.kind === 'unreadable' ? body.reason : String(body?.kind);
  };
  assert.equal(await kindOf('{"a":1}'), 'json');
  assert.equal(await kindOf(''), 'none');
  assert.equal(
    await kindOf(gzipSync('{"a":1}'), 'Content-Type', 'application/json', 'Content-Encoding', 'gzip'),
    'json',
  );
  assert.match(await kindOf('{"a":1,"a":2}'), /second time/);
  assert.match(await kindOf('{"a":1}', 'Content-Type', 'text/plain'), /not one of JSON/);
  assert.match(await kindOf('{"a":1}', 'Content-Encoding', 'gzip'), /not encoded/);
  const { headers } = await withAskedBody(post(), Buffer.from('1'), 100);
  assert.equal(headers.first('content-type'), 'application/json');
  await assert.rejects(withAskedBody(post(), Buffer.from('[1,2]'), 4), { code: 'body_too_large' });
});
