// Requests to STS: the form that it takes, and its signature where the caller has keys of its own.

import { HeaderList } from '../../../http/header-list.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import type { ServiceRequest } from '../../forward/service-fetch.ts';
import { canonicalRequest, hexHash } from '../sigv4/canonical-request.ts';
import { Signer } from '../sigv4/signer.ts';
import type { AwsKeys } from '../sigv4/signer.ts';
import type { StsAction } from './sts-response.ts';

/** What the configuration says of a role. */
export interface RoleSettings {
  readonly arn: string;
  /** Of STS; https, or http to an address on loopback. */
  readonly endpoint: string;
  /** For which a request to STS is signed. */
  readonly region: string;
  readonly lifetimeSeconds: number;
  /** Absent: that of the session's subject. */
  readonly sessionName?: string;
  readonly externalId?: string;
  /** JSON. */
  readonly policy?: string;
  readonly policyArns?: readonly string[];
  /** PEM file that STS is verified against beside the gateway's roots. */
  readonly ca?: string;
}

const version = '2011-06-15';
const formType = 'application/x-www-form-urlencoded; charset=utf-8';

/** Who asks: the bearer of a token of another issuer, or of keys of AWS. */
export type StsCaller = { readonly webIdentityToken: string } | { readonly keys: AwsKeys };

export function stsActionOf(caller: StsCaller): StsAction {
  return 'keys' in caller ? 'AssumeRole' : 'AssumeRoleWithWebIdentity';
}

export function stsRequest(
  role: RoleSettings,
  caller: StsCaller,
  { sessionName, nowMs }: { readonly sessionName: string; readonly nowMs: number },
): Omit<ServiceRequest, 'ca'> {
  const form = new URLSearchParams({
    Action: stsActionOf(caller),
    Version: version,
    RoleArn: role.arn,
    RoleSessionName: sessionName,
    DurationSeconds: String(role.lifetimeSeconds),
    ...(role.policy === undefined ? {} : { Policy: role.policy }),
  });
  for (const [i, arn] of (role.policyArns ?? []).entries())
    form.set(`PolicyArns.member.${String(i + 1)}.arn`, arn);
  // Only this action has one.
  if ('keys' in caller && role.externalId !== undefined) form.set('ExternalId', role.externalId);
  if ('webIdentityToken' in caller) form.set('WebIdentityToken', caller.webIdentityToken);
  const body = form.toString();
  const headers = { accept: 'text/xml', 'content-type': formType };
  return {
    method: 'POST',
    headers: 'keys' in caller ? { ...headers, ...signature(role, caller.keys, { body, nowMs }) } : headers,
    body,
  };
}

/** The fields that sign it. */
function signature(
  { endpoint, region }: RoleSettings,
  keys: AwsKeys,
  { body, nowMs }: { readonly body: string; readonly nowMs: number },
): Readonly<Record<string, string>> {
  const signer = new Signer(keys, { region, service: 'sts' }, nowMs);
  const signed = {
    'x-amz-date': signer.dateTime,
    ...(keys.sessionToken === undefined ? {} : { 'x-amz-security-token': keys.sessionToken.reveal() }),
  };
  const head: RequestHead = {
    ...targetOf(endpoint),
    method: 'POST',
    headers: HeaderList.of(Object.entries({ ...signed, 'content-type': formType })),
    httpVersion: '1.1',
  };
  const canonical = canonicalRequest(head, { service: 'sts', payload: hexHash(Buffer.from(body)) });
  const value = signer.request(canonical.text);
  return {
    ...signed,
    authorization: `${signer.algorithm} Credential=${signer.credential}, SignedHeaders=${canonical.signedHeaders}, Signature=${value}`,
  };
}

function targetOf(endpoint: string): Pick<RequestHead, 'destination' | 'path' | 'query'> {
  const { protocol, hostname, port, pathname } = new URL(endpoint);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  const host = hostname.replace(/^\[|\]$/g, '');
  const destination = { scheme, host, port: Number(port || (scheme === 'https' ? 443 : 80)) } as const;
  return { destination, path: pathname, query: '' };
}
