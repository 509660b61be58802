import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  hasPlaceholder,
  substitutePlaceholder,
} from '../../../../src/gateway/credentials/request/placeholder.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { RequestHead } from '../../../../src/http/message-head.ts';
import { Secret } from '../../../../src/protocol/secret.ts';
import { canary } from '../../../support/canary.ts';
import { openCredentialScene } from '../support/credential-scene.ts';

const placeholder = 'upstreamproxy-placeholder-it';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

function headOf(
  change: Partial<RequestHead>,
  ...fields: readonly (readonly [string, string])[]
): RequestHead {
  return {
    method: 'GET',
    destination: { scheme: 'https', host: 'example.com', port: 443 },
    path: '/',
    query: '',
    httpVersion: '1.1',
    ...change,
    headers: new HeaderList(fields),
  };
}

test('text that merely mentions the placeholder is left alone', () => {
  const rows: readonly RequestHead[] = [
    headOf({}, ['x-note', `my token is ${placeholder}`]),
    headOf({}, ['x-note', `${placeholder}x`]),
    headOf({}, ['authorization', `Bearer ${placeholder} more`]),
    headOf({}, ['authorization', `Basic ${base64(`user:${placeholder}x`)}`]),
    headOf({}, ['authorization', `Basic ${base64(placeholder)}`]),
    headOf({ query: `?q=about+${placeholder}&${placeholder}=1&${placeholder}` }),
    headOf({ path: `/a/x${placeholder}/b` }),
  ];
  for (const head of rows) {
    assert.equal(hasPlaceholder(head, placeholder), false, JSON.stringify([...head.headers, head.query]));
    const { head: same } = substitutePlaceholder(head, placeholder, new Secret('s'));
    assert.deepEqual(same.headers.toRaw(), head.headers.toRaw());
    assert.equal(same.path + same.query, head.path + head.query);
  }
});

test('a secret cannot move the request to another path, or split Basic elsewhere', () => {
  const inPath = headOf({ path: `/bot/${placeholder}/send` });
  const { head } = substitutePlaceholder(inPath, placeholder, new Secret('a/../b?c'));
  assert.equal(head.path, '/bot/a%2F..%2Fb%3Fc/send');
  assert.throws(() => substitutePlaceholder(inPath, placeholder, new Secret('..')), {
    code: 'credential_unavailable',
  });
  const asUser = headOf({}, ['authorization', `Basic ${base64(`${placeholder}:x`)}`]);
  assert.throws(() => substitutePlaceholder(asUser, placeholder, new Secret('a:b')), {
    code: 'credential_unavailable',
  });
});

test('the placeholder is replaced in fields, Basic, query and path, and the secret comes back in nothing', async () => {
  const secret = canary('placeholder');
  await using scene = await openCredentialScene({
    credential: { kind: 'placeholder', source: { env: 'KEY' }, placeholder: { env: 'API_KEY' } },
    environment: { KEY: secret },
  });
  const basic = `Basic ${base64(`git:${placeholder}`)}`;
  await scene.get(`/in/${placeholder}/x?k=${placeholder}&q=1`, `X-Key: ${placeholder}`);
  await scene.get('/in/a', `Authorization: ${basic}`);
  await scene.get('/in/a', `Authorization: token ${placeholder}`);
  const [first, second, third] = scene.seen;
  assert.equal(first?.target, `/in/${secret}/x?k=${secret}&q=1`);
  assert.equal(first.headers['x-key'], secret);
  assert.equal(second?.headers.authorization, `Basic ${base64(`git:${secret}`)}`);
  assert.equal(third?.headers.authorization, `token ${secret}`);
  assert.match(scene.received(), /\/in\/\*+\/x\?k=\*+&q=1/);
  scene.assertKept(secret);
  const events = await scene.path.events(3);
  assert.ok(events.every((event) => event.injected?.join() === 'it'));
  assert.equal(events[0]?.path, `/in/${placeholder}/x?k=${placeholder}&q=1`);
});

test('the placeholder works only under its rule, and a request without it gets nothing', async () => {
  const secret = canary('elsewhere');
  await using scene = await openCredentialScene({
    credential: { kind: 'placeholder', source: { env: 'KEY' }, placeholder: { env: 'API_KEY' } },
    environment: { KEY: secret },
  });
  await scene.get('/out/a', `Authorization: Bearer ${placeholder}`);
  await scene.get('/in/a', 'Authorization: Bearer own');
  assert.deepEqual(
    scene.seen.map(({ headers }) => headers.authorization),
    [`Bearer ${placeholder}`, 'Bearer own'],
  );
  const events = await scene.path.events(2);
  assert.deepEqual(
    events.map((event) => event.injected),
    [[], []],
  );
  // Positive control: with the placeholder, under the rule, it goes.
  await scene.get('/in/a', `Authorization: Bearer ${placeholder}`);
  scene.assertKept(secret);
});
