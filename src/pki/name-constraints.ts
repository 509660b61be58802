// Name constraints of a chain of certificates (RFC 5280 §4.2.1.10): what an authority may not certify, whoever signed below it.

import { readCertificate } from './certificate-fields.ts';
import type { CertificateFields } from './certificate-fields.ts';
import { derTag, readDerElement, readDerElements } from './der.ts';
import type { DerElement } from './der.ts';
import { directoryName, isBelow } from './directory-name.ts';
import type { DirectoryName } from './directory-name.ts';

/** One name of a certificate, or the base of a subtree. `other` are forms that are not compared, by their tag. */
type Name =
  | { readonly form: 'dns'; readonly text: string }
  | { readonly form: 'address'; readonly octets: Uint8Array }
  | { readonly form: 'directory'; readonly name: DirectoryName }
  | { readonly form: 'other'; readonly tag: number };

interface Constraints {
  readonly permitted: readonly Name[];
  readonly excluded: readonly Name[];
}

/** Tags of GeneralName. */
const emailTag = 0x81;
const dnsTag = 0x82;
const directoryTag = 0xa4;
const addressTag = 0x87;
/** PKCS #9 emailAddress in a subject, which constraints of addresses of mail are for as well. */
const emailAttribute = '1.2.840.113549.1.9.1';

/**
 * What of a chain is against the constraints of a certificate above it, in words for the operator; undefined: nothing.
 * What cannot be read or compared counts as against them. @param chain DER, the leaf first, the trusted one last
 */
export function constraintViolation(chain: readonly Uint8Array[]): string | undefined {
  try {
    return violationOf(chain.map(readCertificate));
  } catch (error) {
    if (error instanceof RangeError) return `a certificate cannot be read: ${error.message}`;
    throw error;
  }
}

function violationOf(chain: readonly CertificateFields[]): string | undefined {
  for (const [at, { nameConstraints }] of chain.entries()) {
    if (nameConstraints === undefined || at === 0) continue;
    const constraints = readConstraints(nameConstraints);
    for (const [below, fields] of chain.slice(0, at).entries()) {
      // §6.1.3 (b): a self-issued certificate changes a key, and names nobody; but not if it is the leaf.
      if (below > 0 && sameBytes(fields.subject, fields.issuer)) continue;
      const names = namesOf(fields);
      const violation = names.find((name) => !isAllowed(name, constraints));
      if (violation !== undefined)
        return `${formatName(violation)} is outside of what its authority may certify`;
    }
  }
  return undefined;
}

function isAllowed(name: Name, { permitted, excluded }: Constraints): boolean {
  if (excluded.some((base) => sameForm(base, name) && overlaps(name, base))) return false;
  const bases = permitted.filter((base) => sameForm(base, name));
  return bases.length === 0 || bases.some((base) => isWithin(name, base));
}

function sameForm(base: Name, name: Name): boolean {
  if (base.form === 'other' && name.form === 'other') return base.tag === name.tag;
  return base.form === name.form;
}

/** Whether all that the name stands for is in the subtree. */
function isWithin(name: Name, base: Name): boolean {
  if (name.form === 'dns' && base.form === 'dns') {
    const host = plainName(name.text);
    // A leading period is not of this standard for DNS; those who write it mean what is below.
    if (base.text.startsWith('.')) return host?.name.endsWith(base.text) === true;
    return host !== undefined && isSameOrBelow(host.name, base.text);
  }
  if (name.form === 'address' && base.form === 'address') return isInNetwork(name.octets, base.octets);
  if (name.form === 'directory' && base.form === 'directory') return isBelow(name.name, base.name);
  return false;
}

/** Whether anything that the name stands for may be in the subtree. */
function overlaps(name: Name, base: Name): boolean {
  if (name.form === 'dns' && base.form === 'dns') {
    const host = plainName(name.text);
    const suffix = base.text.replace(/^\./, '');
    if (host === undefined || isSameOrBelow(host.name, suffix)) return true;
    // A wildcard stands for one label: the subtree may begin at one of its names.
    return host.isWildcard && suffix.slice(suffix.indexOf('.') + 1) === host.name && suffix.includes('.');
  }
  if (name.form === 'address' && base.form === 'address')
    return !isAddress(name.octets) || isInNetwork(name.octets, base.octets);
  // Of forms that are not compared all may be meant.
  return name.form === 'directory' && base.form === 'directory' ? isBelow(name.name, base.name) : true;
}

