// Kind `sigv4`: the client signs with dummy keys; its signature is taken off and the request signed with the real ones.

import { fieldKey } from '../../../http/request-field-table.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import type { BodyFacts } from '../request/body-rewrite.ts';
import type { Injected } from '../request/injected.ts';
import { decodeParameter, readParameters } from '../../../http/query-parameter.ts';
import { asFieldValue } from '../request/field-value.ts';
import type { HeldBodies } from '../request/held-bodies.ts';
import type { Secret } from '../../../protocol/secret.ts';
import { contentHashField, signedPayload, unsignedPayload } from './signed-payload.ts';
import type { SignedPayload } from './signed-payload.ts';
import { canonicalRequest, hexHash, isS3, signedHeaderNames } from './canonical-request.ts';
import { awsClaimOf, presignParameters, refused, regionSetField } from './aws-claim.ts';
import type { AwsClaim } from './aws-claim.ts';
import { resignChunks } from './resign-chunks.ts';
import { Signer } from './signer.ts';
import type { AwsKeys, AwsScope } from './signer.ts';
import { defaultLimits } from '../../../protocol/limits.ts';

/** Who may read and write an object, or a bucket: rights that outlive the session. */
const isAclField = (name: string): boolean => name === 'x-amz-acl' || name.startsWith('x-amz-grant-');
/** What S3 copies: as a field a rule judges it. */
const isSourceField = (name: string): boolean =>
  name.startsWith('x-amz-copy-source') || name === 'x-amz-rename-source';

/** What the configuration fixes; the rest is what the client's own signature says. */
export interface Sigv4Settings {
  readonly name: string;
  readonly region: string | undefined;
  readonly service: string | undefined;
  /** Whether a request may say who else may read and write. */
  readonly acls: boolean;
}

export class Sigv4Injector {
  readonly #settings: Sigv4Settings;
  readonly #held: HeldBodies;

  constructor(settings: Sigv4Settings, held: HeldBodies) {
    this.#settings = settings;
    this.#held = held;
  }

  /** @throws ProxyError signature_refused, body_too_large, limit_exceeded */
  async inject(
    head: RequestHead,
    keys: AwsKeys,
    { nowMs, body }: { readonly nowMs: number; readonly body: BodyFacts | undefined },
  ): Promise<Injected> {
    const claim = awsClaimOf(head);
    const scope = this.#scopeOf(claim);
    const parameters = readParameters(head.query).flatMap((found) => Array.from(found.keys()));
    this.#checkAcl(head, parameters);
    checkSource(parameters);
    const signer = new Signer(keys, scope, nowMs);
    const bare = withoutClientSignature(head);
    const injected =
      claim.place === 'query'
        ? presigned(bare, { claim, scope, signer, keys, nowMs })
        : await this.#signed(bare, { scope, signer, keys, body });
    return { ...injected, values: this.values(keys), keepsRange: true };
  }

  /** What travels, and is no signature. */
  values({ sessionToken }: AwsKeys): readonly Secret<string>[] {
    return sessionToken === undefined ? [] : [sessionToken];
  }

