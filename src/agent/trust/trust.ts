// Trust: the gateway's CA certificates, fetched, checked, and appended to the system's own bundle.

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { rootCertificates } from 'node:tls';
import { ProxyError } from '../../protocol/error.ts';
import {
  flag,
  type OptionForm,
  requireKnownOptions,
  text,
  texts,
  thing,
} from '../../protocol/known-options.ts';
import { type Limits, limitsWith } from '../../protocol/limits.ts';
import { caCertPath } from '../../protocol/session-messages.ts';
import { checkCertificates, splitPemCertificates } from '../../pki/pem.ts';
import { writeFileAtomically } from '../../system/atomic-file.ts';
import { type Gateway, openGateway } from '../uplink/gateway-connection.ts';
import { sendRequest } from '../uplink/http-request.ts';
import { problemOf } from '../uplink/enrol.ts';
import { faultReason } from '../../protocol/fault-reason.ts';

/** Where distributions keep all trusted roots in one PEM file. */
export const systemBundlePaths = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
  '/var/lib/ca-certificates/ca-bundle.pem',
] as const;

export interface WriteCaBundleOptions {
  /** PEM, or the path of a PEM file, of what may have signed the gateway's own certificate. Without it, the system bundle. */
  readonly gatewayCa?: string;
  /** `sha256/BASE64` of public keys, one of which must be in the gateway's chain, beside the trust in `gatewayCa`. */
  readonly gatewayPins?: readonly string[];
  /** Allows `http://` to a loopback address, in the clear. For tests. */
  readonly dangerouslyAllowPlainGateway?: boolean;
  /** ETag of the bundle that is already there: if the gateway's is the same, nothing is written. */
  readonly etag?: string;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

export interface CaBundle {
  readonly path: string;
  /** How many certificates the gateway gave; 0 if nothing changed. */
  readonly certificates: number;
  /** Whether the system's roots are in the bundle; without them ordinary sites fail where the gateway is bypassed. */
  readonly systemBundle: boolean;
  readonly changed: boolean;
  readonly etag?: string;
}

/** For functions that take these options and more. */
export const writeCaBundleForms = {
  gatewayCa: text,
  gatewayPins: texts,
  dangerouslyAllowPlainGateway: flag,
  etag: text,
  limits: thing,
  signal: thing,
} satisfies Record<keyof WriteCaBundleOptions, OptionForm>;

/** The gateway's certificates as it serves them, checked. */
export interface GatewayCertificates {
  readonly pem: string;
  readonly count: number;
  readonly etag?: string;
}

/**
 * Fetches the gateway's CA certificates, checks them, appends them to the system bundle and writes the whole
 * atomically to `outPath`. `systemCaPath` undefined means the usual places; a missing one is survived and told.
 * Throws ca_invalid (an HTML page, a broken certificate), trust_unwritable, or why the gateway could not be asked.
 */
export async function writeCaBundle(
  baseUrl: string,
  systemCaPath: string | undefined,
  outPath: string,
  options: WriteCaBundleOptions = {},
): Promise<CaBundle> {
  requireKnownOptions('writeCaBundle', options, writeCaBundleForms);
  const limits = limitsWith(options.limits);
  const system = readSystemBundle(systemCaPath);
  const { gatewayCa, gatewayPins: pins } = options;
  const gateway = openGateway(baseUrl, {
    ca: gatewayCa === undefined ? (system ?? builtInRoots()) : readGatewayCa(gatewayCa),
    ...(pins === undefined ? {} : { pins }),
    dangerouslyAllowPlainGateway: options.dangerouslyAllowPlainGateway ?? false,
  });
  using _kept = gateway.kept;
  const own = await fetchCertificates(gateway, limits, options);
  if (own === undefined) {
    const { etag } = options;
    const unchanged = { path: outPath, certificates: 0, systemBundle: system !== undefined, changed: false };
    return etag === undefined ? unchanged : { ...unchanged, etag };
  }
  await writeFileAtomically(outPath, mergeBundle(system, own.pem));
  return {
    path: outPath,
    certificates: own.count,
    systemBundle: system !== undefined,
    changed: true,
    ...(own.etag === undefined ? {} : { etag: own.etag }),
  };
}

/** The gateway's CA certificates; undefined if they are still those of `etag`. Throws ca_invalid. */
export async function fetchCertificates(
  gateway: Gateway,
  limits: Limits,
  options: { readonly etag?: string; readonly signal?: AbortSignal } = {},
): Promise<GatewayCertificates | undefined> {
  const { etag, signal } = options;
  const response = await sendRequest(
    gateway,
    {
      method: 'GET',
      path: caCertPath,
      fields: etag === undefined ? [] : [['If-None-Match', etag]],
      bodyBytesMax: limits.caBytesMax,
    },
    limits,
    signal,
  );
  if (response.status === 304 && etag !== undefined) return undefined;
  if (response.status !== 200) throw problemOf(response);
  const certificates = checkCertificates(response.body.toString('latin1'));
  if (certificates.every((pem) => Date.parse(new X509Certificate(pem).validTo) < Date.now()))
    throw new ProxyError('ca_invalid', 'every certificate that the gateway serves has expired');
  const served = response.headers.first('etag');
  return {
    pem: certificates.map((pem) => pem.trimEnd()).join('\n') + '\n',
    count: certificates.length,
    // It comes back in a header line of ours.
    ...(served !== undefined && /^[\x21-\x7e]{1,256}$/.test(served) ? { etag: served } : {}),
  };
}

/** Where the system's PEM bundle is, or undefined where there is none that can be read. */
export function systemBundlePath(): string | undefined {
  return systemBundlePaths.find((path) => readSystemBundle(path) !== undefined);
}

/** The system's PEM bundle, or undefined where there is none that can be read. */
export function readSystemBundle(path: string | undefined): string | undefined {
  for (const candidate of path === undefined ? systemBundlePaths : [path]) {
    try {
      const text = readFileSync(candidate, 'utf8');
      if (text.includes('-----BEGIN')) return text;
    } catch {
      // Not this distribution's place, or not readable for us: the next, or none, which the caller tells.
    }
  }
  return undefined;
}

/** System roots first and ours behind them: appended, never instead. */
export function mergeBundle(system: string | undefined, own: string): string {
  if (system === undefined) return own;
  return `${system.trimEnd()}\n${own}`;
}

/** The runtime's own list, for machines without a system bundle. */
export function builtInRoots(): string {
  return rootCertificates.join('\n');
}

/** A `gatewayCa` option as PEM: the text itself, or the content of the file that it names. Throws config_invalid. */
export function readGatewayCa(textOrPath: string): string {
  if (textOrPath.includes('-----BEGIN')) return checkedPem(textOrPath, 'the given PEM');
  let text: string;
  try {
    text = readFileSync(textOrPath, 'utf8');
  } catch (error) {
    // What is no path may be the content of another file, such as a token; the cause would repeat it.
    if (!isAbsolute(textOrPath) || !existsSync(dirname(textOrPath)))
      throw new ProxyError('config_invalid', 'the gateway CA is neither PEM nor a file that can be read');
    const message = `the gateway CA file ${textOrPath} cannot be read: ${faultReason(error)}`;
    throw new ProxyError('config_invalid', message, { cause: error });
  }
  return checkedPem(text, `the file ${textOrPath}`);
}

/** Node takes anything as `ca` and then trusts nothing, which would only be seen as a refused gateway. */
function checkedPem(text: string, place: string): string {
  try {
    // A pinned certificate of the gateway itself is as good as that of an authority.
    for (const pem of splitPemCertificates(text)) void new X509Certificate(pem);
    return text;
  } catch (error) {
    throw new ProxyError('config_invalid', `the gateway CA: ${place} is not made of PEM certificates`, {
      cause: error,
    });
  }
}
