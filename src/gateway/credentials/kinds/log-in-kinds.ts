// Kinds whose tokens come of a log-in at an authorization server: an operator's own, which the store keeps.

import { z } from 'zod';
import { asList, oneOrMany, pathHint, text } from '../../../policy/schema-parts.ts';
import { ProxyError } from '../../../protocol/error.ts';
import { defaultLimits } from '../../../protocol/limits.ts';
import { isServiceUrl } from '../../forward/service-fetch.ts';
import { ExchangedTokens } from '../kept/exchanged-tokens.ts';
import type { LogInSettings } from '../kept/log-in-settings.ts';
import { LogInTokens } from '../kept/log-in-tokens.ts';
import { credentialKind, needed } from './credential-kind.ts';
import { basicInjector, injecting } from './head-injection.ts';
import { openSource } from './open-source.ts';
import { standIn } from './placeholder-form.ts';
import { provenInjection } from './proven-injection.ts';

const kind = 'oauth-login';
const urlHint = 'write an https:// URL without user, password and fragment';
const serverUrl = (what: string, of: string = kind) =>
  z
    .string({ error: urlHint })
    .max(2048, { error: urlHint })
    .refine(isServiceUrl, { error: urlHint })
    .optional()
    .describe(`For kind ${of}: ${what}`);
const scopeHint = 'write a scope, or a list of scopes';
const scope = z.string({ error: scopeHint }).regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/, { error: scopeHint });

const oauthLogIn = credentialKind({
  kind,
  summary: 'A token of an operator who logged in at an authorization server.',
  needsNoSource: true,
  shape: {
    issuer: serverUrl('the authorization server; its metadata have the URLs below.'),
    tokenUrl: serverUrl('its token endpoint, where there is no issuer.'),
    authorizationUrl: serverUrl('its page for log-in by a browser.'),
    deviceUrl: serverUrl('where a device code is asked for (RFC 8628).'),
    revocationUrl: serverUrl('where tokens are revoked (RFC 7009).'),
    clientId: text(needed(kind, 'clientId', 'write the client id that the server gave')).describe(
      `For kind ${kind}.`,
    ),
    clientAuth: z
      .enum(['basic', 'post'], {
        error: 'write basic, or post for a server that takes the secret in the body',
      })
      .optional()
      .describe(`For kind ${kind}: how the secret of the client goes.`),
    scopes: oneOrMany(scope, scopeHint).optional().describe(`For kind ${kind}: what is asked for.`),
    audience: text('write the audience that the server expects')
      .optional()
      .describe(`For kind ${kind}: the parameter audience of the request, which some servers need.`),
    resource: serverUrl('the API that the token is for (RFC 8707).'),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe(
        `For kind ${kind}: PEM files that the server is verified against beside the gateway's roots.`,
      ),
    dpop: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe(`For kind ${kind}: whether tokens are bound to a key of the gateway (RFC 9449).`),
    as: z
      .enum(['bearer', 'basic'], { error: 'write bearer, or basic for git' })
      .optional()
      .describe(`For kind ${kind}: bearer (the default), or basic with a user name, for git.`),
    username: text('write the user name that git sends with the token')
      .regex(/^[^:]*$/, { error: 'a user name of Basic cannot have a colon (RFC 7617)' })
      .optional()
      .describe(`For kind ${kind}, as basic: oauth2 by default; GitHub takes any.`),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ scopes, ca, dpop = false, as = 'bearer', username = 'oauth2', ...written }, absolute) => ({
    ...written,
    scopes: asList(scopes),
    ca: asList(ca).map(absolute),
    dpop,
    as,
    username,
  }),
  open: (name, config, context) => {
    requireServer(name, config);
    const { source, as, username, dpop } = config;
    if (dpop && as === 'basic')
      throw new ProxyError(
        'config_invalid',
        `credential ${name}: a token that is bound to a key goes as DPoP and never as Basic; remove dpop or as`,
      );
    const tokens = new LogInTokens({
      name,
      settings: config,
      clientSecret: source === undefined ? undefined : openSource(name, source, context),
      logIns: context.logIns,
      background: context.background,
    });
    return as === 'basic' ? injecting(tokens, basicInjector(username)) : provenInjection(tokens);
  },
});

