// The cases of x509-limbo's group `nc` by what they say, with certificates of our own, and those that it leaves out.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { der, derInteger, derSequence } from '../../src/pki/der.ts';
import { constraintViolation } from '../../src/pki/name-constraints.ts';
import {
  addressName,
  commonName,
  country,
  directory,
  directoryNameOf,
  dnsName,
  makeCertificate,
  organization,
} from '../support/certificate-chain.ts';
import type { CertificateShape } from '../support/certificate-chain.ts';

const key = makeCertificate({}).key;
const foo = [commonName, 'foo'] as const;
const notFoo = [commonName, 'not-foo'] as const;
const net = addressName(192, 0, 2, 0, 255, 255, 255, 0);
const inNet = addressName(192, 0, 2, 1);
const six = (last: number): number[] => [...Array.from({ length: 15 }, () => 0), last];
const mail = der(0x81, Buffer.from('a@example.com'));
const uri = der(0x86, Buffer.from('https://example.com/'));

type Constraints = NonNullable<CertificateShape['constraints']>;
interface Case {
  readonly constraints: Constraints;
  readonly names?: readonly Uint8Array[];
  readonly subject?: Uint8Array;
  readonly holds: boolean;
}

const dns = (base: string, ...names: readonly string[]): Omit<Case, 'holds'> => ({
  constraints: { permitted: [dnsName(base)] },
  names: names.map(dnsName),
});
const noDns = (base: string, ...names: readonly string[]): Omit<Case, 'holds'> => ({
  constraints: { excluded: [dnsName(base)] },
  names: names.map(dnsName),
});

