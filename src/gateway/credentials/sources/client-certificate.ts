// The certificate that the gateway shows to a collector or a decider: asked of its sources for each connection, so that a renewed one is taken up.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { asProxyError, ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { openCredentialSource } from './credential-source.ts';
import type { PlainSourceConfig } from './source-config.ts';

/** What the gateway shows of itself to who asks for a certificate. */
export interface ClientCertificateSettings {
  readonly certificate: PlainSourceConfig;
  readonly key: PlainSourceConfig;
}

export interface ClientPair {
  /** Both PEM. */
  readonly cert: string;
  readonly key: string;
}

/** Gives the pair of now. @throws ProxyError credential_unavailable, with nothing of the key */
export type ClientCertificate = () => Promise<ClientPair>;

export interface ClientCertificateNeeds {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: () => number;
  readonly onFault: (error: ProxyError) => void;
}

/** Where the settings have one. */
export function clientOf(
  of: string,
  { clientCertificate }: { readonly clientCertificate?: ClientCertificateSettings },
  needs: ClientCertificateNeeds,
): { readonly client?: ClientCertificate } {
  return clientCertificate === undefined
    ? {}
    : { client: openClientCertificate(of, clientCertificate, needs) };
}

/** `of`: whose it is, for messages. @throws ProxyError config_invalid for a variable that is not set */
function openClientCertificate(
  of: string,
  { certificate, key }: ClientCertificateSettings,
  { environment, clock, onFault }: ClientCertificateNeeds,
): ClientCertificate {
  const certificates = openCredentialSource(`${of}.certificate`, certificate, environment, 'pem');
  const keys = openCredentialSource(`${of}.key`, key, environment, 'pem');
  let known: ClientPair | undefined;
  let isAway = false;
  /** Since when what is read is no pair, and whether that was told. */
  let unfit: { readonly sinceMs: number; isTold: boolean } | undefined;
  const read = async (nowMs: number): Promise<ClientPair> => {
    const [cert, secret] = await Promise.all([certificates.read(nowMs), keys.read(nowMs)]);
    return { cert: `${cert.reveal()}\n`, key: `${secret.reveal()}\n` };
  };
  /** What is away for a moment ends no delivery: what was good is shown, and that is told once. */
  const readOrKnown = async (nowMs: number): Promise<ClientPair> => {
    try {
      const pair = await read(nowMs);
      isAway = false;
      return pair;
    } catch (error) {
      if (known === undefined) throw error;
      if (!isAway) onFault(asProxyError(error));
      isAway = true;
      return known;
    }
  };
  return async () => {
    const nowMs = clock();
    const pair = await readOrKnown(nowMs);
    const isKnown = known?.cert === pair.cert && known.key === pair.key;
    const problem = isKnown ? undefined : problemOf(pair);
    if (problem === undefined) {
      if (!isAway) unfit = undefined;
      if (!isKnown) known = pair;
      return known ?? pair;
    }
    const error = new ProxyError('credential_unavailable', `${of} cannot be used: ${problem}`);
    if (known === undefined) throw error;
    // Whoever renews writes one file after the other: until both are there, what was good is shown. Files that were read anew since, and do not
    // fit yet, are told of once.
    unfit ??= { sinceMs: nowMs, isTold: false };
    if (!unfit.isTold && nowMs - unfit.sinceMs >= defaultLimits.secretFileCheckMs) {
      unfit.isTold = true;
      onFault(error);
    }
    return known;
  };
}

/** Why nobody can be shown that. The reasons of the library may have some of a key in them. */
function problemOf({ cert, key }: ClientPair): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(cert);
  } catch {
    return 'its certificate is no PEM certificate';
  }
  try {
    return certificate.checkPrivateKey(createPrivateKey(key))
      ? undefined
      : 'its key is of another certificate';
  } catch {
    return 'its key is no PEM key without a passphrase';
  }
}
