// Requests that policy could read as one thing and an origin as another: generated, each search with its seed.

import assert from 'node:assert/strict';
import { posix } from 'node:path';

import fc from 'fast-check';

import { changingWhat, fieldKey, tellingWho } from '../../../src/http/request-field-table.ts';
import { type Attack, type AttackTable, get, type Scale } from '../support/attack.ts';
import { type Arena, type Ports, usualPolicy } from '../support/arena.ts';
import { naiveProxy, victimOf } from '../support/naive-proxy.ts';
import type { SeenByOrigin } from '../support/attack-origins.ts';

const locked = ['/locked', '/@evil', '/a=b,c', "/it's"];

/** Denies by path, by parameter and by field, for a host that is open otherwise. */
function policy(ports: Ports): string {
  return `${usualPolicy(ports)}
  - { name: locked, hosts: allowed.test, paths: ['/locked/*', '/@evil/*', '/a=b,c/*', "/it's/*"], deny: true }
  - { name: roles, hosts: allowed.test, when: '"role" in request.parameters && "owner" in request.parameters["role"]', deny: true }
  - { name: acting, hosts: allowed.test, when: '"x-act-as" in request.headers', deny: true }
`;
}

const samples = <T>(arbitrary: fc.Arbitrary<T>, scale: Scale, seed: number): readonly T[] =>
  fc.sample(arbitrary, { numRuns: scale === 'full' ? 150 : 25, seed });

async function sendAll(
  a: Arena,
  requests: readonly string[],
  host: string,
): Promise<readonly SeenByOrigin[]> {
  const at = a.at(host);
  for (const request of requests) await a.send(at, request);
  return a.origins.seen.filter((seen) => seen.host === host);
}

/** As careless origins read a path, by code that is not ours. */
function readings(path: string): readonly string[] {
  const decoded = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };
  const [written = ''] = path.split('?');
  const levels = [written, decoded(written), decoded(decoded(written))];
  const cut = levels.flatMap((text) => [
    text,
    text.replaceAll(/;[^/]*/g, ''),
    text.replaceAll(/[?#].*/g, ''),
  ]);
  return cut.flatMap((text) => [text, posix.normalize(text), text.replaceAll('\\', '/')]);
}

function encodedChar(char: string): fc.Arbitrary<string> {
  const hex = char.charCodeAt(0).toString(16).padStart(2, '0');
  const plain = char === '/' ? ['/', '//', ';v=1/', '%2F', '%252F', '/;x/'] : [char];
  return fc.constantFrom(...plain, ...plain, `%${hex}`, `%25${hex}`, `%25%3${hex}`, `%${hex.toUpperCase()}`);
}

const disguised = (text: string): fc.Arbitrary<string> =>
  fc.tuple(...[...text].map(encodedChar)).map((parts) => parts.join(''));

function spelled(name: string): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(fc.constantFrom('-', '_', '.', '~'), fc.boolean()), {
      minLength: name.length,
      maxLength: name.length,
    })
    .map((ways) =>
      [...name]
        .map((char, i) => {
          const [separator, isUpper] = ways[i] ?? ['-', false];
          return char === '-' ? separator : isUpper ? char.toUpperCase() : char;
        })
        .join(''),
    );
}

const named = (names: ReadonlySet<string>): fc.Arbitrary<string> => fc.constantFrom(...names).chain(spelled);