const cases: Readonly<Record<string, Case>> = {
  'a permitted name': { ...dns('example.com', 'example.com'), holds: true },
  'a name below a permitted one': { ...dns('example.com', 'foo.bar.example.com'), holds: true },
  'a permitted name in other letters': { ...dns('Example.COM', 'EXAMPLE.com'), holds: true },
  'a name that only ends like a permitted one': { ...dns('example.com', 'not-example.com'), holds: false },
  'the name above a permitted one': { ...dns('a.example.com', 'example.com'), holds: false },
  'one of two names is not permitted': { ...dns('example.com', 'example.com', 'example.net'), holds: false },
  'an excluded name': { ...noDns('example.com', 'example.com'), holds: false },
  'a name below an excluded one': { ...noDns('example.com', 'a.example.com'), holds: false },
  'the second of two names is excluded': {
    ...noDns('not-allowed.example.com', 'example.com', 'not-allowed.example.com'),
    holds: false,
  },
  'a name beside an excluded one': { ...noDns('example.com', 'example.net'), holds: true },
  'permitted and excluded': {
    constraints: { permitted: [dnsName('example.com')], excluded: [dnsName('example.com')] },
    names: [dnsName('example.com')],
    holds: false,
  },
  'one of two permitted names': {
    constraints: { permitted: [dnsName('example.com'), dnsName('example.net')] },
    names: [dnsName('a.example.net')],
    holds: true,
  },
  'all names permitted': { ...dns('', 'example.com'), holds: true },
  'all names excluded': { ...noDns('', 'example.com'), holds: false },
  'a wildcard below a permitted name': { ...dns('example.com', '*.example.com'), holds: true },
  'a wildcard above a permitted name': { ...dns('a.example.com', '*.example.com'), holds: false },
  'a wildcard that stands for an excluded name': { ...noDns('a.example.com', '*.example.com'), holds: false },
  'a wildcard whose names are all above an excluded one': {
    ...noDns('b.a.example.com', '*.example.com'),
    holds: true,
  },
  'a leading period, and the name below it': { ...dns('.example.com', 'a.example.com'), holds: true },
  'a leading period, and the name itself': { ...dns('.example.com', 'example.com'), holds: false },
  'a leading period in what is excluded': { ...noDns('.example.com', 'example.com'), holds: false },
  'no host name, where names are permitted': { ...dns('example.com', 'a b.example.com'), holds: false },
  'no host name, where names are excluded': { ...noDns('example.com', 'f*.example.net'), holds: false },
  'a trailing period': { ...dns('example.com', 'example.com.'), holds: false },
  'a permitted address': { constraints: { permitted: [net] }, names: [inNet], holds: true },
  'another address': { constraints: { permitted: [net] }, names: [addressName(192, 0, 3, 1)], holds: false },
  'an excluded address': { constraints: { excluded: [net] }, names: [inNet], holds: false },
  'an address of IPv6 where one of IPv4 is permitted': {
    constraints: { permitted: [net] },
    names: [addressName(...six(1))],
    holds: false,
  },
  'a permitted address of IPv6': {
    constraints: { permitted: [addressName(...six(1), ...six(0).map(() => 255))] },
    names: [addressName(...six(1))],
    holds: true,
  },
  'an excluded address of IPv6': {
    constraints: { excluded: [addressName(...six(1), ...six(0).map(() => 255))] },
    names: [addressName(...six(1))],
    holds: false,
  },
  'an address of five octets': {
    constraints: { excluded: [net] },
    names: [addressName(1, 2, 3, 4, 5)],
    holds: false,
  },
  'a network of five octets': {
    constraints: { permitted: [addressName(1, 2, 3, 4, 5)] },
    names: [inNet],
    holds: false,
  },
  'an address where only names are constrained': { ...dns('example.com'), names: [inNet], holds: true },
  'another directory name': {
    constraints: { permitted: [directory(foo)] },
    names: [directory(notFoo)],
    holds: false,
  },
  'a permitted directory name': {
    constraints: { permitted: [directory(foo)] },
    names: [directory(foo)],
    holds: true,
  },
  'an excluded directory name': {
    constraints: { excluded: [directory(foo)] },
    names: [directory(foo)],
    holds: false,
  },
  'a subject that is not permitted beside a name that is': {
    constraints: { permitted: [directory(foo)] },
    names: [directory(foo)],
    subject: directoryNameOf(notFoo),
    holds: false,
  },
  'an excluded subject beside a name that is not': {
    constraints: { excluded: [directory(foo)] },
    names: [directory(notFoo)],
    subject: directoryNameOf(foo),
    holds: false,
  },
  'a subject below a permitted one, in other letters and blanks': {
    constraints: { permitted: [directory([country, 'DE'], [organization, 'An  Example'])] },
    subject: directoryNameOf([country, 'de'], [organization, 'an EXAMPLE'], foo),
    holds: true,
  },
  'no subject at all': {
    constraints: { permitted: [directory(foo)] },
    names: [dnsName('example.com')],
    holds: true,
  },
  'a form that is not compared, and constrained': {
    constraints: { permitted: [uri] },
    names: [uri],
    holds: false,
  },
  'a form that is not compared, and another is constrained': {
    constraints: { permitted: [mail] },
    names: [uri],
    holds: true,
  },
  'an address of mail in the subject': {
    constraints: { excluded: [mail] },
    subject: directoryNameOf(['1.2.840.113549.1.9.1', 'a@example.com']),
    holds: false,
  },
};

function chainOf(
  { constraints, names, subject }: Omit<Case, 'holds'>,
  raw?: Uint8Array,
): readonly Uint8Array[] {
  const limited = raw === undefined ? { constraints } : { rawConstraints: raw };
  const root = makeCertificate({ subject: 'root', isAuthority: true, key, ...limited });
  const shape = { ...(names === undefined ? {} : { names }), ...(subject === undefined ? {} : { subject }) };
  const leaf = makeCertificate({ issuer: root, key, ...shape });
  return [leaf.der, root.der];
}

describe('the constraints of a chain are kept or not:', () => {
  for (const [name, { holds, ...one }] of Object.entries(cases)) {
    test(name, () => {
      const violation = constraintViolation(chainOf(one));
      assert.equal(violation === undefined, holds, violation ?? name);
    });
  }
});

