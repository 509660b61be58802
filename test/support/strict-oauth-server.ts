// A strict server of OAuth for tests (RFC 6749, 7009, 7591, 7636, 7662, 8414, 8628, 9700): codes and refresh tokens are for one use, and a refresh token
// that comes again ends its family. What it is asked and gives is kept, so that a test can look for it elsewhere.

import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

interface Family {
  refresh: string;
  readonly access: Set<string>;
  readonly clientId: string;
  isEnded: boolean;
}

export interface AuthorizationServerOptions {
  /** Beginning of access tokens. */
  readonly prefix?: string;
  /** Access tokens and id tokens are JSON Web Tokens. */
  readonly isJwt?: boolean;
  /** Token responses are forms, as GitHub's are unless asked otherwise. */
  readonly isForm?: boolean;
  readonly expiresIn?: number;
  /** A device code is granted at this poll. */
  readonly grantedAtPoll?: number;
  /** Responds in its place, or not. */
  readonly instead?: (
    request: IncomingMessage,
    body: string,
    response: ServerResponse,
  ) => boolean | Promise<boolean>;
}

export interface AuthorizationServer {
  readonly handler: RequestListener;
  /** All that is secret of what it gave. */
  readonly secrets: Set<string>;
  /** Families that ended because a token came twice. */
  readonly reused: () => number;
  readonly seen: readonly {
    readonly method: string;
    readonly url: string;
    readonly authorization: string | undefined;
    readonly body: string;
  }[];
  isAccess(token: string): boolean;
  token(): string;
}

export function authorizationServer(options: AuthorizationServerOptions = {}): AuthorizationServer {
  const state = new ServerState(options);
  return {
    handler: (request, response) =>
      void state.serve(request, response).catch(() => json(response, 400, { error: 'invalid_request' })),
    secrets: state.secrets,
    reused: () => state.reused,
    seen: state.seen,
    isAccess: (token) => state.familyOf(token) !== undefined,
    token: () => state.secret(),
  };
}

class ServerState {
  readonly #options: AuthorizationServerOptions;
  readonly secrets = new Set<string>();
  readonly seen: { method: string; url: string; authorization: string | undefined; body: string }[] = [];
  reused = 0;
  readonly #clients = new Map<string, { readonly secret: string; readonly registration: string }>();
  readonly #codes = new Map<
    string,
    { readonly challenge: string; readonly clientId: string; readonly redirect: string }
  >();
  readonly #devices = new Map<string, { polls: number; readonly clientId: string }>();
  readonly #byRefresh = new Map<string, Family>();

