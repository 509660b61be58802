import assert from 'node:assert/strict';
import test from 'node:test';

import fc from 'fast-check';

import { pathFeatures, readingsFor, readPath } from '../../src/http/path-reading.ts';
import { canonicalTarget, parseAbsoluteTarget, pathAmbiguity } from '../../src/http/request-target.ts';

function path(target: string): string {
  return canonicalTarget(target).path;
}

function refused(...targets: string[]): void {
  for (const target of targets)
    assert.throws(() => canonicalTarget(target), { code: 'request_malformed' }, target);
}

test('dot segments are gone, however they are encoded', () => {
  const targets = [
    '/public/../admin',
    '/public/%2e%2e/admin',
    '/public/.%2E/admin',
    '/./public/../admin',
    '/../admin',
    '/a/b/../../admin',
  ];
  for (const target of targets) assert.equal(path(target), '/admin', target);
  assert.equal(path('/a/b/..'), '/a/');
  assert.equal(path('/a/.'), '/a/');
  assert.equal(path('/..'), '/');
  assert.equal(path('/...'), '/...');
  assert.equal(path('/a../.b'), '/a../.b');
});

test('a dot segment that only some origins see is refused', () => {
  refused(
    '/public/..;/admin',
    '/public/.;x/admin',
    '/public/..%3b/admin',
    '/public%2f..%2fadmin',
    '/a/..%2fadmin',
  );
  refused('/public/%2e%2e%2fadmin', '/a%2F%2e', '/x%2f..;y', '/public//../admin');
});

test('what is refused plainly is refused where an origin sees it by decoding twice, or by cutting off', () => {
  refused('/%252e%252e/admin', '/a/.%252E', '/a%252f..', '/a%252F%252e%252e%252Fb', '/..%253bx/a');
  refused(
    '/a/%252e',
    '/a/..%3Fx',
    '/a/..%23',
    '/a/..%253Fx',
    '/a%255cb',
    '/a%2500',
    '/a%250d%250ab',
    '/a%257f',
  );
});

test('an encoded slash stays inside its segment, with a name on both sides', () => {
  assert.equal(path('/@scope%2fname'), '/@scope%2Fname');
  assert.equal(
    path('/api/v4/projects/group%2Fsub%2Fproject/files'),
    '/api/v4/projects/group%2Fsub%2Fproject/files',
  );
  refused('/%2fadmin', '/admin%2f', '/a%2F%2Fb', '/a%2f;x');
});

test('backslashes are refused, plain and encoded', () => {
  refused('/public\\..\\admin', '/public%5c..%5cadmin', '/a%5Cb');
});

test('NUL, controls, overlong UTF-8 and broken percent-encoding are refused', () => {
  refused(
    '/admin%00.png',
    '/a%0d%0aX:%20b',
    '/a%7f',
    '/a%1F',
    '/%c0%ae%c0%ae/admin',
    '/%e0%80%ae/',
    '/%f0%80%80%ae',
    '/%C1%9C',
  );
  refused(
    '/%u002e%u002e/',
    '/%zz',
    '/%',
    '/%2',
    '/a%',
    '/%e9',
    '/%ff',
    '/%c3',
    '/%c3x',
    '/%a9',
    '/%ed%a0%80',
    '/%f5%80%80%80',
  );
  refused('/a b', '/a\tb', '/a\r\nb', '/a\0b', '/a\u0100');
});

test('well-formed UTF-8 stays, and raw bytes become its encoding', () => {
  assert.equal(path('/caf%c3%a9/%e2%82%ac/%f0%9f%98%80'), '/caf%C3%A9/%E2%82%AC/%F0%9F%98%80');
  assert.equal(path('/caf\xc3\xa9'), '/caf%C3%A9');
});

test('percent-encoding has one form: unreserved decoded, hex in upper case, reserved kept as they came', () => {
  assert.equal(path('/%7euser/%41-%5f%2E'), '/~user/A-_.');
  assert.equal(path('/a%3ab%40c%2b:@+'), '/a%3Ab%40c%2B:@+');
  assert.equal(path('/{id}|"<>[]^`'), '/%7Bid%7D%7C%22%3C%3E%5B%5D%5E%60');
  assert.equal(path('/a%252eb/%2525'), '/a%252eb/%2525');
});

