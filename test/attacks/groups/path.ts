// Paths that one side reads in one way and the other in another.

import assert from 'node:assert/strict';

import { responded, get, nothingDialled, refused, type AttackTable } from '../support/attack.ts';
import type { Arena } from '../support/arena.ts';
import { naiveProxy, victimOf } from '../support/naive-proxy.ts';

/** None of these reaches the host whose rule opens `/public/*` only. */
async function refusedPaths(a: Arena, paths: readonly string[]): Promise<void> {
  const at = a.at('paths.test');
  for (const path of paths) refused(await a.send(at, get(at, path)), 400, 403);
  nothingDialled(a);
}

/** Whatever reaches the origin stays below `/public`. */
async function staysPublic(a: Arena, paths: readonly string[]): Promise<void> {
  const at = a.at('paths.test');
  for (const path of paths) responded(await a.send(at, get(at, path)), 200, 400, 403);
  for (const seen of a.origins.seen.filter(({ host }) => host === 'paths.test'))
    assert.match(seen.path, /^\/public(?:\/|\?|$)/);
}

export const path: AttackTable = {
  'PATH-01': {
    control: async () => {
      await using proxy = await naiveProxy('prefix-judged');
      const victim = await victimOf(proxy, get('allowed.test', '/public/%2e%2e/admin'));
      assert.equal(victim.url, '/admin');
    },
    run: (a) =>
      refusedPaths(a, [
        '/public/../admin',
        '/public/%2e%2e/admin',
        '/public/.%2E/admin',
        '/./public/../admin',
        '/public/..',
      ]),
  },
  'PATH-02': async (a) => {
    await refusedPaths(a, ['/public/%25252e/../../admin', '/%2570ublic/x', '/public/%252e%252e/admin']);
    // Decoded once, nowhere twice: what is judged, in both readings, is what is sent.
    await staysPublic(a, ['/public/%2561dmin']);
    assert.equal(a.lastEvent?.path, '/public/%2561dmin');
  },
  'PATH-03': async (a) => {
    await refusedPaths(a, ['//admin', '/public//../admin', '///admin', '//public/../admin']);
    await staysPublic(a, ['/public//admin']);
  },
  'PATH-04': (a) =>
    refusedPaths(a, ['/public;/../admin', '/public/..;/admin', '/admin;x=1', '/public/%3b/../../admin']),
  'PATH-05': (a) =>
    refusedPaths(a, [
      '/public%2f..%2fadmin',
      '/public%5c..%5cadmin',
      '/public\\..\\admin',
      '/%2fadmin',
      '/public/..%2fadmin',
    ]),
  'PATH-06': (a) =>
    refusedPaths(a, [
      '/admin%00.png',
      '/public/%00',
      '/%c0%ae%c0%ae/admin',
      '/public/%c0%ae%c0%ae/admin',
      '/%u002e%u002e/',
      '/public/%u002e',
      '/public/%zz',
      '/public/%',
    ]),
  'PATH-08': async (a) => {
    await refusedPaths(a, [
      '/public%3f/../admin',
      '/admin?x=/public',
      '//paths.test/public/x',
      '/admin?/public/',
    ]);
    await staysPublic(a, ['/public?/../../admin']);
    assert.equal(a.origins.seen.find(({ host }) => host === 'paths.test')?.path, '/public?/../../admin');
  },
  'PATH-10': async (a) => {
    const at = a.at('paths.test');
    const line = (first: string): string => `${first} HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`;
    for (const first of ['OPTIONS *', `GET ${at}`, 'GET *', 'GET public/x', 'GET ?x', 'GET /public/ok#frag'])
      refused(await a.send(at, line(first)), 400, 403);
    nothingDialled(a);
  },
};
