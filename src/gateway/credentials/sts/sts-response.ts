// What STS responds with: the keys of a role, or why there are none. Of an error only its code is told, which is one word.

import { Secret } from '../../../protocol/secret.ts';
import type { AwsKeys } from '../sigv4/signer.ts';
import { xmlTexts } from './xml-texts.ts';

export type StsAction = 'AssumeRole' | 'AssumeRoleWithWebIdentity';

export interface GivenKeys {
  readonly keys: AwsKeys;
  readonly endsAtMs: number;
}

/** Undefined if the document is anything else than the response to that action, with all of its keys. */
export function readKeys(action: StsAction, xml: string): GivenKeys | undefined {
  const texts = xmlTexts(xml);
  const text = (name: string, form: RegExp): string | undefined => {
    const found = texts?.get(`${action}Response/${action}Result/Credentials/${name}`)?.trim();
    return found !== undefined && form.test(found) ? found : undefined;
  };
  const accessKeyId = text('AccessKeyId', /^\w{16,128}$/);
  const secret = text('SecretAccessKey', /^[\x21-\x7e]{16,256}$/);
  const token = text('SessionToken', /^[\x21-\x7e]{1,8192}$/);
  const endsAtMs = Date.parse(text('Expiration', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/) ?? '');
  if (accessKeyId === undefined || secret === undefined || token === undefined || Number.isNaN(endsAtMs))
    return undefined;
  const keys = { accessKeyId, secretAccessKey: new Secret(secret), sessionToken: new Secret(token) };
  return { keys, endsAtMs };
}

/** The code of an error, such as `ExpiredTokenException`; undefined if it says none. */
export function readErrorCode(xml: string): string | undefined {
  const code = xmlTexts(xml)?.get('ErrorResponse/Error/Code')?.trim();
  return code !== undefined && /^[A-Za-z0-9.]{1,64}$/.test(code) ? code : undefined;
}

const advice: Readonly<Record<string, string>> = {
  AccessDenied: 'the trust policy of the role does not let it, or the caller may not call this action',
  ExpiredTokenException: 'the identity token of the source has ended; whoever writes it has to renew it',
  IDPCommunicationError: 'STS could not reach the issuer of the token; it is asked again',
  IDPRejectedClaim: 'the issuer of the token does not vouch for it',
  InvalidIdentityToken:
    'no identity provider of the account takes the token: compare issuer, audience and key',
  MalformedPolicyDocument: '"policy" is not a policy of IAM',
  PackedPolicyTooLarge: '"policy" and "policyArns" are too large together; shorten them',
  RegionDisabledException: 'STS is not activated in that region for the account',
  SignatureDoesNotMatch: 'access key id and secret do not belong together, or the clock is wrong',
  InvalidClientTokenId: 'the access key id is not known there',
  ValidationError: 'STS does not take a parameter: compare arn and lifetimeSeconds with the role',
};

/** The code as it is told to operators. */
export function stsWords(code: string): string {
  const words = advice[code];
  return words === undefined ? code : `${code}: ${words}`;
}
