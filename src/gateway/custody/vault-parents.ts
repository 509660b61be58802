// Authorities whose keys are in Vault or OpenBao: its PKI signs requests, its Transit digests.

import { authorityRequest } from '../../pki/certificate-request.ts';
import { checkCertificates } from '../../pki/pem.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { VaultClient } from '../credentials/vault/vault-client.ts';
import { refusal } from '../credentials/vault/vault-response.ts';
import { digestParent, type Parent } from './parent.ts';
import { dataOf } from './service-json.ts';

export interface VaultPkiPlace {
  readonly mount: string;
  /** Name or id of the issuer in that mount. */
  readonly issuer: string;
}

type Client = Pick<VaultClient, 'ask' | 'host' | 'use'>;

/** As long as a container's clock may be behind. */
const notBeforeDuration = '3600s';

/** `POST /v1/{mount}/issuer/{issuer}/sign-intermediate`. What it gives is judged by who asked. */
export function vaultPkiParent(
  client: Client,
  { mount, issuer }: VaultPkiPlace,
  clock: () => number,
): Parent {
  const signPath = `${mount}/issuer/${issuer}/sign-intermediate`;
  return {
    label: `Vault PKI ${client.host} (${signPath})`,
    certify: async ({ key, names, lifetimeMs }) => {
      const nowMs = clock();
      client.use(nowMs);
      const body = {
        csr: authorityRequest(key, { names }),
        // Subject and extensions of the request, and what Vault itself has to be told.
        use_csr_values: true,
        max_path_length: 0,
        ttl: `${Math.floor(lifetimeMs / 1000)}s`,
        not_before_duration: notBeforeDuration,
        format: 'pem',
        ...(names.length === 0
          ? {}
          : {
              permitted_dns_domains: names,
              permitted_dns_domains_critical: true,
              excluded_ip_ranges: ['0.0.0.0/0', '::/0'],
            }),
      };
      const response = await client.ask({ method: 'POST', path: signPath, body }, nowMs);
      if (response.status !== 200) throw refusal('it did not sign', response);
      const { certificate, ca_chain: chain } = dataOf(response.text);
      if (typeof certificate !== 'string') throw unusable('its response has no certificate');
      const others = Array.isArray(chain) ? chain.filter((one) => typeof one === 'string') : [];
      return readPem([certificate, ...others]);
    },
  };
}

/** `POST /v1/{mount}/sign/{key}/{hash}` with a digest. */
export function vaultTransitParent(
  client: Client,
  { mount, key }: { readonly mount: string; readonly key: string },
  clock: () => number,
): Parent {
  return digestParent(`Vault Transit ${client.host} (${mount}/keys/${key})`, async (digest) => {
    const nowMs = clock();
    client.use(nowMs);
    const body = {
      input: Buffer.from(digest.octets).toString('base64'),
      prehashed: true,
      marshaling_algorithm: 'asn1',
      signature_algorithm: 'pkcs1v15',
    };
    const hash = digest.name === 'sha256' ? 'sha2-256' : 'sha2-384';
    const response = await client.ask({ method: 'POST', path: `${mount}/sign/${key}/${hash}`, body }, nowMs);
    if (response.status !== 200) throw refusal('it did not sign', response);
    const { signature } = dataOf(response.text);
    const [, , octets] = typeof signature === 'string' ? signature.split(':') : [];
    if (octets === undefined) throw unusable('its response has no signature');
    return Buffer.from(octets, 'base64');
  });
}

function readPem(texts: readonly string[]): readonly string[] {
  try {
    return texts.flatMap(checkCertificates);
  } catch (cause) {
    throw new ProxyError('ca_key_unusable', 'its response has what is not a certificate', { cause });
  }
}

function unusable(message: string): ProxyError {
  return new ProxyError('ca_key_unusable', message);
}
