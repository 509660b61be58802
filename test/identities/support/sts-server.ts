// AWS STS, as its API of 2011-06-15 is published: AssumeRole, whose signature it verifies by another implementation of SigV4, and
// AssumeRoleWithWebIdentity, whose token it verifies by the keys of the identity provider. Errors have the status and the code of AWS.
//
// It differs from AWS in this: keys end after `keysLifeMs` where that is set, whatever was asked for; `Policy` is read as JSON with statements and
// not as IAM reads it; there is one account; tags, source identities, MFA and transitive session tags are refused as unknown parameters are not
// by AWS; a request is taken by POST alone.

import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createLocalJWKSet, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';

import { canary } from '../../support/canary.ts';
import type { TestAuthority } from '../../support/test-authority.ts';
import { bodyOf } from './body-of.ts';
import { verdictOf } from '../../gateway/credentials/support/verifying-origin.ts';

export interface IssuedKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly endsAtMs: number;
  readonly roleArn: string;
  readonly sessionName: string;
  readonly policy: string | undefined;
}

export interface StsRole {
  readonly arn: string;
  /** Who may take it by a token: subjects of the provider. */
  readonly subjects?: readonly string[];
  /** Who may take it by keys. */
  readonly callers?: readonly string[];
  readonly externalId?: string;
  readonly lifetimeSecondsMax?: number;
}

export interface StsServerOptions {
  readonly authority: TestAuthority;
  readonly clock: () => number;
  readonly provider: { readonly issuer: string; readonly audience: string; readonly keys: JSONWebKeySet };
  readonly users?: readonly { readonly accessKeyId: string; readonly secretAccessKey: string }[];
  readonly roles: readonly StsRole[];
}

export interface StsServer extends AsyncDisposable {
  readonly url: string;
  readonly issued: IssuedKeys[];
  /** Actions, with the code of what was refused. */
  readonly asked: string[];
  keysLifeMs: number | undefined;
  /** Codes that the next requests get, in order. */
  readonly faults: string[];
  /** Keys as they verify requests; undefined: unknown. */
  keys(accessKeyId: string): IssuedKeys | undefined;
}

const statusOf: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  InvalidClientTokenId: 403,
  SignatureDoesNotMatch: 403,
  ServiceUnavailable: 503,
  InternalFailure: 500,
};

class StsFault extends Error {
  readonly code: string;
  constructor(code: string, message = code) {
    super(message);
    this.code = code;
  }
}

