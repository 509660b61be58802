// Rules with paths against servers that read paths in their own ways.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import fc from 'fast-check';

import { HeaderList } from '../../src/http/header-list.ts';
import { pathFeatures, readingsFor, readPath } from '../../src/http/path-reading.ts';
import { canonicalTarget } from '../../src/http/request-target.ts';
import type { CompiledPolicy } from '../../src/policy/compiled-policy.ts';
import {
  apacheDecoders,
  nginxDecoders,
  nodeDecoders,
  type PathDecoder,
  pythonDecoders,
} from '../support/path-decoders.ts';
import { skipWithout } from '../support/tools.ts';
import { nowMs, policyOf, principal } from './fixture.ts';

/** The path that goes to the origin, or undefined where the request is refused. */
function canonical(target: string): string | undefined {
  try {
    return canonicalTarget(target).path;
  } catch {
    return undefined;
  }
}

function decide(policy: CompiledPolicy, path: string): string {
  const destination = { scheme: 'https', host: 'a.test', port: 443 } as const;
  const access = {
    depth: 'request',
    destination,
    method: 'GET',
    path,
    query: '',
    headers: new HeaderList(),
  } as const;
  return policy.decide(principal(), access, nowMs).rule.name;
}

/** Every octet plain, encoded once, twice and in pieces, at the places of a path. */
function everyOctet(): readonly string[] {
  const targets: string[] = [];
  for (let octet = 0; octet < 0x100; octet++) {
    const hex = octet.toString(16).padStart(2, '0');
    const digits = [...hex].map((digit) => `%${digit.charCodeAt(0).toString(16)}`);
    const forms = [`%${hex}`, `%25${hex}`, `%25${digits.join('')}`, `%${hex}%25${hex}`];
    if (octet > 0x20 && octet < 0x7f && octet !== 0x23 && octet !== 0x3f)
      forms.push(String.fromCharCode(octet), `${String.fromCharCode(octet)}%${hex}`);
    for (const form of forms) targets.push(`/a${form}b/c`, `/${form}/c`, `/a/${form}`, `/a/..${form}/c`);
  }
  return targets;
}