const allowedPaths: Attack['run'] = async (a, scale) => {
  const pieces =
    '/.. /%2e%2e /%252e%252e %2f %252f %2f.. /admin ;x // %5c %255c /.%252e %3f /..%3b /x %2561 %40 %00 %2500 /..;/';
  const piece = fc.constantFrom(...pieces.split(' '));
  const targets = samples(fc.array(piece, { minLength: 1, maxLength: 5 }), scale, 1301);
  const requests = ['/x', ...targets.map((parts) => parts.join(''))].map((end) =>
    get('paths.test', `/public${end}`),
  );
  const seen = await sendAll(a, requests, 'paths.test');
  assert.ok(seen.length > 0);
  for (const { path } of seen)
    for (const reading of readings(path)) assert.match(reading, /^\/public(?:[/;?#]|$)/, path);
};

const deniedPaths: Attack['run'] = async (a, scale) => {
  const target = fc.constantFrom(...locked).chain((path) => disguised(`${path.slice(1)}/x`));
  const requests = samples(target, scale, 1302).map((text) => get('allowed.test', `/${text}`));
  const seen = await sendAll(a, [get('allowed.test', '/open/%40x'), ...requests], 'allowed.test');
  assert.ok(seen.length > 0);
  for (const { path } of seen)
    for (const reading of readings(path))
      assert.ok(!locked.some((one) => reading.startsWith(`${one}/`)), `${path} was let through`);
};

const parameters: Attack['run'] = async (a, scale) => {
  const pair = fc
    .tuple(disguisedOnce('role'), disguisedOnce('owner'), fc.constantFrom('&', ';', '&a=1&', '&;'))
    .map(([name, value, separator]) => `x=1${separator}${name}=${value}`);
  const requests = samples(pair, scale, 1501).map((query) => get('allowed.test', `/asked?${query}`));
  const seen = await sendAll(a, [get('allowed.test', '/asked?role=reader'), ...requests], 'allowed.test');
  assert.equal(seen.length, 1);
};

/** As a form encodes it. */
function disguisedOnce(text: string): fc.Arbitrary<string> {
  const character = (char: string): fc.Arbitrary<string> =>
    fc.constantFrom(
      char,
      `%${char.charCodeAt(0).toString(16)}`,
      `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return fc.tuple(...[...text].map(character)).map((parts) => parts.join(''));
}

const conditions: Attack['run'] = async (a, scale) => {
  const spelling = fc.constantFrom('x-act-as', 'X-Act-As', 'x_act_as', 'X_Act-As', 'x-act_as', 'X-ACT_AS');
  const requests = samples(spelling, scale, 1503).map((name) =>
    get('allowed.test', '/field', `${name}: root`),
  );
  assert.deepEqual(await sendAll(a, requests, 'allowed.test'), []);
};

const whatIsAsked: Attack['run'] = async (a, scale) => {
  for (const name of samples(named(changingWhat), scale, 1401)) {
    const reply = await a.send(a.at('api.allowed.test'), get('api.allowed.test', '/in', `${name}: /admin`));
    // What is taken off from every request needs no refusal.
    if (reply.status === 200) continue;
    assert.equal(reply.status, 403, name);
    assert.ok(reply.text.includes(name), reply.text);
  }
  for (const { rawHeaders } of a.origins.seen.filter(({ host }) => host === 'api.allowed.test'))
    for (let at = 0; at < rawHeaders.length; at += 2)
      assert.ok(!changingWhat.has(fieldKey(rawHeaders[at] ?? '')));
};

const whoAsks: Attack['run'] = async (a, scale) => {
  const requests = samples(named(tellingWho), scale, 1402).map((name) =>
    get('api.allowed.test', '/in', `${name}: root`),
  );
  const seen = await sendAll(a, requests, 'api.allowed.test');
  assert.equal(seen.length, requests.length);
  for (const { rawHeaders } of seen)
    for (let at = 0; at < rawHeaders.length; at += 2)
      assert.ok(!tellingWho.has(fieldKey(rawHeaders[at] ?? '')));
};

const methods: Attack['run'] = async (a, scale) => {
  const method = fc.constantFrom('COPY', 'MOVE', 'RENAME', 'BIND', 'REBIND', 'LINK', 'MERGE');
  const fields = fc.array(
    fc.constantFrom('Destination: /public/x', 'Overwrite: T', 'Depth: infinity', 'x-amz-copy-source: /b/k'),
  );
  for (const [name, more] of samples(fc.tuple(method, fields), scale, 1403)) {
    const request = get('api.allowed.test', '/in', ...more).replace('GET', name);
    const reply = await a.send(a.at('api.allowed.test'), request);
    assert.ok(reply.status === 403 || reply.status === 400, `${name}: ${reply.status}`);
  }
  assert.deepEqual(
    a.origins.seen.filter(({ host }) => host === 'api.allowed.test'),
    [],
  );
};

export const reading: AttackTable = {
  'READ-01': {
    policy,
    control: async () => {
      await using proxy = await naiveProxy('prefix-judged');
      const victim = await victimOf(proxy, get('allowed.test', '/public/%252e%252e/admin'));
      assert.equal(posix.normalize(decodeURIComponent(victim.url)), '/public/%2e%2e/admin');
      assert.equal(posix.normalize(decodeURIComponent(decodeURIComponent(victim.url))), '/admin');
    },
    run: allowedPaths,
  },
  'READ-02': { policy, run: deniedPaths },
  'READ-03': { policy, run: parameters },
  'READ-05': { policy, run: conditions },
  'READ-06': { policy, run: whatIsAsked },
  'READ-07': { policy, run: whoAsks },
  'READ-04': { policy, run: methods },
};