export async function openStsServer(options: StsServerOptions): Promise<StsServer> {
  const { authority, clock } = options;
  const server = createServer(authority.issue('localhost'), (request, response) => {
    respond(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const sts: StsServer = {
    url: `https://localhost:${String(port)}/`,
    issued: [],
    asked: [],
    faults: [],
    keysLifeMs: undefined,
    keys: (accessKeyId) => sts.issued.find((one) => one.accessKeyId === accessKeyId),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const octets = await buffer(request);
    const form = new URLSearchParams(octets.toString());
    const action = form.get('Action') ?? 'none';
    response.setHeader('date', new Date(clock()).toUTCString());
    try {
      const fault = sts.faults.shift();
      if (fault !== undefined) throw new StsFault(fault);
      if (request.method !== 'POST' || form.get('Version') !== '2011-06-15')
        throw new StsFault('InvalidAction');
      const asked = { method: 'POST', url: request.url ?? '', headers: request.headers, octets };
      const xml =
        action === 'AssumeRole'
          ? await assumeRole(form, asked, { options, sts })
          : await assumeByToken(form, action, { options, sts });
      sts.asked.push(action);
      response.writeHead(200, { 'content-type': 'text/xml' }).end(xml);
    } catch (error) {
      const code = error instanceof StsFault ? error.code : 'InternalFailure';
      sts.asked.push(`${action} ${code}`);
      response.writeHead(statusOf[code] ?? 400, { 'content-type': 'text/xml' });
      response.end(errorText(code, error instanceof Error ? error.message : ''));
    }
  }
  return sts;
}

interface Place {
  readonly options: StsServerOptions;
  readonly sts: StsServer;
}

interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly octets: Buffer;
}

async function assumeRole(form: URLSearchParams, asked: Asked, { options, sts }: Place): Promise<string> {
  const claimed = /Credential=([^/]+)\//.exec(asked.headers.authorization ?? '')?.[1] ?? '';
  const user =
    options.users?.find(({ accessKeyId }) => accessKeyId === claimed) ?? living(sts.keys(claimed), options);
  if (user === undefined) throw new StsFault('InvalidClientTokenId');
  const { verdict } = await verdictOf({ ...asked, body: bodyOf(asked.octets) }, user, () => undefined);
  if (verdict !== 'ok') throw new StsFault('SignatureDoesNotMatch', verdict);
  const role = roleOf(form, options);
  const isCaller = role.callers?.includes(claimed) === true;
  if (!isCaller || role.externalId !== (form.get('ExternalId') ?? undefined))
    throw new StsFault('AccessDenied');
  const isChained = 'sessionToken' in user;
  return given('AssumeRole', form, { role, options, sts, secondsMax: isChained ? 3600 : undefined });
}

function living(keys: IssuedKeys | undefined, { clock }: StsServerOptions): IssuedKeys | undefined {
  if (keys !== undefined && keys.endsAtMs <= clock()) throw new StsFault('ExpiredToken');
  return keys;
}

async function assumeByToken(
  form: URLSearchParams,
  action: string,
  { options, sts }: Place,
): Promise<string> {
  if (action !== 'AssumeRoleWithWebIdentity') throw new StsFault('InvalidAction');
  const { provider, clock } = options;
  const role = roleOf(form, options);
  const token = form.get('WebIdentityToken') ?? '';
  const { payload } = await jwtVerify(token, createLocalJWKSet(provider.keys), {
    issuer: provider.issuer,
    audience: provider.audience,
    requiredClaims: ['exp', 'iat', 'sub'],
    currentDate: new Date(clock()),
  }).catch((error: unknown) => {
    const isEnded = error instanceof Error && 'code' in error && error.code === 'ERR_JWT_EXPIRED';
    throw new StsFault(isEnded ? 'ExpiredTokenException' : 'InvalidIdentityToken');
  });
  if (role.subjects?.includes(payload.sub ?? '') !== true) throw new StsFault('AccessDenied');
  const who = `<SubjectFromWebIdentityToken>${payload.sub ?? ''}</SubjectFromWebIdentityToken><Audience>${provider.audience}</Audience><Provider>${provider.issuer}</Provider>`;
  return given(action, form, { role, options, sts, who });
}

const known =
  /^(Action|Version|RoleArn|RoleSessionName|DurationSeconds|Policy|ExternalId|WebIdentityToken|PolicyArns\.member\.([1-9]|10)\.arn)$/;

function roleOf(form: URLSearchParams, { roles }: StsServerOptions): StsRole {
  if ([...form.keys()].some((name) => !known.test(name))) throw new StsFault('ValidationError');
  if (!/^[\w+=,.@-]{2,64}$/.test(form.get('RoleSessionName') ?? '')) throw new StsFault('ValidationError');
  const role = roles.find(({ arn }) => arn === form.get('RoleArn'));
  if (role === undefined) throw new StsFault('AccessDenied');
  return role;
}

interface Giving extends Place {
  readonly role: StsRole;
  readonly secondsMax?: number | undefined;
  readonly who?: string;
}

function given(
  action: string,
  form: URLSearchParams,
  { role, options, sts, secondsMax, who = '' }: Giving,
): string {
  const seconds = Number(form.get('DurationSeconds') ?? 3600);
  const max = secondsMax ?? role.lifetimeSecondsMax ?? 3600;
  if (!Number.isInteger(seconds) || seconds < 900 || seconds > max) throw new StsFault('ValidationError');
  const policy = form.get('Policy') ?? undefined;
  checkPolicy(policy);
  const sessionName = form.get('RoleSessionName') ?? '';
  const keys: IssuedKeys = {
    accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: canary('aws'),
    // As those of AWS, with characters that have to be encoded.
    sessionToken: `${canary('session')}/+${createHash('sha256').update(sessionName).digest('base64')}`,
    endsAtMs: Math.floor((options.clock() + (sts.keysLifeMs ?? seconds * 1000)) / 1000) * 1000,
    roleArn: role.arn,
    sessionName,
    policy,
  };
  sts.issued.push(keys);
  const assumed = role.arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/');
  const end = new Date(keys.endsAtMs).toISOString().replace('.000', '');
  return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <${action}Result>
    ${who}
    <AssumedRoleUser>
      <Arn>${assumed}/${sessionName}</Arn>
      <AssumedRoleId>AROAEXAMPLE:${sessionName}</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>${keys.accessKeyId}</AccessKeyId>
      <SecretAccessKey>${keys.secretAccessKey}</SecretAccessKey>
      <SessionToken>${keys.sessionToken}</SessionToken>
      <Expiration>${end}</Expiration>
    </Credentials>
    <PackedPolicySize>6</PackedPolicySize>
  </${action}Result>
  <ResponseMetadata>
    <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>
  </ResponseMetadata>
</${action}Response>
`;
}

function checkPolicy(policy: string | undefined): void {
  if (policy === undefined) return;
  if (policy.length > 2048) throw new StsFault('PackedPolicyTooLarge');
  try {
    const document = JSON.parse(policy) as { readonly Statement?: unknown };
    if (document.Statement !== undefined) return;
  } catch {}
  throw new StsFault('MalformedPolicyDocument');
}

function errorText(code: string, message: string): string {
  const escaped = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>${code}</Code>
    <Message>${escaped}</Message>
  </Error>
  <RequestId>c6104cbe-af31-11e0-8154-cbc7ccf896c7</RequestId>
</ErrorResponse>
`;
}
