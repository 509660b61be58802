// Chains whose authority may not speak for a name: generated constraints and names, held against a reading of RFC 5280 of our own, and
// against a verifier that looks at signatures and host names alone.

import { X509Certificate } from 'node:crypto';

import fc from 'fast-check';

import { constraintViolation } from '../../../src/pki/name-constraints.ts';
import {
  addressName,
  dnsName,
  makeCertificate,
  type CertificateShape,
} from '../../support/certificate-chain.ts';
import type { Attack, AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

const key = makeCertificate({}).key;

interface Tried {
  /** From the root down. */
  readonly constraints: readonly NonNullable<CertificateShape['constraints']>[];
  readonly names: readonly Uint8Array[];
  /** By a reading that is not the one of the source. */
  readonly isAgainst: boolean;
}

function chainOf({ constraints, names }: Tried): readonly Uint8Array[] {
  let issuer: ReturnType<typeof makeCertificate> | undefined;
  const chain: Uint8Array[] = [];
  for (const [level, one] of constraints.entries()) {
    issuer = makeCertificate({
      subject: `authority ${level}`,
      isAuthority: true,
      key,
      constraints: one,
      ...(issuer === undefined ? {} : { issuer }),
    });
    chain.unshift(issuer.der);
  }
  const leaf = makeCertificate({ key, names, ...(issuer === undefined ? {} : { issuer }) });
  return [leaf.der, ...chain];
}

/** Signatures and dates are right: that is all that many look at. */
function signaturesHold(chain: readonly Uint8Array[]): boolean {
  const certificates = chain.map((one) => new X509Certificate(one));
  return certificates.every((one, i) => one.verify((certificates[i + 1] ?? one).publicKey));
}

function search(seed: number, inputs: fc.Arbitrary<Tried>): Attack {
  const found = (isTaken: boolean, { isAgainst }: Tried): Finding =>
    isTaken && isAgainst ? 'a chain against its constraints was taken' : undefined;
  return searched({
    seed,
    inputs,
    runs: 300,
    ours: (input) => {
      const violation = constraintViolation(chainOf(input));
      // What keeps them is no attack, and is taken: a guard that refuses all would be none.
      if (!input.isAgainst && violation !== undefined) return `refused: ${violation}`;
      return found(violation === undefined, input);
    },
    naive: (input) => found(signaturesHold(chainOf(input)), input),
  });
}

const label = fc.constantFrom('a', 'b', 'secret');
const host = fc.array(label, { minLength: 0, maxLength: 3 }).map((labels) => [...labels, 'test'].join('.'));
const inLetters = (text: string, isUpper: boolean): string => (isUpper ? text.toUpperCase() : text);
const isBelow = (name: string, base: string): boolean => `.${name}`.endsWith(`.${base}`);

const permittedNames = fc
  .tuple(
    fc.array(host, { minLength: 1, maxLength: 2 }),
    fc.array(host, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  )
  .map(([bases, names, isUpper]): Tried => ({
    constraints: [{ permitted: bases.map(dnsName) }],
    names: names.map((name) => dnsName(inLetters(name, isUpper))),
    isAgainst: names.some((name) => !bases.some((base) => isBelow(name, base))),
  }));

const excludedNames = fc
  .tuple(
    fc.array(host, { minLength: 1, maxLength: 2 }),
    fc.array(host, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  )
  .map(([bases, names, isUpper]): Tried => ({
    constraints: [{ excluded: bases.map((base) => dnsName(inLetters(base, isUpper))) }],
    names: names.map(dnsName),
    isAgainst: names.some((name) => bases.some((base) => isBelow(name, base))),
  }));

/** A wildcard stands for names of one more label: it is against what is excluded if any of these is. */
const wildcards = fc.tuple(host, host).map(([base, under]): Tried => ({
  constraints: [{ excluded: [dnsName(base)] }],
  names: [dnsName(`*.${under}`)],
  isAgainst: isBelow(under, base) || base.slice(base.indexOf('.') + 1) === under,
}));

const octet = fc.constantFrom(0, 1, 10, 128, 255);
const networks = fc
  .tuple(octet, octet, octet, octet, fc.constantFrom(8, 16, 24, 32), fc.boolean())
  .map(([a, b, c, d, bits, isExcluded]): Tried => {
    const mask = [8, 16, 24, 32].map((end) => (bits >= end ? 255 : 0));
    const network = addressName(10, 1, 128, 255, ...mask);
    const isInside = [10, 1, 128, 255].every((own, i) => mask[i] === 0 || own === [a, b, c, d][i]);
    return {
      constraints: [isExcluded ? { excluded: [network] } : { permitted: [network] }],
      names: [addressName(a, b, c, d)],
      isAgainst: isExcluded === isInside,
    };
  });

const levels = fc.tuple(fc.array(host, { minLength: 2, maxLength: 3 }), host).map(([bases, name]): Tried => ({
  constraints: bases.map((base) => ({ permitted: [dnsName(base)] })),
  names: [dnsName(name)],
  isAgainst: bases.some((base) => !isBelow(name, base)),
}));

export const nameConstraints: AttackTable = {
  'NAME-01': search(2201, permittedNames),
  'NAME-02': search(2202, excludedNames),
  'NAME-03': search(2203, wildcards),
  'NAME-04': search(2204, networks),
  'NAME-05': search(2205, levels),
};