/** @throws ProxyError config_invalid */
function requireServer(name: string, { issuer, tokenUrl, authorizationUrl, deviceUrl }: LogInSettings): void {
  const isWhole = tokenUrl !== undefined && (authorizationUrl ?? deviceUrl) !== undefined;
  if (issuer !== undefined ? tokenUrl === undefined : isWhole) return;
  throw new ProxyError(
    'config_invalid',
    `credential ${name}: name its server by issuer, or by tokenUrl with authorizationUrl or deviceUrl, and not by both`,
  );
}

const exchangeKind = 'oauth-exchange';
/** What the statement says itself, what binds it, and what is the gateway's own. */
const ownClaims: ReadonlySet<string> = new Set(
  'iss sub aud exp iat nbf jti session act may_act cnf azp client_id scope credentials'.split(' '),
);
const claimHint =
  'write names of claims of the session, such as repository and ref, and none that the statement has itself';
const claimName = z
  .string({ error: claimHint })
  .regex(/^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$/, { error: claimHint })
  .refine((name) => !ownClaims.has(name), { error: claimHint });
const exchangeHint = needed(exchangeKind, 'tokenUrl', urlHint);

/** The source has the secret of the client. */
const oauthExchange = credentialKind({
  kind: exchangeKind,
  summary: 'A token on behalf of the session, from an authorization server.',
  needsNoSource: true,
  shape: {
    tokenUrl: z
      .string({ error: exchangeHint })
      .max(2048, { error: exchangeHint })
      .refine(isServiceUrl, { error: exchangeHint })
      .describe(`For kind ${exchangeKind}: the token endpoint of the server.`),
    clientId: text(needed(exchangeKind, 'clientId', 'write the client id that the server gave')).describe(
      `For kind ${exchangeKind}.`,
    ),
    clientAuth: z
      .enum(['basic', 'post'], {
        error: 'write basic, or post for a server that takes the secret in the body',
      })
      .optional()
      .describe(`For kind ${exchangeKind}: how the secret of the client goes.`),
    scopes: oneOrMany(scope, scopeHint).optional().describe(`For kind ${exchangeKind}: what is asked for.`),
    audience: text('write the audience that the server expects')
      .optional()
      .describe(`For kind ${exchangeKind}: for whom the token is (RFC 8693).`),
    resource: serverUrl('the API that the token is for (RFC 8707).', exchangeKind),
    revocationUrl: serverUrl('where tokens of sessions that are over are revoked.', exchangeKind),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe(
        `For kind ${exchangeKind}: PEM files that the server is verified against beside the gateway's roots.`,
      ),
    dpop: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe(`For kind ${exchangeKind}: whether tokens are bound to a key of the session (RFC 9449).`),
    actor: z
      .boolean({ error: 'write true or false' })
      .optional()
      .describe(`For kind ${exchangeKind}: whether the token has to say who acts (act); true by default.`),
    claims: oneOrMany(claimName, claimHint)
      .optional()
      .refine((names) => asList(names).length <= defaultLimits.exchangedClaimsMax, {
        error: `write at most ${String(defaultLimits.exchangedClaimsMax)} claims`,
      })
      .describe(
        `For kind ${exchangeKind}: claims of the token by which the session began, such as repository and ref of a job, that the server is told.`,
      ),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ scopes, ca, dpop = false, actor = true, claims, ...written }, absolute) => ({
    ...written,
    scopes: asList(scopes),
    ca: asList(ca).map(absolute),
    dpop,
    actor,
    claims: asList(claims),
    perSession: true as const,
  }),
  open: (name, config, context) => {
    const { source } = config;
    const tokens = new ExchangedTokens({
      name,
      settings: config,
      clientSecret: source === undefined ? undefined : openSource(name, source, context),
      logIns: context.logIns,
      session: context.session,
      background: context.background,
    });
    return { ...provenInjection(tokens), close: () => tokens.close() };
  },
});

export const logInKinds = [oauthLogIn, oauthExchange] as const;
