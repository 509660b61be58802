// What a client's own AWS signature says: where it stands, for which region and service, and how the body is signed.
// Nothing of it is verified, for the client has no key; it only says what to sign in its place.

import type { RequestHead } from '../../../http/message-head.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { decodeParameter } from '../../../http/query-parameter.ts';
import { asymmetricAlgorithm } from './sigv4a-key.ts';
import { algorithm, parseDateTime } from './signer.ts';
import type { AwsScope } from './signer.ts';

export type AwsClaim =
  | { readonly place: 'none' }
  | { readonly place: 'header'; readonly scope: AwsScope }
  | { readonly place: 'query'; readonly scope: AwsScope; readonly endsAtMs: number };

/** Parameters of a presigned URL; all but session token and set of regions of every one. */
export const presignParameters = [
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-SignedHeaders',
  'X-Amz-Signature',
  'X-Amz-Security-Token',
  'X-Amz-Region-Set',
] as const;
export const regionSetField = 'x-amz-region-set';

const servicePattern = /^[A-Za-z0-9._-]{1,64}$/;
/** A region, or a pattern for several. */
const regionPattern = /^[A-Za-z0-9_*-]{1,64}$/;
/** AWS has some 40. */
const regionsMax = 64;

/** The longest that AWS lets a presigned URL live. */
const presignSecondsMax = 7 * 24 * 3600;

/** @throws ProxyError signature_refused for signatures that the gateway does not make */
export function awsClaimOf(head: RequestHead): AwsClaim {
  if (head.headers.isRepeated('authorization'))
    throw refused('the request has Authorization more than once; send one');
  const authorization = head.headers.first('authorization');
  const parameters = presignedParameters(head.query);
  const isPresigned = parameters.has('x-amz-signature') || parameters.has('x-amz-algorithm');
  if (parameters.has('signature') && parameters.has('awsaccesskeyid'))
    throw refused('the URL is presigned with Signature Version 2; use version 4');
  const isSigned = authorization !== undefined && /^AWS/i.test(authorization);
  if (isPresigned && isSigned)
    throw refused('the request is signed in Authorization and in its URL; use one of them');
  if (isPresigned) return queryClaim(parameters);
  return isSigned ? headerClaim(authorization, head) : { place: 'none' };
}

function headerClaim(authorization: string, { headers }: RequestHead): AwsClaim {
  const isAsymmetric = isAsymmetricAlgorithm(authorization.split(' ', 1)[0] ?? '');
  const credential = /[\s,]Credential=([^\s,]+)/.exec(authorization)?.[1] ?? '';
  if (!isAsymmetric) return { place: 'header', scope: scopeOf(credential) };
  if (headers.isRepeated(regionSetField)) throw refused(`${regionSetField} stands more than once`);
  return { place: 'header', scope: asymmetricScopeOf(credential, headers.first(regionSetField)) };
}

function queryClaim(parameters: ReadonlyMap<string, string>): AwsClaim {
  const isAsymmetric = isAsymmetricAlgorithm(parameters.get('x-amz-algorithm') ?? '');
  const credential = parameters.get('x-amz-credential') ?? '';
  const scope = isAsymmetric
    ? asymmetricScopeOf(credential, parameters.get(regionSetField))
    : scopeOf(credential);
  const startsAtMs = parseDateTime(parameters.get('x-amz-date') ?? '');
  const seconds = parameters.get('x-amz-expires') ?? '';
  if (startsAtMs === undefined) throw refused('the presigned URL has no valid X-Amz-Date');
  if (!/^\d{1,6}$/.test(seconds) || Number(seconds) > presignSecondsMax)
    throw refused(`X-Amz-Expires of the presigned URL is not 0 to ${String(presignSecondsMax)} seconds`);
  return { place: 'query', scope, endsAtMs: startsAtMs + Number(seconds) * 1000 };
}

function isAsymmetricAlgorithm(given: string): boolean {
  if (given === algorithm || given === asymmetricAlgorithm) return given === asymmetricAlgorithm;
  if (given === 'AWS') throw refused('the request is signed with Signature Version 2; use version 4');
  throw refused('the request is signed with an algorithm of AWS that the gateway does not know');
}

/** `AKID/20130524/us-east-1/s3/aws4_request`: an access key id of a test server may itself have slashes. */
function scopeOf(credential: string): AwsScope {
  const [end, service = '', region = '', day = '', ...key] = credential.split('/').toReversed();
  const isScope =
    end === 'aws4_request' &&
    servicePattern.test(service) &&
    /^[A-Za-z0-9_-]{1,64}$/.test(region) &&
    /^\d{8}$/.test(day);
  if (!isScope || key.join('/') === '' || credential.includes(','))
    throw refused('the signature names no scope of the form KEY/DATE/REGION/SERVICE/aws4_request');
  return { region, service };
}

/** `AKID/20130524/s3/aws4_request`; the regions stand beside it. */
function asymmetricScopeOf(credential: string, regions: string | undefined): AwsScope {
  const [end, service = '', day = '', ...key] = credential.split('/').toReversed();
  const isScope = end === 'aws4_request' && servicePattern.test(service) && /^\d{8}$/.test(day);
  if (!isScope || key.join('/') === '' || credential.includes(','))
    throw refused('the signature names no scope of the form KEY/DATE/SERVICE/aws4_request');
  const set = regions?.split(',').map((one) => one.trim()) ?? [];
  const isSet = set.length >= 1 && set.length <= regionsMax && set.every((one) => regionPattern.test(one));
  if (!isSet)
    throw refused(
      `the request is signed with SigV4A, and ${regionSetField} names no regions of AWS; write them with commas between`,
    );
  return { region: set.join(','), service, isAsymmetric: true };
}

/** Names in lower case, for some servers take them so; one that stands twice has no meaning that all share. */
function presignedParameters(query: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const parameter of query.slice(1).split('&')) {
    const equals = parameter.indexOf('=');
    const name = decodeParameter(equals === -1 ? parameter : parameter.slice(0, equals)).toLowerCase();
    if (found.has(name) && name.startsWith('x-amz-'))
      throw refused('a parameter of the presigned URL stands more than once');
    found.set(name, decodeParameter(equals === -1 ? '' : parameter.slice(equals + 1)));
  }
  return found;
}

export function refused(message: string): ProxyError {
  return new ProxyError('signature_refused', message);
}
