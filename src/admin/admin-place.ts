// Which admin API is meant, and by which token: what a program or a person wrote, checked before anything is sent.

import { readFile, stat } from 'node:fs/promises';
import { certificateBlocks } from '../pki/certificate-blocks.ts';
import { ProxyError } from '../protocol/error.ts';
import { faultReason } from '../protocol/fault-reason.ts';
import { defaultLimits } from '../protocol/limits.ts';
import { Secret } from '../protocol/secret.ts';

/** An origin: `https://host:port`, or `http://` with a loopback address. Undefined for anything else. */
export function serverOf(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const isPlain = url.protocol === 'http:' && ['127.0.0.1', '[::1]'].includes(url.hostname);
  const isBare =
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === '';
  return (url.protocol === 'https:' || isPlain) && isBare ? url : undefined;
}

/** White space around it does not count; within it is none. @throws ProxyError config_invalid, which has nothing of it */
export function readToken(text: string): Secret<string> {
  const token = text.trim();
  if (/^upadm_[A-Za-z0-9_-]{43}$/.test(token)) return new Secret(token);
  throw new ProxyError(
    'config_invalid',
    'that is no token of the admin API, which begins with upadm_; `upstreamproxy operator token` makes one',
  );
}

/** @throws ProxyError config_invalid */
export async function readCa(file: string): Promise<string> {
  return requireCertificate(await readSmall(file), file);
}

/** @throws ProxyError config_invalid */
export function requireCertificate(pem: string, place: string): string {
  if (certificateBlocks(pem).length > 0) return pem;
  throw new ProxyError('config_invalid', `${place} has no certificate in PEM`);
}

/** @throws ProxyError config_invalid */
export async function readSmall(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > defaultLimits.caBytesMax) throw new Error('it is too long');
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new ProxyError('config_invalid', `${file} cannot be read: ${faultReason(error)}`, { cause: error });
  }
}