test('constraints that are malformed, empty or have bounds let nothing through', () => {
  const base = derSequence(dnsName('example.com'));
  const bounded = derSequence(dnsName('example.com'), der(0x80, Uint8Array.of(1)));
  const all: Readonly<Record<string, Uint8Array>> = {
    empty: derSequence(),
    'empty lists': derSequence(der(0xa0), der(0xa1)),
    'a null': derSequence(der(0xa0, Uint8Array.of(5, 0))),
    'a minimum': derSequence(der(0xa0, bounded)),
    'in the wrong order': derSequence(der(0xa1, base), der(0xa0, base)),
    twice: derSequence(der(0xa0, base), der(0xa0, base)),
    'another tag': derSequence(der(0xa2, base)),
    'no sequence': derInteger(Uint8Array.of(1)),
    'bytes behind it': Buffer.concat([derSequence(der(0xa0, base)), Uint8Array.of(0)]),
  };
  const one = { constraints: {}, names: [dnsName('example.com')] };
  for (const [name, raw] of Object.entries(all))
    assert.notEqual(constraintViolation(chainOf(one, raw)), undefined, name);
  assert.equal(constraintViolation(chainOf(one, derSequence(der(0xa0, base)))), undefined);
});

test('constraints hold for all that is below them, but for what is self-issued on the way', () => {
  const constraints = { permitted: [dnsName('example.com')] };
  const root = makeCertificate({ subject: 'root', isAuthority: true, key, constraints });
  const strange = [dnsName('not-example.com')];
  const own = [dnsName('example.com')];
  const middle = (subject: string, names: readonly Uint8Array[]) =>
    makeCertificate({ subject, isAuthority: true, key, issuer: root, names });
  const chain = (
    subject: string,
    names: readonly Uint8Array[],
    leafNames: readonly Uint8Array[],
    leafSubject = 'leaf',
  ) => {
    const between = middle(subject, names);
    const leaf = makeCertificate({ subject: leafSubject, key, issuer: between, names: leafNames });
    return constraintViolation([leaf.der, between.der, root.der]);
  };
  assert.equal(chain('root', strange, own), undefined);
  assert.notEqual(chain('other', strange, own), undefined);
  assert.notEqual(chain('root', own, strange), undefined);
  // A self-issued leaf names somebody all the same.
  assert.notEqual(chain('root', own, strange, 'root'), undefined);
  // Constraints of a leaf are nobody's.
  const leaf = makeCertificate({ key, issuer: root, names: own, constraints: { excluded: own } });
  assert.equal(constraintViolation([leaf.der, root.der]), undefined);
});

test('each authority adds its constraints to those above it', () => {
  const root = makeCertificate({
    subject: 'root',
    isAuthority: true,
    key,
    constraints: { permitted: [dnsName('example.com')] },
  });
  const middle = makeCertificate({
    subject: 'middle',
    isAuthority: true,
    key,
    issuer: root,
    constraints: { permitted: [dnsName('a.example.com'), dnsName('example.net')] },
  });
  for (const [name, holds] of [
    ['a.example.com', true],
    ['b.example.com', false],
    ['example.net', false],
  ] as const) {
    const leaf = makeCertificate({ key, issuer: middle, names: [dnsName(name)] });
    const violation = constraintViolation([leaf.der, middle.der, root.der]);
    assert.equal(violation === undefined, holds, `${name}: ${violation}`);
  }
});

test('a wildcard is permitted only if all that it stands for is, and excluded if any of it is', () => {
  const label = fc.constantFrom('a', 'b', 'c');
  const host = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
  const within = (name: string, base: string): boolean => name === base || name.endsWith(`.${base}`);
  fc.assert(
    fc.property(host, host, fc.boolean(), (name, base, isWildcard) => {
      const stands = isWildcard ? ['a', 'b', 'c', 'zz'].map((first) => `${first}.${name}`) : [name];
      const names = [dnsName(isWildcard ? `*.${name}` : name)];
      const permitted = constraintViolation(chainOf({ constraints: { permitted: [dnsName(base)] }, names }));
      assert.equal(
        permitted === undefined,
        stands.every((one) => within(one, base)),
      );
      const excluded = constraintViolation(chainOf({ constraints: { excluded: [dnsName(base)] }, names }));
      assert.equal(excluded === undefined, !stands.some((one) => within(one, base)));
    }),
    { seed: 1_026, numRuns: 150 },
  );
});
