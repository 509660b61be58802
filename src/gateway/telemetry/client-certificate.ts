// The certificate that the gateway shows to a collector: asked of its sources for each connection, so that a renewed one is taken up.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { asProxyError, ProxyError } from '../../protocol/error.ts';
import type { ClientCertificateSettings } from '../config/telemetry-settings.ts';
import { openCredentialSource } from '../credentials/sources/credential-source.ts';

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
  const read = async (nowMs: number): Promise<ClientPair> => {
    const [cert, secret] = await Promise.all([certificates.read(nowMs), keys.read(nowMs)]);
    return { cert: `${cert.reveal()}\n`, key: `${secret.reveal()}\n` };
  };
  /** What is away for a moment ends no delivery: what was good is shown, and that is told once. */
  const readOrKnown = async (): Promise<ClientPair> => {
    try {
      const pair = await read(clock());
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
    const pair = await readOrKnown();
    if (known?.cert === pair.cert && known.key === pair.key) return known;
    const problem = problemOf(pair);
    // Whoever renews writes one file after the other: until both are there, what was good is shown.
    if (problem !== undefined && known === undefined)
      throw new ProxyError('credential_unavailable', `${of} cannot be used: ${problem}`);
    if (problem === undefined) known = pair;
    return known ?? pair;
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