interface HostName {
  /** Without the label that is a wildcard. */
  readonly name: string;
  readonly isWildcard: boolean;
}

/** Undefined for what is no name of a host. */
function plainName(text: string): HostName | undefined {
  const isWildcard = text.startsWith('*.');
  const name = isWildcard ? text.slice(2) : text;
  const isName = name.length <= 253 && name.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label));
  return isName ? { name, isWildcard } : undefined;
}

function isSameOrBelow(host: string, base: string): boolean {
  return base === '' || host === base || host.endsWith(`.${base}`);
}

function isAddress({ length }: Uint8Array): boolean {
  return length === 4 || length === 16;
}

/** `network` is an address and a mask of the same length. */
function isInNetwork(address: Uint8Array, network: Uint8Array): boolean {
  const { length } = address;
  if (!isAddress(address) || network.length !== length * 2) return false;
  return address.every((octet, at) => {
    const mask = network[length + at] ?? 0;
    return (octet & mask) === ((network[at] ?? 0) & mask);
  });
}

/** @throws RangeError if it is none, or asks for what nobody has (a minimum, a maximum) */
function readConstraints(value: Uint8Array): Constraints {
  let [permitted, excluded] = [
    undefined as readonly Name[] | undefined,
    undefined as readonly Name[] | undefined,
  ];
  for (const { tag, contents } of readDerElements(readDerElement(value, derTag.sequence).contents)) {
    if (tag === 0xa0 && permitted === undefined && excluded === undefined) permitted = readSubtrees(contents);
    else if (tag === 0xa1 && excluded === undefined) excluded = readSubtrees(contents);
    else throw new RangeError('name constraints malformed');
  }
  const count = (permitted?.length ?? 0) + (excluded?.length ?? 0);
  if (count === 0) throw new RangeError('name constraints that constrain nothing');
  return { permitted: permitted ?? [], excluded: excluded ?? [] };
}

function readSubtrees(contents: Uint8Array): readonly Name[] {
  return readDerElements(contents).map((subtree) => {
    if (subtree.tag !== derTag.sequence) throw new RangeError('name constraints malformed');
    const [base, ...bounds] = readDerElements(subtree.contents);
    if (base === undefined || bounds.length > 0) throw new RangeError('name constraints with bounds');
    const name = readName(base);
    const { length } = name.form === 'address' ? name.octets : { length: 8 };
    if (length !== 8 && length !== 32) throw new RangeError('name constraints malformed');
    return name;
  });
}

function namesOf({ subject, subjectAltName }: CertificateFields): readonly Name[] {
  const names =
    subjectAltName === undefined
      ? []
      : readDerElements(readDerElement(subjectAltName, derTag.sequence).contents).map(readName);
  const own = directoryName(subject);
  if (own.length > 0) names.push({ form: 'directory', name: own });
  if (own.some((rdn) => rdn.some((attribute) => attribute.startsWith(`${emailAttribute}=`))))
    names.push({ form: 'other', tag: emailTag });
  return names;
}

function readName({ tag, contents }: DerElement): Name {
  switch (tag) {
    case dnsTag:
      return { form: 'dns', text: Buffer.from(contents).toString('latin1').toLowerCase() };
    case addressTag:
      return { form: 'address', octets: contents };
    case directoryTag:
      return { form: 'directory', name: directoryName(contents) };
    default:
      return { form: 'other', tag };
  }
}

function formatName(name: Name): string {
  switch (name.form) {
    case 'dns':
      return `the name ${JSON.stringify(name.text)}`;
    case 'address':
      return `the address ${Buffer.from(name.octets).toString('hex')}`;
    case 'directory':
      return `the subject ${JSON.stringify(name.name.map((rdn) => rdn.join('+')).join(', '))}`;
    case 'other':
      return 'a name of a form that is not compared';
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