  constructor(options: AuthorizationServerOptions) {
    this.#options = options;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString('utf8');
    const { method = '', url = '' } = request;
    this.seen.push({ method, url, authorization: request.headers.authorization, body });
    if ((await this.#options.instead?.(request, body, response)) === true) return;
    const path = request.url?.split('?', 1)[0] ?? '';
    const origin = `https://${request.headers.host ?? ''}`;
    if (path.startsWith('/.well-known/oauth-protected-resource'))
      return json(response, 200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
    switch (path) {
      case '/.well-known/oauth-authorization-server':
        return json(response, 200, metadata(origin));
      case '/register':
        return this.#register(response, body, origin);
      case '/authorize':
        return this.#authorize(response, new URL(url, origin).searchParams);
      case '/device':
        return this.#device(response, new URLSearchParams(body), origin);
      case '/token':
        return this.#token(request, response, new URLSearchParams(body));
      case '/revoke':
        return this.#revoke(response, new URLSearchParams(body));
      case '/introspect':
        return json(response, 200, {
          active: this.familyOf(new URLSearchParams(body).get('token') ?? '') !== undefined,
        });
      case '/userinfo':
        return this.#userinfo(request, response);
      default:
        return this.#resource(request, response);
    }
  }

  secret(prefix = '', octets = 30): string {
    const secret = prefix + randomBytes(octets).toString('base64url').replaceAll(/[-_]/g, 'x');
    this.secrets.add(secret);
    return secret;
  }

  familyOf(access: string): Family | undefined {
    return [...this.#byRefresh.values()].find((one) => !one.isEnded && one.access.has(access));
  }

  #jwt(claims: Readonly<Record<string, unknown>>): string {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const signed = `${part({ alg: 'RS256', typ: 'JWT', kid: 'k1' })}.${part(claims)}`;
    const token = `${signed}.${randomBytes(64).toString('base64url')}`;
    this.secrets.add(token);
    return token;
  }

  #register(response: ServerResponse, body: string, origin: string): void {
    const asked = JSON.parse(body) as Record<string, unknown>;
    const clientId = `client-${String(this.#clients.size + 1)}`;
    const [secret, registration] = [this.secret('cs_'), this.secret('reg_')];
    this.#clients.set(clientId, { secret, registration });
    json(response, 201, {
      ...asked,
      client_id: clientId,
      client_secret: secret,
      client_secret_expires_at: 0,
      registration_access_token: registration,
      registration_client_uri: `${origin}/register/${clientId}`,
    });
  }

  #authorize(response: ServerResponse, query: URLSearchParams): void {
    const code = this.secret('code_');
    const redirect = query.get('redirect_uri') ?? '';
    const challenge = query.get('code_challenge') ?? '';
    this.#codes.set(code, { challenge, clientId: query.get('client_id') ?? '', redirect });
    const to = new URL(redirect);
    to.searchParams.set('code', code);
    const state = query.get('state');
    if (state !== null) to.searchParams.set('state', state);
    const text = `Found. Redirecting to ${to.href}`;
    response.writeHead(302, { location: to.href, 'content-type': 'text/plain', 'set-cookie': `sid=${code}` });
    response.end(text);
  }

  #device(response: ServerResponse, form: URLSearchParams, origin: string): void {
    const code = this.secret('dev_');
    this.#devices.set(code, { polls: 0, clientId: form.get('client_id') ?? '' });
    const given = { device_code: code, user_code: 'WDJB-MJHT', verification_uri: `${origin}/login/device` };
    this.#give(response, 200, { ...given, expires_in: 900, interval: 1 });
  }

