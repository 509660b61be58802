// Kinds by which the secret of the source buys another, and that one goes to the origin.

import { z } from 'zod';
import { text } from '../../../policy/schema-parts.ts';
import { MintedValue } from '../minted/minted-value.ts';
import { TokenService } from '../minted/token-service.ts';
import { GithubAppTokens } from '../minted/github-app-tokens.ts';
import { OAuthTokens } from '../sources/oauth-tokens.ts';
import { sourceSchema } from '../sources/source-schema.ts';
import { sourceSettings } from '../sources/source-settings.ts';
import { credentialKind, needed } from './credential-kind.ts';
import { basicInjector, bearerInjector, injecting } from './head-injection.ts';
import { tokenServiceCa } from './token-service-ca.ts';
import { openSource } from './open-source.ts';
import { standIn } from './placeholder-form.ts';

const tokenUrlHint = needed('oauth', 'tokenUrl', 'write an https:// URL without user and password');

/** The source has the client's secret; with a refresh token its grant is used, else client credentials. */
const oauth = credentialKind({
  kind: 'oauth',
  summary: 'A bearer token from an issuer.',
  shape: {
    tokenUrl: z
      .string({ error: tokenUrlHint })
      .regex(/^https:\/\/[^\s@#]+$/, { error: tokenUrlHint })
      .describe("For kind oauth: the issuer's token endpoint."),
    clientId: text(needed('oauth', 'clientId', 'write the client id that the issuer gave')).describe(
      'For kind oauth.',
    ),
    scope: text('write scopes with spaces between them').optional().describe('For kind oauth.'),
    refreshToken: sourceSchema
      .optional()
      .describe('For kind oauth: where a refresh token is; without it the grant is client_credentials.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ refreshToken, ...written }, absolute) => ({
    ...written,
    ...(refreshToken === undefined ? {} : { refreshToken: sourceSettings(refreshToken, absolute) }),
  }),
  open: (name, { tokenUrl, clientId, scope, refreshToken, source }, context) => {
    const tokens = new OAuthTokens({
      name,
      tokenUrl,
      clientId,
      fetch: context.fetch,
      background: context.background,
      clientSecret: openSource(name, source, context),
      ...(scope === undefined ? {} : { scope }),
      ...(refreshToken === undefined ? {} : { refreshToken: openSource(name, refreshToken, context) }),
    });
    return injecting(tokens, bearerInjector);
  },
});

const apiUrlHint = 'write the https:// URL of the API, without user, password and query';
const numberOrText = (hint: string) =>
  z
    .union(
      [
        z.int({ error: hint }).min(1, { error: hint }),
        z.string({ error: hint }).regex(/^[A-Za-z0-9._-]{1,64}$/, { error: hint }),
      ],
      { error: hint },
    )
    .transform(String);

/** The source has the app's private key, PEM. */
const githubApp = credentialKind({
  kind: 'github-app',
  summary: 'An installation token of GitHub.',
  shape: {
    appId: numberOrText(needed('github-app', 'appId', 'write the id or the client id of the app')).describe(
      'For kind github-app; the source has the private key, PEM.',
    ),
    installationId: numberOrText(
      needed('github-app', 'installationId', 'write the id of the installation, a number'),
    )
      .refine((id) => /^\d+$/.test(id), { error: 'the id of an installation is a number; write it' })
      .describe('For kind github-app.'),
    apiUrl: z
      .string({ error: apiUrlHint })
      .regex(/^https:\/\/[^\s@#?]+$/, { error: apiUrlHint })
      .optional()
      .describe('For kind github-app: https://api.github.com by default.'),
    as: z
      .enum(['bearer', 'basic'], { error: 'write bearer, or basic for git' })
      .optional()
      .describe('For kind github-app: bearer (the default), or basic with user x-access-token, for git.'),
    permissions: z
      .record(z.string(), z.enum(['read', 'write', 'admin'], { error: 'write read, write or admin' }), {
        error: 'write a map from permission to read or write',
      })
      .optional()
      .describe('For kind github-app: fewer permissions than the installation has.'),
    repositories: z
      .array(text('write the name of a repository, without its owner'), { error: 'write a list of names' })
      .min(1, { error: 'write a list of names' })
      .max(500, { error: 'write at most 500 names' })
      .optional()
      .describe('For kind github-app: fewer repositories than the installation has.'),
    ca: tokenServiceCa,
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ apiUrl = 'https://api.github.com', as = 'bearer', ca, ...written }, absolute) => ({
    ...written,
    apiUrl,
    as,
    ...(ca === undefined ? {} : { ca: absolute(ca) }),
  }),
  open: (name, { as, source, ca, ...app }, context) => {
    const service = new TokenService({ name, ca, context });
    const tokens = new GithubAppTokens({
      ...app,
      service,
      privateKey: openSource(name, source, context, 'pem'),
    });
    const minted = new MintedValue((nowMs) => tokens.mint(nowMs), context);
    // What git over HTTPS needs.
    return injecting(minted, as === 'basic' ? basicInjector('x-access-token') : bearerInjector);
  },
});

export const issuedKinds = [oauth, githubApp] as const;