test('slashes are neither merged nor taken for an authority', () => {
  assert.equal(path('//allowed.test/admin'), '//allowed.test/admin');
  assert.equal(path('/bucket//key/'), '/bucket//key/');
});

test('the path ends at the first plain question mark', () => {
  assert.deepEqual(canonicalTarget('/public?/../../admin'), { path: '/public', query: '?/../../admin' });
  assert.deepEqual(canonicalTarget('/public%3f/../admin'), { path: '/admin', query: '' });
  assert.deepEqual(canonicalTarget('/admin?x=/public?y'), { path: '/admin', query: '?x=/public?y' });
  assert.deepEqual(canonicalTarget('/x?'), { path: '/x', query: '?' });
});

test('the query keeps its bytes, except for what HTTP forbids', () => {
  assert.equal(canonicalTarget('/x?sig=a%2fb%7E&c[]={1|2}').query, '?sig=a%2fb%7E&c[]={1|2}');
  assert.equal(canonicalTarget('/x?q=100%&r=%zz&h=%00%ff').query, '?q=100%25&r=%25zz&h=%00%ff');
  assert.equal(canonicalTarget('/x?q=\xc3\xa9').query, '?q=%C3%A9');
  refused('/x?a b', '/x?a\r\nb', '/x?a\u2028');
});

test('fragments and targets without a leading slash are refused', () => {
  refused('/a#b', '/a?b#c', '', 'allowed.test:443', '*', '?x', 'http://allowed.test/');
});

test('an absolute target gives its destination and the rest', () => {
  assert.deepEqual(parseAbsoluteTarget('HTTP://Allowed.TEST./a?b'), {
    destination: { scheme: 'http', host: 'allowed.test', port: 80 },
    target: '/a?b',
  });
  assert.deepEqual(parseAbsoluteTarget('https://[::1]:8443?x'), {
    destination: { scheme: 'https', host: '::1', port: 8443 },
    target: '/?x',
  });
  assert.equal(parseAbsoluteTarget('https://allowed.test')?.target, '');
  assert.equal(parseAbsoluteTarget('/a://b'), undefined);
  assert.equal(parseAbsoluteTarget('allowed.test:443'), undefined);
});

test('an absolute target with user information, an odd host or another scheme is refused', () => {
  for (const url of [
    'http://u@allowed.test/',
    'http://allowed.test@evil.test/',
    'http://[evil.test]/',
    'http://evil%2etest/',
    'http:///x',
    'http://a.test:0/',
  ]) {
    assert.throws(() => parseAbsoluteTarget(url), { code: 'authority_malformed' }, url);
  }
  for (const url of ['http://a.test\\@b.test/', 'http://a.test#@b.test/']) {
    assert.throws(() => parseAbsoluteTarget(url), { code: 'request_malformed' }, url);
  }
  for (const url of [
    'ftp://allowed.test/',
    'gopher://127.0.0.1:6379/_x',
    'file:///etc/passwd',
    'ws://allowed.test/',
    'http+unix://%2fvar/',
  ]) {
    assert.throws(() => parseAbsoluteTarget(url), { code: 'request_malformed' }, url);
  }
});

test('what origins may read differently is named', () => {
  for (const ambiguous of ['/a%2Fb', '/a;x=1', '/a%3Bx', '/a//b', '//b', '/%2561/', '/%40b'])
    assert.ok(pathAmbiguity(ambiguous), ambiguous);
  for (const plain of ['/', '/a/b/', '/caf%C3%A9', '/100%25', '/a:b@c', '/a%20b'])
    assert.equal(pathAmbiguity(plain), undefined, plain);
});

test('canonicalising twice changes nothing, and the output is plain ASCII without dot segments', () => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%2F',
    'a',
    '%41',
    ';',
    '%',
    '%25',
    '?',
    '\xc3\xa9',
    '%c3%a9',
    '%5c',
    '//',
    ':',
    '{',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const target = `/${pieces.join('')}`;
      let first;
      try {
        first = canonicalTarget(target);
      } catch {
        return;
      }
      assert.deepEqual(canonicalTarget(first.path + first.query), first);
      assert.match(first.path, /^\/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*$/);
      assert.doesNotMatch(first.path, /\/\.\.?(?:\/|$)/);
      for (const reading of readingsFor(pathFeatures(first.path)))
        assert.doesNotMatch(readPath(first.path, reading), /\/\.\.?(?:\/|$)/);
    }),
    { numRuns: 2000 },
  );
});
