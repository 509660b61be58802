// Secrets of a home go on a request only in one field, at one place, and for reads.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  HomeCredentials,
  type HomeCredentialUse,
} from '../../../../src/gateway/credentials/request/home-credentials.ts';
import { HeaderList } from '../../../../src/http/header-list.ts';
import type { RequestHead } from '../../../../src/http/message-head.ts';
import { defaultLimits } from '../../../../src/protocol/limits.ts';

const placeholder = 'npm_abcdefghijklmnop';
const secret = 'npm_the-real-token-0001';
const place = { host: 'r.test', port: 443, path: '/team' };

function homes(use: HomeCredentialUse = 'read', path = place.path): HomeCredentials {
  const credential = { name: '~/.npmrc', placeholder, secret, place: { ...place, path } };
  return new HomeCredentials([credential], use, defaultLimits);
}

/** What the rule that admitted the request says of secrets of the home. */
const readsByRule = { rule: { name: 'team', place: 'policy.yaml:3' } };
const writesByRule = { ...readsByRule, homeWrites: true } as const;

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

function head(
  change: Partial<RequestHead> = {},
  fields: readonly (readonly [string, string])[] = [],
): RequestHead {
  return {
    method: 'GET',
    destination: { scheme: 'https', host: 'r.test', port: 443 },
    path: '/team/package',
    query: '',
    headers: new HeaderList(fields.length === 0 ? [['Authorization', `Bearer ${placeholder}`]] : fields),
    httpVersion: '1.1',
    ...change,
  } as RequestHead;
}

test('it goes in Authorization, behind a scheme or as a part of Basic, to its place', () => {
  for (const [sent, gone] of [
    [`Bearer ${placeholder}`, `Bearer ${secret}`],
    [basic('u', placeholder), basic('u', secret)],
    [basic(placeholder, ''), basic(secret, '')],
  ] as const) {
    const injected = homes().inject(head({}, [['authorization', sent]]), readsByRule);
    assert.equal(injected?.head.headers.first('authorization'), gone);
    assert.equal(injected?.name, '~/.npmrc');
    assert.notEqual(injected?.searched, undefined);
  }
  assert.notEqual(homes().inject(head({ path: '/team' }), readsByRule), undefined);
  assert.notEqual(homes('read', '/').inject(head({ path: '/else' }), readsByRule), undefined);
});

test('another scheme, host, port, path or field leaves the placeholder as it is', () => {
  const others: readonly RequestHead[] = [
    head({ destination: { scheme: 'http', host: 'r.test', port: 443 } }),
    head({ destination: { scheme: 'https', host: 'evil.test', port: 443 } }),
    head({ destination: { scheme: 'https', host: 'sub.r.test', port: 443 } }),
    head({ destination: { scheme: 'https', host: 'r.test', port: 8443 } }),
    head({ path: '/teams' }),
    head({ path: '/other/team/package' }),
    head({ path: '/' }),
    head({}, [['X-Authorization', `Bearer ${placeholder}`]]),
    head({}, [['Cookie', `token=${placeholder}`]]),
    head({}, [['Authorization', placeholder]]),
    head({}, [['Authorization', `Bearer x${placeholder}`]]),
    head({}, [['Authorization', `Bearer ${placeholder} ${placeholder}`]]),
    head({}, [['Authorization', basic('u', `${placeholder}x`)]]),
    head({ query: `?token=${placeholder}` }, [['Accept', '*/*']]),
    head({}, [
      ['Authorization', `Bearer ${placeholder}`],
      ['Authorization', `Bearer ${placeholder}`],
    ]),
  ];
  for (const one of others)
    assert.equal(homes('write').inject(one, readsByRule), undefined, JSON.stringify(one));
});

test('without a word for writes it serves reads and the fetch of git', () => {
  const allowed: readonly Partial<RequestHead>[] = [
    { method: 'GET' },
    { method: 'HEAD' },
    { method: 'POST', path: '/team/x.git/git-upload-pack' },
    { path: '/team/x.git/info/refs', query: '?service=git-upload-pack' },
  ];
  const refused: readonly Partial<RequestHead>[] = [
    ...['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'REPORT'].map((method) => ({ method })),
    { method: 'POST', path: '/team/x.git/git-receive-pack' },
    { method: 'PUT', path: '/team/git-upload-pack' },
    { path: '/team/x.git/info/refs', query: '?service=git-receive-pack' },
  ];
  for (const one of allowed)
    assert.notEqual(homes().inject(head(one), readsByRule), undefined, JSON.stringify(one));
  for (const one of refused) {
    assert.throws(() => homes().inject(head(one), readsByRule), {
      code: 'policy_denied',
      message: /--home-credentials=write .*homeCredentials: write in the rule team$/,
    });
    assert.notEqual(homes('write').inject(head(one), readsByRule), undefined);
    assert.notEqual(homes().inject(head(one), writesByRule), undefined);
  }
});
