// PEM (RFC 7468): certificates in and out of text, strictly.

import { X509Certificate } from 'node:crypto';
import { ProxyError } from '../protocol/error.ts';
import { readCertificate } from './certificate-fields.ts';

const certificateBlock = /-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----/g;

/** A PEM block of 64 columns, with a newline at its end. */
export function encodePem(label: string, contents: Uint8Array): string {
  const base64 = Buffer.from(contents).toString('base64');
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`;
}

/**
 * The certificate blocks of a text, in order, each written anew with 64 columns. Between the blocks only white space
 * and `#` comments may stand. Throws ProxyError `ca_invalid` for anything else: other labels, text, broken base64, no block.
 */
export function splitPemCertificates(text: string): string[] {
  const blocks: string[] = [];
  let end = 0;
  for (const match of text.matchAll(certificateBlock)) {
    requireBlank(text.slice(end, match.index), text);
    blocks.push(encodePem('CERTIFICATE', decodeBase64(match[1] ?? '', blocks.length + 1)));
    end = match.index + match[0].length;
  }
  requireBlank(text.slice(end), text);
  if (blocks.length === 0)
    throw new ProxyError('ca_invalid', 'there is no certificate in the text: it is empty');
  return blocks;
}

/**
 * Checks that a text is made of CA certificates and gives them as PEM blocks without repetitions.
 * Throws ProxyError `ca_invalid` that says which block is not one, or what the text is instead.
 */
export function checkCertificates(text: string): string[] {
  const blocks = splitPemCertificates(text);
  for (const [index, block] of blocks.entries()) requireAuthority(block, index + 1);
  return [...new Set(blocks)];
}

/** The DER of one PEM block as `splitPemCertificates` gives it. */
export function pemContents(block: string): Uint8Array {
  return Buffer.from(block.replace(/-----[^-]+-----/g, ''), 'base64');
}

function requireBlank(gap: string, text: string): void {
  if (gap.split(/\r?\n/).every((line) => line.trim() === '' || line.startsWith('#'))) return;
  throw new ProxyError('ca_invalid', `expected PEM certificates, found ${describe(text, gap)}`);
}

/** What stands there instead; never the text itself, which may hold a key. */
function describe(text: string, gap: string): string {
  if (/^\s*(?:<!doctype|<html|<\?xml|<head|<body)/i.test(text))
    return 'an HTML page: is the address that of the gateway?';
  if (/^\s*[{[]/.test(text)) return 'JSON';
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(gap)) return 'a private key, which must not be there';
  if (/-----BEGIN CERTIFICATE-----/.test(gap)) return 'a certificate block that is cut off or not base64';
  if (/-----BEGIN ([A-Z0-9 ]{1,40})-----/.test(gap)) return 'a PEM block that is not a certificate';
  return 'other text';
}

function decodeBase64(body: string, number: number): Uint8Array {
  const compact = body.replace(/[\r\n]/g, '');
  const bytes = Buffer.from(compact, 'base64');
  // Node skips what it cannot decode; only canonical base64 survives the way back.
  if (bytes.toString('base64') !== compact) {
    throw new ProxyError('ca_invalid', `certificate ${String(number)} is not valid base64`);
  }
  return bytes;
}

function requireAuthority(block: string, number: number): void {
  let authority: boolean;
  try {
    // Both readers must take it: the runtime's own, which uses it later, and ours, which sees CA:TRUE under every runtime.
    void new X509Certificate(block);
    authority = readCertificate(pemContents(block)).authority;
  } catch (cause) {
    throw new ProxyError('ca_invalid', `certificate ${String(number)} is not an X.509 certificate`, {
      cause,
    });
  }
  if (!authority) {
    throw new ProxyError(
      'ca_invalid',
      `certificate ${String(number)} is not the certificate of an authority (CA:TRUE is missing)`,
    );
  }
}
