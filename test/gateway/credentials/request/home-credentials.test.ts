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

const github = { entry: 'github', host: 'api.github.com' };
const key = 'sk-abcdefghijklmnopqrstu';

/** A token of two places, and a key with a field of its own. */
function variables(host = 'api.github.com', path = '/'): HomeCredentials {
  const token = { placeholder, secret, isVariable: true } as const;
  return new HomeCredentials(
    [
      { ...token, name: 'GH_TOKEN', place: { host, port: 443, path }, service: github },
      {
        ...token,
        name: 'GH_TOKEN',
        place: { host: 'github.com', port: 443, path: '/' },
        service: { ...github, host: 'github.com' },
      },
      {
        name: 'KEY',
        placeholder: key,
        secret: 'the-key',
        isVariable: true,
        field: 'x-api-key',
        place: { host: 'models.test', port: 443, path: '/' },
      },
    ],
    'read',
    defaultLimits,
  );
}

function gone(
  homes: HomeCredentials,
  host: string,
  change: Partial<RequestHead>,
  fields = [['Authorization', `token ${placeholder}`]] as [string, string][],
): string | undefined {
  const destination = { scheme: 'https', host, port: 443 } as const;
  const injected = homes.inject(head({ destination, ...change }, fields), readsByRule);
  return injected?.head.headers.first(fields[0]?.[0].toLowerCase() ?? '');
}

test('of a variable it goes to each of its places, in its field, for reads and writes', () => {
  assert.equal(
    gone(variables(), 'api.github.com', { method: 'POST', path: '/repos/a/b/issues' }),
    `token ${secret}`,
  );
  assert.equal(
    gone(variables(), 'github.com', { path: '/a/b/info/refs' }, [
      ['Authorization', basic('x-access-token', placeholder)],
    ]),
    basic('x-access-token', secret),
  );
  assert.equal(gone(variables(), 'other.test', {}), undefined);
  assert.equal(gone(variables(), 'models.test', { method: 'POST' }, [['X-Api-Key', key]]), 'the-key');
  // The key of one field in another, and the token of another service in this one.
  assert.equal(gone(variables(), 'models.test', {}, [['Authorization', `Bearer ${key}`]]), undefined);
  assert.equal(gone(variables(), 'models.test', {}, [['X-Api-Key', placeholder]]), undefined);
  assert.equal(gone(variables(), 'api.github.com', {}, [['X-Api-Key', key]]), undefined);
});

test('a response to it is looked at for tokens, unless the service has members of that name that clients need', () => {
  const one = {
    placeholder,
    secret,
    name: 'T',
    isVariable: true,
    place: { host: 'r.test', port: 443, path: '/' },
  } as const;
  const looks = (plainTokens?: true): boolean | undefined => {
    const service = {
      entry: 'linear',
      host: 'r.test',
      ...(plainTokens === undefined ? {} : { plainTokens }),
    };
    return new HomeCredentials([{ ...one, service }], 'read', defaultLimits).inject(head(), readsByRule)
      ?.looksForTokens;
  };
  assert.deepEqual([looks(), looks(true)], [true, false]);
});

test('of a variable it is not asked for more secrets, wherever the service stands', () => {
  const refused = {
    code: 'policy_denied',
    message: /not asked for more secrets: GitHub: logs of runs.*--keep-env/,
  };
  const path = '/repos/a/b/actions/runs/1/logs';
  assert.throws(() => gone(variables(), 'api.github.com', { path }), refused);
  const own = variables('ghe.test', '/api/v3');
  assert.throws(() => gone(own, 'ghe.test', { path: `/api/v3${path}` }), refused);
  assert.throws(() => gone(variables('ghe.test'), 'ghe.test', { path: `/api/v3${path}` }), refused);
  assert.equal(gone(own, 'ghe.test', { path: '/api/v3/user' }), `token ${secret}`);
  // Without the secret it is the policy's business alone.
  assert.equal(gone(variables(), 'api.github.com', { path }, [['Authorization', 'token x']]), undefined);
});