  #token(request: IncomingMessage, response: ServerResponse, form: URLSearchParams): void {
    const [user, password] = basicOf(request.headers.authorization);
    const clientId = form.get('client_id') ?? user ?? '';
    const client = this.#clients.get(clientId);
    if (client !== undefined && client.secret !== (password ?? form.get('client_secret')))
      return json(response, 401, { error: 'invalid_client' });
    switch (form.get('grant_type')) {
      case 'authorization_code': {
        const code = this.#codes.get(form.get('code') ?? '');
        this.#codes.delete(form.get('code') ?? '');
        const challenge = createHash('sha256')
          .update(form.get('code_verifier') ?? '')
          .digest('base64url');
        if (code?.challenge !== challenge || code.clientId !== clientId)
          return json(response, 400, { error: 'invalid_grant' });
        return this.#grant(response, clientId);
      }
      case 'urn:ietf:params:oauth:grant-type:device_code':
        return this.#poll(response, form.get('device_code') ?? '');
      case 'refresh_token':
        return this.#refresh(response, form.get('refresh_token') ?? '', clientId);
      default:
        return json(response, 400, { error: 'unsupported_grant_type' });
    }
  }

  #poll(response: ServerResponse, code: string): void {
    const device = this.#devices.get(code);
    if (device === undefined) return this.#give(response, 200, { error: 'bad_verification_code' });
    device.polls += 1;
    if (device.polls < (this.#options.grantedAtPoll ?? 1))
      return this.#give(response, this.#options.isForm === true ? 200 : 400, {
        error: 'authorization_pending',
      });
    this.#devices.delete(code);
    this.#grant(response, device.clientId);
  }

  #grant(response: ServerResponse, clientId: string): void {
    const family: Family = { refresh: '', access: new Set(), clientId, isEnded: false };
    this.#next(response, family);
  }

  #refresh(response: ServerResponse, token: string, clientId: string): void {
    const family = this.#byRefresh.get(token);
    if (family === undefined || family.isEnded || (clientId !== '' && family.clientId !== clientId))
      return json(response, 400, { error: 'invalid_grant' });
    if (family.refresh !== token) {
      family.isEnded = true;
      this.reused += 1;
      return json(response, 400, { error: 'invalid_grant', error_description: `reuse of ${token}` });
    }
    this.#next(response, family);
  }

  #next(response: ServerResponse, family: Family): void {
    const { prefix, isJwt, expiresIn = 3600 } = this.#options;
    const exp = Math.floor(Date.now() / 1000) + expiresIn;
    const claims = { iss: 'https://as.test', sub: 'user-1', aud: family.clientId, exp, iat: exp - expiresIn };
    const access =
      isJwt === true
        ? this.#jwt({ ...claims, scope: 'read', jti: this.secret('jti_') })
        : this.secret(prefix ?? 'gho_', 27);
    family.refresh = this.secret('ghr_', 45);
    family.access.add(access);
    this.#byRefresh.set(family.refresh, family);
    const id: Readonly<Record<string, string>> =
      isJwt === true ? { id_token: this.#jwt({ ...claims, email: 'person@example.com', at_hash: 'x' }) } : {};
    this.#give(response, 200, {
      access_token: access,
      token_type: 'bearer',
      expires_in: expiresIn,
      refresh_token: family.refresh,
      scope: 'repo',
      ...id,
    });
  }

  #revoke(response: ServerResponse, form: URLSearchParams): void {
    const token = form.get('token') ?? '';
    const family = this.#byRefresh.get(token) ?? this.familyOf(token);
    if (family !== undefined) family.isEnded = true;
    response.writeHead(200).end();
  }

  #userinfo(request: IncomingMessage, response: ServerResponse): void {
    const token = bearerOf(request);
    if (this.familyOf(token) === undefined) return json(response, 401, { error: 'invalid_token' });
    json(response, 200, { sub: 'user-1', email: 'person@example.com' });
  }

  #resource(request: IncomingMessage, response: ServerResponse): void {
    const token = bearerOf(request);
    if (this.familyOf(token) === undefined) {
      const metadata = `https://${request.headers.host ?? ''}/.well-known/oauth-protected-resource`;
      const challenge = `Bearer resource_metadata="${metadata}"`;
      response.writeHead(401, { 'www-authenticate': challenge, 'content-type': 'text/plain' });
      return void response.end('who are you?');
    }
    response.writeHead(200, { 'content-type': 'text/plain', 'x-seen': token });
    response.end(`welcome, ${token}`);
  }

  #give(response: ServerResponse, status: number, value: Readonly<Record<string, string | number>>): void {
    if (this.#options.isForm !== true) return json(response, status, value);
    const form = new URLSearchParams(Object.entries(value).map(([name, one]) => [name, String(one)]));
    response.writeHead(status, { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' });
    response.end(form.toString());
  }
}

function metadata(origin: string): Readonly<Record<string, unknown>> {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    device_authorization_endpoint: `${origin}/device`,
    revocation_endpoint: `${origin}/revoke`,
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['client_secret_post', 'client_secret_basic', 'none'],
  };
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  });
  response.end(JSON.stringify(value));
}

function bearerOf(request: IncomingMessage): string {
  return (
    /^(?:bearer|token) (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ??
    basicOf(request.headers.authorization)[1] ??
    ''
  );
}

function basicOf(field: string | undefined): readonly (string | undefined)[] {
  const pair = /^basic (.+)$/i.exec(field ?? '')?.[1];
  if (pair === undefined) return [];
  return Buffer.from(pair, 'base64')
    .toString('utf8')
    .split(':')
    .map((one) => decodeURIComponent(one));
}
