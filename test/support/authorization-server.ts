// An authorization server of OAuth that gives each refresh token once (RFC 9700 §4.14.2): one that comes back revokes all that came of its log-in. It is
// asked directly, without a connection; who needs one puts a server in front of it.

import { createHash, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';

export interface AuthorizationServerOptions {
  readonly issuer: string;
  /** How long the token before the last one is taken still: 0 is strict. */
  readonly graceMs?: number;
  readonly accessSeconds?: number;
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** Tokens are bound to the key of the proof, which has to have a nonce. */
  readonly dpop?: boolean;
  /** The key of those on whose word tokens are exchanged (RFC 8693). */
  readonly trusted?: KeyObject;
  /** Exchanged tokens do not say who acts. */
  readonly impersonates?: boolean;
  /** After a refresh, before its response: what is thrown loses the response. */
  readonly onRotated?: () => Promise<void> | void;
}

interface Family {
  readonly subject: string;
  isRevoked: boolean;
  current: string;
  before: { readonly token: string; readonly untilMs: number } | undefined;
  readonly used: Set<string>;
  readonly access: Set<string>;
  readonly thumbprint: string | undefined;
}

export interface ServerResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface ServerRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Form = URLSearchParams;
type OptionalKey = 'clientSecret' | 'onRotated' | 'trusted' | 'impersonates';

export class AuthorizationServer {
  readonly #options: Required<Omit<AuthorizationServerOptions, OptionalKey>> &
    Pick<AuthorizationServerOptions, OptionalKey>;
  readonly #families: Family[] = [];
  readonly #codes = new Map<string, { readonly challenge: string; readonly redirectUri: string }>();
  readonly #devices = new Map<string, { isApproved: boolean; polls: number }>();
  #nonce = 'nonce-1';
  refreshes = 0;
  reuses = 0;
  revocations = 0;
  /** The forms that came to the token endpoint. */
  readonly asked: Readonly<Record<string, string>>[] = [];

  constructor(options: AuthorizationServerOptions) {
    this.#options = { graceMs: 0, accessSeconds: 300, clientId: 'client', dpop: false, ...options };
  }

  /** Whether that access token is good now. */
  isGood(accessToken: string): boolean {
    return this.#families.some(({ isRevoked, access }) => !isRevoked && access.has(accessToken));
  }

  /** The refresh token that is good now, of the last log-in. */
  get current(): string | undefined {
    return this.#families.findLast(({ isRevoked }) => !isRevoked)?.current;
  }

  /** Access tokens of before are good no more; refresh tokens are. */
  forgetAccess(): void {
    for (const { access } of this.#families) access.clear();
  }

  /** A log-in whose tokens somebody has already. */
  begin(thumbprint?: string): { readonly accessToken: string; readonly refreshToken: string } {
    const family: Family = {
      subject: 'ada',
      isRevoked: false,
      current: newToken('refresh'),
      before: undefined,
      used: new Set(),
      access: new Set([newToken('access')]),
      thumbprint,
    };
    this.#families.push(family);
    return { accessToken: [...family.access][0] ?? '', refreshToken: family.current };
  }

  /** Somebody enters the codes of devices. */
  approveDevices(): void {
    for (const device of this.#devices.values()) device.isApproved = true;
  }

  changeNonce(): void {
    this.#nonce = `nonce-${randomBytes(4).toString('hex')}`;
  }

  async handle(request: ServerRequest): Promise<ServerResponse> {
    const { pathname, searchParams } = new URL(request.url);
    const form = new URLSearchParams(request.body);
    switch (`${request.method} ${pathname}`) {
      case 'GET /.well-known/openid-configuration':
        return json(200, this.#metadata());
      case 'GET /authorize':
        return this.#authorize(searchParams);
      case 'POST /device':
        return this.#device(request, form);
      case 'POST /token':
        return await this.#token(request, form);
      case 'POST /revoke':
        return this.#revoke(request, form);
      default:
        return json(404, { error: 'not_found' });
    }
  }

  #metadata(): object {
    const { issuer } = this.#options;
    return {
      issuer,
      token_endpoint: `${issuer}/token`,
      authorization_endpoint: `${issuer}/authorize`,
      device_authorization_endpoint: `${issuer}/device`,
      revocation_endpoint: `${issuer}/revoke`,
      authorization_response_iss_parameter_supported: true,
    };
  }

  #authorize(asked: URLSearchParams): ServerResponse {
    const redirectUri = asked.get('redirect_uri') ?? '';
    const back = new URL(redirectUri);
    const code = newToken('code');
    if (asked.get('code_challenge_method') !== 'S256') return json(400, { error: 'invalid_request' });
    this.#codes.set(code, { challenge: asked.get('code_challenge') ?? '', redirectUri });
    back.searchParams.set('code', code);
    back.searchParams.set('state', asked.get('state') ?? '');
    back.searchParams.set('iss', this.#options.issuer);
    return { status: 302, headers: { location: back.href }, text: '' };
  }

  #device(request: ServerRequest, form: Form): ServerResponse {
    if (!this.#isClient(request, form)) return json(401, { error: 'invalid_client' });
    const code = newToken('device');
    this.#devices.set(code, { isApproved: false, polls: 0 });
    return json(200, {
      device_code: code,
      user_code: 'WDJB-MJHT',
      verification_uri: `${this.#options.issuer}/enter`,
      expires_in: 600,
      interval: 1,
    });
  }

  async #token(request: ServerRequest, form: Form): Promise<ServerResponse> {
    this.asked.push(Object.fromEntries(form));
    if (!this.#isClient(request, form)) return json(401, { error: 'invalid_client' });
    const proof = this.#options.dpop ? this.#proofOf(request) : undefined;
    if (proof !== undefined && 'status' in proof) return proof;
    const thumbprint = proof?.thumbprint;
    switch (form.get('grant_type')) {
      case 'refresh_token':
        return await this.#refresh(form.get('refresh_token') ?? '', thumbprint);
      case 'authorization_code':
        return this.#code(form, thumbprint);
      case 'urn:ietf:params:oauth:grant-type:device_code':
        return this.#poll(form.get('device_code') ?? '', thumbprint);
      case 'urn:ietf:params:oauth:grant-type:token-exchange':
        return this.#exchange(request, form, thumbprint);
      default:
        return json(400, { error: 'unsupported_grant_type' });
    }
  }

  async #refresh(token: string, thumbprint: string | undefined): Promise<ServerResponse> {
    this.refreshes += 1;
    const family = this.#families.find(({ current, used }) => current === token || used.has(token));
    if (family === undefined || family.isRevoked || family.thumbprint !== thumbprint)
      return json(400, { error: 'invalid_grant' });
    const { before } = family;
    const isInGrace = before?.token === token && Date.now() < before.untilMs;
    if (family.current !== token && !isInGrace) {
      this.reuses += 1;
      family.isRevoked = true;
      return json(400, { error: 'invalid_grant' });
    }
    family.used.add(token);
    family.before = {
      token,
      untilMs: before?.token === token ? before.untilMs : Date.now() + this.#options.graceMs,
    };
    family.current = newToken('refresh');
    const access = newToken('access');
    family.access.add(access);
    await this.#options.onRotated?.();
    return this.#given(family, access);
  }

  /** RFC 8693 §2.1: the two tokens are statements of somebody whom it trusts, for this endpoint. */
  #exchange({ url }: ServerRequest, form: Form, thumbprint: string | undefined): ServerResponse {
    const [subject, actor] = ['subject_token', 'actor_token'].map((name) =>
      this.#stated(form.get(name), url),
    );
    if (subject === undefined || (form.has('actor_token') && actor === undefined))
      return json(400, { error: 'invalid_request' });
    const act = actor === undefined || this.#options.impersonates === true ? {} : { act: { sub: actor } };
    const claims = {
      iss: this.#options.issuer,
      sub: subject,
      aud: form.get('audience') ?? 'any',
      jti: newToken('id'),
      ...act,
    };
    const token = `${encoded({ alg: 'none' })}.${encoded(claims)}.sig`;
    const family = {
      subject,
      isRevoked: false,
      current: '',
      before: undefined,
      used: new Set<string>(),
      access: new Set([token]),
      thumbprint,
    };
    this.#families.push(family);
    return json(200, {
      access_token: token,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: thumbprint === undefined ? 'Bearer' : 'DPoP',
      expires_in: this.#options.accessSeconds,
    });
  }

  #stated(token: string | null, audience: string): string | undefined {
    const [head = '', claims = '', signature = ''] = (token ?? '').split('.');
    const { trusted } = this.#options;
    if (trusted === undefined || signature === '') return undefined;
    if (!verify(null, Buffer.from(`${head}.${claims}`), trusted, Buffer.from(signature, 'base64url')))
      return undefined;
    const { aud, exp, sub } = decoded(claims);
    return aud === audience && Number(exp) > Date.now() / 1000 ? String(sub) : undefined;
  }

  #code(form: Form, thumbprint: string | undefined): ServerResponse {
    const known = this.#codes.get(form.get('code') ?? '');
    this.#codes.delete(form.get('code') ?? '');
    const verifier = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    if (known?.challenge !== verifier || known.redirectUri !== form.get('redirect_uri'))
      return json(400, { error: 'invalid_grant' });
    return this.#begun(thumbprint);
  }

  #poll(code: string, thumbprint: string | undefined): ServerResponse {
    const device = this.#devices.get(code);
    if (device === undefined) return json(400, { error: 'expired_token' });
    device.polls += 1;
    if (!device.isApproved)
      return json(400, { error: device.polls === 2 ? 'slow_down' : 'authorization_pending' });
    this.#devices.delete(code);
    return this.#begun(thumbprint);
  }

  #begun(thumbprint: string | undefined): ServerResponse {
    const { accessToken } = this.begin(thumbprint);
    const family = this.#families.at(-1);
    return family === undefined ? json(500, {}) : this.#given(family, accessToken);
  }

  #given(family: Family, accessToken: string): ServerResponse {
    return json(200, {
      access_token: accessToken,
      token_type: family.thumbprint === undefined ? 'Bearer' : 'DPoP',
      expires_in: this.#options.accessSeconds,
      refresh_token: family.current,
    });
  }

  #revoke(request: ServerRequest, form: Form): ServerResponse {
    if (!this.#isClient(request, form)) return json(401, { error: 'invalid_client' });
    this.revocations += 1;
    const token = form.get('token') ?? '';
    for (const family of this.#families)
      if (family.current === token || family.used.has(token)) family.isRevoked = true;
      else family.access.delete(token);
    return { status: 200, headers: {}, text: '' };
  }

  #isClient({ headers }: ServerRequest, form: Form): boolean {
    const { clientId, clientSecret } = this.#options;
    if (clientSecret === undefined) return form.get('client_id') === clientId && !form.has('client_secret');
    const pair = Buffer.from((headers['authorization'] ?? '').replace(/^Basic /, ''), 'base64').toString();
    const said = pair.split(':').map((half) => new URLSearchParams(`x=${half}`).get('x'));
    return said[0] === clientId && said[1] === clientSecret;
  }

  /** RFC 9449 §4.3 and §8. */
  #proofOf({ headers, method, url }: ServerRequest): { readonly thumbprint: string } | ServerResponse {
    const [head = '', claims = '', signature = ''] = (headers['dpop'] ?? '').split('.');
    const bad = json(400, { error: 'invalid_dpop_proof' });
    if (signature === '') return bad;
    const { jwk, typ } = decoded(head);
    const said = decoded(claims);
    // The proof has a key, or is none.
    const key = createPublicKey({ key: jwk as object, format: 'jwk' });
    const octets = Buffer.from(`${head}.${claims}`);
    const isSigned = verify(
      'sha256',
      octets,
      { key, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    if (!isSigned || typ !== 'dpop+jwt' || said['htm'] !== method || said['htu'] !== url) return bad;
    if (said['nonce'] !== this.#nonce)
      return { ...json(400, { error: 'use_dpop_nonce' }), headers: { 'dpop-nonce': this.#nonce } };
    return { thumbprint: createHash('sha256').update(JSON.stringify(jwk)).digest('base64url') };
  }
}

function decoded(part: string): Readonly<Record<string, unknown>> {
  // Tests alone send it.
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Readonly<Record<string, unknown>>;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function newToken(what: string): string {
  return `${what}-${randomBytes(12).toString('hex')}`;
}

function json(status: number, value: object): ServerResponse {
  return { status, headers: { 'content-type': 'application/json' }, text: JSON.stringify(value) };
}