  #scopeOf(claim: AwsClaim): AwsScope {
    const { name, region = claimed(claim)?.region, service = claimed(claim)?.service } = this.#settings;
    if (region === undefined || service === undefined)
      throw refused(
        `the request has no AWS signature that names region and service, and credential ${name} fixes none; sign it with any keys`,
      );
    const said = claimed(claim);
    if (said !== undefined && (said.region !== region || said.service !== service))
      throw refused(
        `the request is signed for ${said.service} in ${said.region}, credential ${name} is for ${service} in ${region}`,
      );
    return said ?? { region, service };
  }

  /** Rights that a request gives away are bounded by no rule and go on when the session has ended. */
  #checkAcl({ headers }: RequestHead, parameters: readonly string[]): void {
    if (this.#settings.acls) return;
    // S3 reads such a field in the query of a presigned URL as well.
    const fields = [...headers].map(([name]) => name);
    const names = [...fields, ...parameters].map(fieldKey);
    const found = names.find(isAclField) ?? (parameters.includes('acl') ? '?acl' : undefined);
    if (found !== undefined)
      throw refused(
        `${found} says who may read and write, which credential ${this.#settings.name} does not sign; leave it out, or ask the operator for "acls: true"`,
      );
  }

  async #signed(
    head: RequestHead,
    {
      scope,
      signer,
      keys,
      body,
    }: {
      readonly scope: AwsScope;
      readonly signer: Signer;
      readonly keys: AwsKeys;
      readonly body: BodyFacts | undefined;
    },
  ): Promise<Omit<Injected, 'values'>> {
    const { service } = scope;
    const payload = await signedPayload(head, scope, { body, held: this.#held });
    let { headers } = head;
    if (scope.isAsymmetric === true) headers = headers.with(regionSetField, scope.region);
    headers = headers.with('x-amz-date', signer.dateTime);
    if (keys.sessionToken !== undefined)
      headers = headers.with('x-amz-security-token', asFieldValue(keys.sessionToken.reveal()));
    if (isS3(service) || headers.has(contentHashField))
      headers = headers.with(contentHashField, payload.word);
    const canonical = canonicalRequest({ ...head, headers }, { service, payload: payload.word });
    const signature = signer.request(canonical.text);
    headers = headers.with(
      'authorization',
      `${signer.algorithm} Credential=${signer.credential}, SignedHeaders=${canonical.signedHeaders}, Signature=${signature}`,
    );
    return { head: { ...head, headers }, ...rewriteOf(payload, signer, signature) };
  }
}

/** A rule looks at the field, and never at the query. */
function checkSource(parameters: readonly string[]): void {
  const found = parameters.map(fieldKey).find(isSourceField);
  if (found !== undefined)
    throw refused(`${found} stands in the query, where no rule judges what is copied; send it as a field`);
}

function claimed(claim: AwsClaim): AwsScope | undefined {
  return claim.place === 'none' ? undefined : claim.scope;
}

function rewriteOf(payload: SignedPayload, signer: Signer, seed: string): Pick<Injected, 'body'> {
  switch (payload.kind) {
    case 'as-is':
      return {};
    case 'held':
      return { body: payload.body };
    case 'chunks': {
      const { decodedLength, trailerNames } = payload;
      return { body: resignChunks({ signer, seed, decodedLength, trailerNames }) };
    }
  }
}

/** Every place in which a signature and what belongs to it can stand. */
function withoutClientSignature(head: RequestHead): RequestHead {
  const headers = head.headers.without('authorization', 'x-amz-date', 'x-amz-security-token', regionSetField);
  return { ...head, headers, query: withoutPresign(head.query) };
}

function withoutPresign(query: string): string {
  if (query.length < 2) return query;
  const names: ReadonlySet<string> = new Set(presignParameters.map((name) => name.toLowerCase()));
  const all = query.slice(1).split('&');
  const kept = all.filter((parameter) => {
    const [name = ''] = parameter.split('=', 1);
    return !names.has(decodeParameter(name).toLowerCase());
  });
  if (kept.length === all.length) return query;
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

interface Presigning {
  readonly claim: AwsClaim & { readonly place: 'query' };
  readonly scope: AwsScope;
  readonly signer: Signer;
  readonly keys: AwsKeys;
  readonly nowMs: number;
}

/** The URL with a signature of ours, which ends when the client's would have ended, or sooner. */
function presigned(
  head: RequestHead,
  { claim, scope, signer, keys, nowMs }: Presigning,
): Omit<Injected, 'values'> {
  const seconds = Math.floor((claim.endsAtMs - nowMs) / 1000);
  if (seconds < 1) throw refused('the presigned URL has expired');
  const parameters: readonly (readonly [string, string])[] = [
    ['X-Amz-Algorithm', signer.algorithm],
    ['X-Amz-Credential', signer.credential],
    ['X-Amz-Date', signer.dateTime],
    ['X-Amz-Expires', String(Math.min(seconds, defaultLimits.presignedSecondsMax))],
    ['X-Amz-SignedHeaders', signedHeaderNames(head)],
    ...(scope.isAsymmetric === true ? [['X-Amz-Region-Set', scope.region] as const] : []),
    ...(keys.sessionToken === undefined
      ? []
      : [['X-Amz-Security-Token', keys.sessionToken.reveal()] as const]),
  ];
  const query = appended(head.query, parameters);
  const payload = presignedPayload(head, scope.service);
  const canonical = canonicalRequest({ ...head, query }, { service: scope.service, payload });
  const signature = signer.request(canonical.text);
  return { head: { ...head, query: appended(query, [['X-Amz-Signature', signature]]) } };
}

/** Only S3 has a word for "not signed"; elsewhere such a URL is for a request without a body. */
function presignedPayload(head: RequestHead, service: string): string {
  const word = head.headers.first(contentHashField);
  if (word?.startsWith('STREAMING-'))
    throw refused('a presigned URL cannot carry a body in signed chunks; sign the request by its header');
  if (isS3(service)) return word ?? unsignedPayload;
  return word ?? hexHash('');
}

function appended(query: string, parameters: readonly (readonly [string, string])[]): string {
  const added = parameters.map(([name, value]) => `${name}=${strictlyEncoded(value)}`).join('&');
  return query.length < 2 ? `?${added}` : `${query}&${added}`;
}

/** RFC 3986: `encodeURIComponent` leaves five reserved characters plain. */
function strictlyEncoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
