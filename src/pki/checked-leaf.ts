// What a keeper of an authority's key is asked to sign, read and written again: one leaf as this program makes it, and nothing else.

import { createPublicKey } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import { defaultLimits } from '../protocol/limits.ts';
import {
  type Issuer,
  keyIdentifier,
  leafBackdateMs,
  leafLifetimeMs,
  leafToBeSigned,
} from './certificate-profile.ts';
import { type DerElement, derTag, readDerElement, readDerElements, readDerOid, readDerTime } from './der.ts';
import { isPermitted } from './permitted-names.ts';

/** Of the clocks of two processes of one machine. */
const clockDifferenceMs = 60_000;

export interface LeafBounds {
  /** Whose leaf it has to be. */
  readonly issuer: Issuer;
  /** DER of the key of the issuer, which is in no leaf. */
  readonly issuerSpki: Uint8Array;
  /** What may be certified, with all below; none: every name. */
  readonly names: readonly string[];
  readonly nowMs: number;
}

/**
 * Gives the host of the leaf. The text is taken apart, and a leaf is written again of its parts: only the very same octets are signed, so that
 * no reader can see something else in them. Throws ProxyError `signing_refused`.
 */
export function checkedLeaf(text: Uint8Array, bounds: LeafBounds): string {
  const { issuer, issuerSpki, names, nowMs } = bounds;
  const parts = partsOf(text);
  const { host, spki, notBeforeMs, notAfterMs } = parts;
  requireKey(spki, issuerSpki);
  // Times are whole seconds there.
  const earliestMs = Math.max(issuer.notBeforeMs, nowMs - leafBackdateMs - clockDifferenceMs) - 1000;
  const latestMs = Math.min(issuer.notAfterMs, nowMs + leafLifetimeMs + clockDifferenceMs);
  if (notBeforeMs < earliestMs || notAfterMs > latestMs || notAfterMs <= notBeforeMs)
    throw refused('its validity is not within that of its issuer and of a leaf');
  if (names.length > 0 && !isPermitted(host, names))
    throw refused(`${host} lies outside of certificateAuthority.names`);
  const again = written(parts, issuer);
  if (again === undefined || Buffer.compare(again, text) !== 0)
    throw refused('it is not a leaf of this authority as this program writes it');
  return host;
}

interface Parts {
  readonly serial: Uint8Array;
  readonly host: string;
  readonly spki: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

function written(
  { serial, host, spki, notBeforeMs, notAfterMs }: Parts,
  issuer: Issuer,
): Uint8Array | undefined {
  const request = { names: [host], spki, keyId: keyIdentifier(spki), notBeforeMs, notAfterMs };
  try {
    return leafToBeSigned(issuer, request, serial);
  } catch {
    return undefined;
  }
}

function partsOf(text: Uint8Array): Parts {
  if (text.length > defaultLimits.leafTextBytesMax) throw refused('it is longer than a leaf is');
  try {
    const [, serial, , , validity, , key, extensions] = readDerElements(
      readDerElement(text, derTag.sequence).contents,
    );
    const [notBefore, notAfter] = readDerElements(contentsOf(validity));
    if (notBefore === undefined || notAfter === undefined || key === undefined || serial === undefined)
      throw new RangeError('DER: fields missing');
    // 128 bits, as we make them: what somebody chose could be that of another certificate.
    if (serial.contents.length !== 16) throw new RangeError('DER: serial of another length');
    return {
      serial: serial.contents,
      host: hostOf(contentsOf(extensions)),
      spki: key.whole,
      notBeforeMs: readDerTime(notBefore),
      notAfterMs: readDerTime(notAfter),
    };
  } catch (error) {
    if (error instanceof RangeError) throw refused('it is not a certificate');
    throw error;
  }
}

function contentsOf(element: DerElement | undefined): Uint8Array {
  if (element === undefined) throw new RangeError('DER: a field is missing');
  return element.contents;
}

/** The one name of its subjectAltName, as text that is written the same way again. */
function hostOf(extensions: Uint8Array): string {
  for (const one of readDerElements(readDerElement(extensions, derTag.sequence).contents)) {
    const parts = readDerElements(one.contents);
    const [oid] = parts;
    if (oid?.tag !== derTag.oid || readDerOid(oid) !== '2.5.29.17') continue;
    const list = readDerElement(contentsOf(parts.at(-1)), derTag.sequence);
    const [name, ...others] = readDerElements(list.contents);
    if (name === undefined || others.length > 0) throw new RangeError('DER: not one name');
    return nameOf(name);
  }
  throw new RangeError('DER: no name');
}

function nameOf({ tag, contents }: DerElement): string {
  if (tag === 0x82) return Buffer.from(contents).toString('latin1');
  if (tag !== 0x87) throw new RangeError('DER: another kind of name');
  if (contents.length === 4) return [...contents].join('.');
  const octets = Buffer.from(contents);
  if (octets.length !== 16) throw new RangeError('DER: an address of another length');
  return Array.from({ length: 8 }, (_, i) => octets.readUInt16BE(i * 2).toString(16)).join(':');
}

/** P-256, as all leaves have it, and not the key of the authority itself. */
function requireKey(spki: Uint8Array, issuerSpki: Uint8Array): void {
  if (Buffer.compare(spki, issuerSpki) === 0) throw refused('its key is that of the authority');
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    const again = key.export({ format: 'der', type: 'spki' });
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1' && Buffer.compare(again, spki) === 0) return;
  } catch {
    // No key at all.
  }
  throw refused('its key is not on P-256');
}

function refused(reason: string): ProxyError {
  return new ProxyError('signing_refused', `the signer of the authority did not sign: ${reason}`);
}
