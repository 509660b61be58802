// A server of OAuth behind the request path of a gateway, and a tool that logs in there.

import { createHash, randomBytes } from 'node:crypto';
import { InsideTokens } from '../../../src/gateway/credentials/inside/inside-tokens.ts';
import type { TokenSeal } from '../../../src/gateway/credentials/inside/kept-inside.ts';
import { type RevokedToken, revokeToken } from '../../../src/gateway/credentials/inside/token-revocation.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits, type Limits } from '../../../src/protocol/limits.ts';
import { openOctets, sealOctets } from '../../../src/system/sealed-octets.ts';
import {
  type AuthorizationServer,
  authorizationServer,
  type AuthorizationServerOptions,
} from '../../support/strict-oauth-server.ts';
import { type MemoryKeptTokens, memoryKeptTokens } from '../../support/memory-kept-tokens.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { type RawResponse, sendRaw } from './raw-http.ts';
import { openRequestPath, type RequestPath } from './request-path.ts';
import { openTestServices } from './service-fetch.ts';

const authority = createTestAuthority();

export interface InsideScene extends AsyncDisposable {
  readonly server: AuthorizationServer;
  readonly store: MemoryKeptTokens;
  /** Of two gateways on one store. */
  readonly paths: readonly [RequestPath, RequestPath];
  readonly tokens: InsideTokens;
  /** Of the other gateway. */
  readonly otherTokens: InsideTokens;
  readonly port: number;
  ask(asked: Asked): Promise<RawResponse>;
  form(
    path: string,
    fields: Readonly<Record<string, string>>,
    more?: Omit<Asked, 'path' | 'body'>,
  ): Promise<RawResponse>;
  /** Logs in by a device code. */
  logIn(principal?: string): Promise<Readonly<Record<string, string>>>;
}

export interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly host?: string;
  readonly principal?: string;
  readonly gateway?: 0 | 1;
  readonly fields?: readonly string[];
  readonly body?: string | Buffer;
}

export interface InsideSceneOptions {
  /** The rule for the server says where tokens are revoked. */
  readonly revoke?: string;
  readonly onRevoke?: (revoked: RevokedToken) => void;
  readonly onFault?: (error: ProxyError) => void;
}

const issuerPaths = '[/token, /register, /register/*, /authorize, /device, /revoke, /introspect, /odd]';

export async function openInsideScene(
  options: AuthorizationServerOptions = {},
  limits: Partial<Limits> = {},
  more: InsideSceneOptions = {},
): Promise<InsideScene> {
  const server = authorizationServer(options);
  const origin = await httpsOrigin({ authority, handler: server.handler });
  const store = memoryKeptTokens();
  const seal = keySeal();
  const services = openTestServices([authority.caPem], ['as.test', 'second.test']);
  const revoke = (revoked: RevokedToken): Promise<boolean> => {
    more.onRevoke?.(revoked);
    return revokeToken(services.fetch, revoked);
  };
  const policy = policyOf(origin.port, more.revoke);
  const open = (holderId: string): { readonly path: RequestPath; readonly tokens: InsideTokens } => {
    const own = { store, seal, holderId, limits: { ...defaultLimits, ...limits } };
    const { onFault = () => undefined } = more;
    const tokens = new InsideTokens({ ...own, revoke, onFault, random: (count) => randomBytes(count) });
    const hosts = ['as.test', 'api.test', 'other.test', 'second.test'];
    return {
      tokens,
      path: openRequestPath({ policy, hosts, trust: [authority.caPem], inside: tokens, limits }),
    };
  };
  const [one, two] = [open('one'), open('two')];
  const paths = [one.path, two.path] as const;
  const ask: InsideScene['ask'] = async ({
    host = 'as.test',
    principal = 'alice',
    gateway = 0,
    ...asked
  }) => {
    const at = `${host}:${String(origin.port)}`;
    const { method = asked.body === undefined ? 'GET' : 'POST', path, fields = [], body } = asked;
    const length = body === undefined ? [] : [`Content-Length: ${String(Buffer.byteLength(body))}`];
    const head = [
      `${method} ${path} HTTP/1.1`,
      `Host: ${at}`,
      'Connection: close',
      ...fields,
      ...length,
      '',
      '',
    ];
    const octets = Buffer.concat([Buffer.from(head.join('\r\n')), Buffer.from(body ?? '')]);
    return await sendRaw(await paths[gateway].tls(at, { principal }), octets);
  };
  const form: InsideScene['form'] = (path, fields, more = {}) =>
    ask({
      path,
      ...more,
      fields: ['Content-Type: application/x-www-form-urlencoded', ...(more.fields ?? [])],
      body: new URLSearchParams(fields).toString(),
    });
  const logIn: InsideScene['logIn'] = async (principal = 'alice') => {
    const device = membersOf(await form('/device', { client_id: 'cli' }, { principal }));
    const code = device['device_code'] ?? '';
    const grant = 'urn:ietf:params:oauth:grant-type:device_code';
    return membersOf(
      await form('/token', { client_id: 'cli', grant_type: grant, device_code: code }, { principal }),
    );
  };
  return {
    server,
    store,
    paths,
    tokens: one.tokens,
    otherTokens: two.tokens,
    port: origin.port,
    ask,
    form,
    logIn,
    [Symbol.asyncDispose]: async () => {
      for (const path of paths) await path[Symbol.asyncDispose]();
      await services[Symbol.asyncDispose]();
      await origin.close();
    },
  };
}

function policyOf(port: number, revoke: string | undefined): string {
  const rule = revoke === undefined ? '' : `, revoke: ${revoke}`;
  const common = `ports: ${String(port)}, addresses: 127.0.0.0/8`;
  return `
rules:
  - { name: log-in, hosts: [as.test, second.test], ${common}, paths: ${issuerPaths}, logIn: { name: tool, issuer: true${rule} } }
  - { name: use, hosts: [as.test, api.test], ${common}, logIn: tool }
  - { name: other, hosts: other.test, ${common}, paths: /token, logIn: { name: second, issuer: true } }
  - { name: plain, hosts: other.test, ${common} }
`;
}

/** Members of a document of JSON or a form, as texts. */
export function membersOf({ body, headers }: RawResponse): Readonly<Record<string, string>> {
  if (headers.get('content-type')?.startsWith('application/json') === true)
    return JSON.parse(body) as Record<string, string>;
  return Object.fromEntries(new URLSearchParams(body));
}

/** By one key, bound to the row. */
function keySeal(key: Buffer = createHash('sha256').update(randomBytes(32)).digest()): TokenSeal {
  return {
    seal: async (id, value) => sealOctets(key, Buffer.from(JSON.stringify(value)), id).toString('base64url'),
    open: async (id, sealed) => {
      const text = openOctets(key, Buffer.from(sealed, 'base64url'), id);
      return text === undefined ? undefined : (JSON.parse(text.toString('utf8')) as unknown);
    },
  };
}
