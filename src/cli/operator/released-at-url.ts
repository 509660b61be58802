// The newest release as a folder of a web server has it: release.json, and its signature where a key is given. Bounded in time and bytes.

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { loadSystemTrust } from '../../net/system-trust.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface ReleaseFolder {
  /** https, and ends with a slash. */
  readonly url: URL;
  /** PEM; undefined: what this machine trusts. */
  readonly ca: string | undefined;
  /** Who signs releases; undefined: TLS alone is relied on. */
  readonly key: KeyObject | undefined;
}

const fileName = 'release.json';

/** @throws ProxyError config_invalid */
export function readReleaseKey(pem: string, file: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Said below, as for a key of another kind.
  }
  throw new ProxyError('config_invalid', `${file} has no public key for ECDSA with P-256 in PEM`);
}

/** @throws ProxyError usage */
export function readReleaseFolder(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isBare = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (url?.protocol !== 'https:' || !isBare)
    throw new ProxyError('usage', '--url takes the https:// address of a folder with release.json');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** The text of release.json, verified. @throws ProxyError release_unreachable, release_untrusted */
export async function releasedAtUrl(
  folder: ReleaseFolder,
  timeoutMs: number = defaultLimits.releaseCheckTimeoutMs,
): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const text = await get(folder, fileName, signal);
  if (folder.key !== undefined) {
    const signature = Buffer.from(
      (await get(folder, `${fileName}.sig`, signal)).toString('latin1'),
      'base64',
    );
    if (!verify('sha256', text, folder.key, signature))
      throw new ProxyError(
        'release_untrusted',
        `${new URL(fileName, folder.url).href} is not signed by the key of --key`,
      );
  }
  return text.toString('utf8');
}

/** Redirects are not followed: the folder that was named is the one that is asked. */
async function get(folder: ReleaseFolder, name: string, signal: AbortSignal): Promise<Buffer> {
  const url = new URL(name, folder.url);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asked = request(
    url,
    {
      // A connection of its own, that ends with the response.
      agent: false,
      signal,
      ca: folder.ca === undefined ? [...loadSystemTrust()] : [folder.ca],
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      headers: { accept: '*/*', 'accept-encoding': 'identity' },
    },
    resolve,
  );
  asked.on('error', reject);
  asked.end();
  try {
    const response = await promise;
    if (response.statusCode !== 200) throw new Error(`it responds with status ${response.statusCode}`);
    return await bytesOf(response);
  } catch (error) {
    const why = signal.aborted ? 'no response in time' : faultReason(error);
    throw new ProxyError('release_unreachable', `${url.href}: ${why}`, { cause: error });
  } finally {
    asked.destroy();
  }
}

async function bytesOf(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > defaultLimits.releaseBytesMax)
      throw new Error(`it is longer than ${defaultLimits.releaseBytesMax} bytes (releaseBytesMax)`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
