// Authorities whose keys are in the key management of a cloud: a digest goes there, a signature comes back.

import { ProxyError } from '../../protocol/error.ts';
import { hexHash } from '../credentials/sigv4/canonical-request.ts';
import type { AwsKeySet } from '../credentials/sigv4/aws-keys.ts';
import { algorithm, Signer } from '../credentials/sigv4/signer.ts';
import type { CredentialSource } from '../credentials/sources/credential-source.ts';
import type { ServiceFetch, ServiceResponse } from '../forward/service-fetch.ts';
import { type Digest, digestParent, type Parent } from './parent.ts';
import { fieldsOf, reasonOf } from './service-json.ts';

interface Reached {
  readonly fetch: ServiceFetch;
  readonly clock: () => number;
  /** PEM that the service is verified against beside the usual roots. */
  readonly ca?: readonly string[];
}

export interface AwsKmsKey extends Reached {
  readonly region: string;
  readonly keyId: string;
  readonly endpoint: string;
  readonly keys: AwsKeySet;
}

/** `TrentService.Sign` (AWS KMS API, 2014-11-01) of a digest: RAW would end at 4,096 octets. */
export function awsKmsParent(options: AwsKmsKey): Parent {
  const { region, keyId, endpoint, keys, fetch, clock, ca } = options;
  return digestParent(`AWS KMS ${region} (${keyId})`, async (digest) => {
    const nowMs = clock();
    const body = JSON.stringify({
      KeyId: keyId,
      Message: base64(digest.octets),
      MessageType: 'DIGEST',
      SigningAlgorithm: awsAlgorithm(digest),
    });
    const { keys: signing, url } = { keys: await keys.read(nowMs), url: new URL(endpoint) };
    const signer = new Signer(signing, { region, service: 'kms' }, nowMs);
    const fields: Readonly<Record<string, string>> = {
      'content-type': 'application/x-amz-json-1.1',
      host: url.host,
      'x-amz-date': signer.dateTime,
      ...(signing.sessionToken === undefined
        ? {}
        : { 'x-amz-security-token': signing.sessionToken.reveal() }),
      'x-amz-target': 'TrentService.Sign',
    };
    const names = Object.keys(fields).toSorted();
    const lines = names.map((name) => `${name}:${fields[name] ?? ''}\n`).join('');
    const canonical = ['POST', '/', '', lines, names.join(';'), hexHash(body)].join('\n');
    const { host: _host, ...headers } = fields;
    const authorization = `${algorithm} Credential=${signer.credential}, SignedHeaders=${names.join(';')}, Signature=${signer.request(canonical)}`;
    const response = await ask(fetch, `${url.origin}/`, {
      headers: { ...headers, authorization },
      body,
      digest,
      ca,
    });
    return octetsOf(response, 'Signature');
  });
}

function awsAlgorithm({ keyType, name }: Digest): string {
  const bits = name === 'sha256' ? '256' : '384';
  return keyType === 'rsa' ? `RSASSA_PKCS1_V1_5_SHA_${bits}` : `ECDSA_SHA_${bits}`;
}

export interface GoogleKmsKey extends Reached {
  /** `projects/…/cryptoKeyVersions/N` */
  readonly key: string;
  readonly endpoint: string;
  /** Of an access token. */
  readonly source: CredentialSource;
}

/** `asymmetricSign` of a key version (Cloud KMS API v1). */
export function googleKmsParent({ key, endpoint, source, fetch, clock, ca }: GoogleKmsKey): Parent {
  return digestParent(`Google Cloud KMS (${key})`, async (digest) => {
    const token = await source.read(clock());
    const response = await ask(fetch, `${new URL(endpoint).origin}/v1/${key}:asymmetricSign`, {
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token.reveal()}` },
      body: JSON.stringify({ digest: { [digest.name]: base64(digest.octets) } }),
      digest,
      ca,
    });
    return octetsOf(response, 'signature');
  });
}

interface Asked {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly digest: Digest;
  readonly ca: readonly string[] | undefined;
}

async function ask(
  fetch: ServiceFetch,
  url: string,
  { headers, body, digest, ca }: Asked,
): Promise<ServiceResponse> {
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body,
    signal: digest.signal,
    ...(ca === undefined ? {} : { ca }),
  });
  if (response.status === 200) return response;
  throw unusable(`it did not sign: status ${response.status} ${reasonOf(response.text)}`.trimEnd());
}

function octetsOf({ text }: ServiceResponse, field: string): Uint8Array {
  const value = fieldsOf(text)[field];
  if (typeof value !== 'string') throw unusable('its response has no signature');
  return Buffer.from(value, 'base64');
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets).toString('base64');
}

function unusable(message: string): ProxyError {
  return new ProxyError('ca_key_unusable', message);
}
