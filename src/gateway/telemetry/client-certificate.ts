// The certificate that the gateway shows to a collector: asked of its sources for each connection, so that a renewed one is taken up.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { ProxyError } from '../../protocol/error.ts';
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
  { environment, clock }: ClientCertificateNeeds,
): ClientCertificate {
  const certificates = openCredentialSource(`${of}.certificate`, certificate, environment, 'pem');
  const keys = openCredentialSource(`${of}.key`, key, environment, 'pem');
  let known: ClientPair | undefined;
  return async () => {
    const nowMs = clock();
    const [cert, secret] = await Promise.all([certificates.read(nowMs), keys.read(nowMs)]);
    const pair = { cert: `${cert.reveal()}\n`, key: `${secret.reveal()}\n` };
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