/** The octets that a reading stands for; slashes that the reading keeps encoded stay so. */
function octetsOf(reading: string): readonly string[] {
  const decode = (text: string, hexOfOctet: RegExp): string =>
    text.replaceAll(hexOfOctet, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return [decode(reading, /%(?!2F)([0-9A-Fa-f]{2})/g), decode(reading, /%([0-9A-Fa-f]{2})/g)];
}

function readingsAsOctets(path: string): ReadonlySet<string> {
  const texts = readingsFor(pathFeatures(path)).map((reading) => readPath(path, reading));
  return new Set(texts.flatMap(octetsOf));
}

/** A file server drops the slash at the end. */
const withoutEnd = (path: string): string =>
  path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;

const closed = ['/admin', '/@evil', '/a:b', '/x;y', "/it's", '/a=b&c', '/$(x)', '/a+b,c!*'];
const opened = ['/public', '/@good', '/p:q'];

/** Ways to write a path so that somebody reads it as the path. */
function disguises(path: string): fc.Arbitrary<string> {
  const character = (char: string): fc.Arbitrary<string> => {
    const hex = char.charCodeAt(0).toString(16).padStart(2, '0');
    const once = `%${hex}`;
    const plain = char === '/' ? ['/', '//', ';v=1/', '%2F', '%252F', '/;x/'] : [char];
    return fc.constantFrom(
      ...plain,
      ...plain,
      once,
      once.toUpperCase(),
      `%25${hex}`,
      `%25%${hex.charCodeAt(0).toString(16)}${hex[1] ?? ''}`,
    );
  };
  return fc
    .tuple(...[...path].map(character))
    .map((parts) => `/${parts.join('').replace(/^(?:%2f|%252f|;v=1\/|\/)+/i, '')}`);
}

/** As the text of a pattern. */
const literal = (path: string): string => path.replaceAll(/[\\{}()*:?]/g, (char) => `\\${char}`);

const denying = policyOf(
  `rules:\n  - { name: open, hosts: a.test }\n${closed
    .map(
      (path, i) =>
        `  - { name: d${i}, hosts: a.test, deny: true, paths: ['${literal(`${path}/*`).replace('\\*', '*').replaceAll("'", "''")}'] }\n`,
    )
    .join('')}`.replaceAll('/\\*', '/*'),
);
const allowing = policyOf(
  `rules:\n${opened
    .map(
      (path, i) =>
        `  - { name: a${i}, hosts: a.test, paths: ['${literal(path)}/*', '${literal(path)}/:name/x'] }\n`,
    )
    .join('')}`,
);

function check(decoders: () => readonly PathDecoder[]): void {
  test('what a server reads is one of the readings, for every octet', async () => {
    const paths = [...new Set(everyOctet().flatMap((target) => canonical(target) ?? []))];
    for (const decoder of decoders()) {
      let read = 0;
      for (const [i, seen] of (await decoder.read(paths)).entries()) {
        const path = paths[i] ?? '';
        if (seen === undefined) continue;
        read += 1;
        const readings = readingsAsOctets(path);
        const isKnown = readings.has(seen) || [...readings].map(withoutEnd).includes(withoutEnd(seen));
        assert.ok(isKnown, `${decoder.name} reads ${path} as ${JSON.stringify(seen)}`);
      }
      assert.ok(read > 300, `${decoder.name} read ${read}`);
    }
  });

  test('no path that a server reads as a denied one is let through, and none that is let through is read as another', async () => {
    const denied = fc.sample(
      fc.constantFrom(...closed).chain((path) => disguises(`${path}/x`)),
      { numRuns: 1500, seed: 131 },
    );
    const allowed = fc.sample(
      fc
        .tuple(fc.constantFrom(...opened), fc.constantFrom(...opened, '/admin'))
        .chain(([path, other]) => disguises(`${path}${other}/x`)),
      { numRuns: 1500, seed: 132 },
    );
    const paths = [...new Set([...denied, ...allowed].flatMap((target) => canonical(target) ?? []))];
    for (const decoder of decoders()) {
      const [isDenied, isAllowed] = [new Set<string>(), new Set<string>()];
      for (const [i, seen] of (await decoder.read(paths)).entries()) {
        const path = paths[i] ?? '';
        if (seen === undefined) continue;
        const asClosed = closed.find((one) => seen.startsWith(`${one}/`));
        if (asClosed !== undefined) {
          isDenied.add(asClosed);
          assert.notEqual(decide(denying, path), 'open', `${decoder.name} reads ${path} as ${seen}`);
        }
        const rule = /^a(\d)$/.exec(decide(allowing, path))?.[1];
        if (rule === undefined) continue;
        isAllowed.add(rule);
        const prefix = opened[Number(rule)] ?? assert.fail();
        assert.ok(
          seen.startsWith(`${prefix}/`),
          `${decoder.name} reads ${path}, allowed below ${prefix}, as ${seen}`,
        );
      }
      assert.ok(isDenied.size > 4, `${decoder.name} read ${isDenied.size} of the closed paths`);
      assert.ok(isAllowed.size > 1, `${decoder.name} read ${isAllowed.size} of the opened paths`);
    }
  });
}

describe('in Node', () => {
  check(() => nodeDecoders);
});

describe('in Python', { skip: skipWithout('python3') }, () => {
  check(pythonDecoders);
});

for (const [program, start] of [
  ['nginx', nginxDecoders],
  ['apache2', apacheDecoders],
] as const) {
  describe(`in ${program}`, { skip: skipWithout(program) }, () => {
    let decoders: readonly PathDecoder[] = [];
    before(async () => {
      decoders = await start();
    });
    after(async () => {
      for (const decoder of decoders) await decoder[Symbol.asyncDispose]();
    });
    check(() => decoders);
  });
}
