// A log-in of an operator for a credential: by a device code (RFC 8628), or by a browser that comes back to this machine (RFC 8252, RFC 7636).

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { ProxyError } from '../../../protocol/error.ts';
import { hostOf, jsonOf } from '../sources/issuer-text.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import type { KeptValue, ProofJwk } from './kept-value.ts';
import type { LogInSettings } from './log-in-settings.ts';
import type { GivenTokens, TokenClient, TokenEndpoint } from './token-endpoint.ts';

export interface LogInWay {
  readonly settings: LogInSettings;
  readonly server: AuthorizationServer;
  readonly endpoint: TokenEndpoint;
  readonly client: TokenClient;
  readonly clock: () => number;
}

/** What a person is told. */
export interface DeviceCode {
  readonly url: string;
  readonly code: string;
  /** With the code in it. */
  readonly whole: string | undefined;
}

export interface BrowserLogInBegun {
  readonly url: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly verifier: string;
}

const shown = z.string().regex(/^[\x21-\x7e]{1,2048}$/);
const deviceSchema = z.object({
  device_code: shown,
  user_code: z.string().regex(/^[\x20-\x7e]{1,64}$/),
  verification_uri: shown.refine((text) => /^https?:\/\//.test(text)),
  verification_uri_complete: shown.optional(),
  expires_in: z.coerce.number().positive().max(86_400),
  interval: z.coerce.number().positive().max(300).optional(),
});
const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const usualIntervalMs = 5_000;

/** @throws ProxyError credential_unavailable */
export async function logInByDevice(
  way: LogInWay,
  tell: (code: DeviceCode) => void,
  pause: (ms: number) => Promise<void>,
): Promise<GivenTokens> {
  const { server, endpoint, client, clock } = way;
  if (server.deviceUrl === undefined)
    throw refused(server, 'it has no device codes; log in by a browser, without --device');
  const response = await endpoint.posted(client, {
    url: server.deviceUrl,
    form: askedOf(way),
    nowMs: clock(),
  });
  if ('kind' in response) throw response.error;
  const device = deviceSchema.safeParse(jsonOf(response.text));
  if (response.status !== 200 || !device.success)
    throw refused(server, `it gives no device code (status ${response.status})`);
  const { device_code, user_code, verification_uri, verification_uri_complete, expires_in } = device.data;
  tell({ url: verification_uri, code: user_code, whole: verification_uri_complete });
  let intervalMs = device.data.interval === undefined ? usualIntervalMs : device.data.interval * 1000;
  const untilMs = clock() + expires_in * 1000;
  const form = { grant_type: deviceGrant, device_code };
  for (;;) {
    if (clock() >= untilMs) throw refused(server, 'nobody entered the code in time; begin again');
    await pause(intervalMs);
    const asked = await endpoint.ask(client, { url: server.tokenUrl, form, nowMs: clock() });
    if (asked.kind === 'given') return asked.tokens;
    const word = asked.kind === 'refused' ? asked.word : asked.word;
    if (word === 'slow_down') intervalMs += usualIntervalMs;
    else if (asked.kind === 'refused') throw refused(server, `it says ${asked.word}`);
    // Without a word nothing came of the question, and the code is as good as before (RFC 8628 §3.5).
    else if (word !== 'authorization_pending' && word !== undefined) throw asked.error;
  }
}

/** @throws ProxyError credential_unavailable */
export function beginByBrowser(way: LogInWay, redirectUri: string): BrowserLogInBegun {
  const { server, client } = way;
  if (server.authorizationUrl === undefined)
    throw refused(server, 'it has no page for log-in; log in with --device');
  const [state, verifier] = [randomText(), randomText()];
  const url = new URL(server.authorizationUrl);
  const asked = {
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: redirectUri,
    ...askedOf(way),
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value);
  return { url: url.href, redirectUri, state, verifier };
}

/** `search`: with what the browser came back. Undefined if that is not of this log-in. @throws ProxyError credential_unavailable */
export async function finishByBrowser(
  { server, endpoint, client, clock }: LogInWay,
  { redirectUri, state, verifier }: BrowserLogInBegun,
  search: URLSearchParams,
): Promise<GivenTokens | undefined> {
  if (!isSame(search.get('state') ?? '', state)) return undefined;
  const issuer = search.get('iss');
  // RFC 9207: a code of another server would be shown to this one.
  if (issuer === null ? server.namesItself : server.issuer !== undefined && issuer !== server.issuer)
    throw refused(server, 'the browser came back from another server');
  const error = search.get('error');
  if (error !== null) throw refused(server, `it says ${/^[a-z_]{1,64}$/.test(error) ? error : 'an error'}`);
  const code = search.get('code');
  if (code === null || !/^[\x21-\x7e]{1,4096}$/.test(code))
    throw refused(server, 'the browser came back without a code');
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier };
  const asked = await endpoint.ask(client, { url: server.tokenUrl, form, nowMs: clock() });
  if (asked.kind === 'given') return asked.tokens;
  throw asked.kind === 'failed' ? asked.error : refused(server, `it says ${asked.word}`);
}

/** What the store keeps of it. */
export function keptValueOf(
  { server, client }: Pick<LogInWay, 'server' | 'client'>,
  { accessToken, tokenType, refreshToken, scope }: GivenTokens,
  proofKey: ProofJwk | undefined,
): KeptValue {
  const { issuer, tokenUrl, revocationUrl, auth } = server;
  return {
    accessToken,
    tokenType,
    tokenUrl,
    clientId: client.clientId,
    clientAuth: auth,
    ...(refreshToken === undefined ? {} : { refreshToken }),
    ...(scope === undefined ? {} : { scope }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(revocationUrl === undefined ? {} : { revocationUrl }),
    ...(proofKey === undefined ? {} : { proofKey }),
  };
}

function askedOf({ settings }: Pick<LogInWay, 'settings'>): Readonly<Record<string, string>> {
  const { scopes, audience, resource } = settings;
  return {
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    ...(audience === undefined ? {} : { audience }),
    ...(resource === undefined ? {} : { resource }),
  };
}

function randomText(): string {
  return randomBytes(32).toString('base64url');
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [given, expected].map((text) => createHash('sha256').update(text).digest());
  return one !== undefined && other !== undefined && timingSafeEqual(one, other);
}

function refused({ tokenUrl }: AuthorizationServer, why: string): ProxyError {
  return new ProxyError('credential_unavailable', `the authorization server ${hostOf(tokenUrl)}: ${why}`);
}
