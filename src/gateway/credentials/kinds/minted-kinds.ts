// Kinds by which a proof of who we are buys a token of a cloud or a registry: the source has the proof, and only the token goes to the origin.

import { z } from 'zod';
import { accessHost } from '../../../policy/granted-policy.ts';
import { text } from '../../../policy/schema-parts.ts';
import { strictMap } from '../../../policy/yaml-source.ts';
import { ProxyError } from '../../../protocol/error.ts';
import type { RequestHead } from '../../../http/message-head.ts';
import { azureIdentity } from '../emulation/azure-identity.ts';
import { googleMetadata } from '../emulation/google-metadata.ts';
import { isServiceUrl } from '../../forward/service-fetch.ts';
import { AzureTokens } from '../minted/azure-tokens.ts';
import { GoogleTokens } from '../minted/google-tokens.ts';
import { MintedValue } from '../minted/minted-value.ts';
import type { PublishRegistry } from '../minted/publish-tokens.ts';
import { PublishTokens } from '../minted/publish-tokens.ts';
import { TokenService } from '../minted/token-service.ts';
import { credentialKind, needed } from './credential-kind.ts';
import { basicInjector, bearerInjector, fieldInjector, injecting } from './head-injection.ts';
import type { HeadInjector } from './head-injection.ts';
import { openSource } from './open-source.ts';
import { tokenServiceCa } from './token-service-ca.ts';
import { standIn } from './placeholder-form.ts';
import { placeholderText } from './placeholder-text.ts';

const urlHint = 'write an https:// URL without user, password, query and slash at its end';
const serviceUrl = z
  .string({ error: urlHint })
  .regex(/^https?:\/\/[^\s@#?]+$/, { error: urlHint, abort: true })
  .refine((url) => isServiceUrl(url) && !url.endsWith('/'), { error: urlHint });

const scopesHint = needed('google', 'scopes', 'write the scopes that the token is for, as a list of URLs');
const accountHint = 'write the e-mail address of a service account';
const account = z
  .string({ error: accountHint })
  .regex(/^[^\s@/:]{1,64}@[A-Za-z0-9.-]{1,255}$/, { error: accountHint });
const audienceHint =
  'write the provider of the pool, as //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER';
const idTokenHint = 'write the URL of the service that the ID token is for';
const lifetimeHint = 'write seconds from 300 to 43200';
const projectHint = 'write the id of the project, such as my-project';
const numberHint = 'write the number of the project';
const zoneHint = 'write a zone, such as europe-west1-b';

const googleEmulation = strictMap(
  {
    project: z
      .string({ error: projectHint })
      .regex(/^[a-z][a-z0-9:.-]{2,62}$/, { error: projectHint })
      .describe('The id of the project that libraries are told.'),
    email: account.describe('The service account that libraries are told of.'),
    projectNumber: z
      .union(
        [
          z.int({ error: numberHint }).min(1, { error: numberHint }),
          z.string({ error: numberHint }).regex(/^\d{1,20}$/, { error: numberHint }),
        ],
        {
          error: numberHint,
        },
      )
      .transform(String)
      .optional()
      .describe('1 by default.'),
    zone: z
      .string({ error: zoneHint })
      .regex(/^[a-z0-9-]{3,40}$/, { error: zoneHint })
      .optional()
      .describe('europe-west1-b by default.'),
  },
  { hint: 'write emulate: { project: my-project, email: agent@my-project.iam.gserviceaccount.com }' },
);
const endpointsSchema = strictMap(
  { token: serviceUrl.optional(), sts: serviceUrl.optional(), iamCredentials: serviceUrl.optional() },
  { hint: 'write endpoints: { sts: URL }' },
);
const usualEndpoints = {
  token: 'https://oauth2.googleapis.com/token',
  sts: 'https://sts.googleapis.com/v1/token',
  iamCredentials: 'https://iamcredentials.googleapis.com',
} as const;
const tokenTypes = {
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
  'id-token': 'urn:ietf:params:oauth:token-type:id_token',
  saml2: 'urn:ietf:params:oauth:token-type:saml2',
  aws4: 'urn:ietf:params:aws:token-type:aws4_request',
} as const;

/** The source has the key file of a service account, or a token that the pool trusts. */
const google = credentialKind({
  kind: 'google',
  summary: 'A token of Google Cloud.',
  where: () => 'Authorization, as Bearer, a token of Google Cloud',
  shape: {
    scopes: z
      .array(text(scopesHint).regex(/^[\x21-\x7e]{1,512}$/, { error: scopesHint }), { error: scopesHint })
      .min(1, { error: scopesHint })
      .max(64, { error: 'write at most 64 scopes' })
      .describe('For kind google: what the token is for.'),
    account: account.optional().describe('For kind google: the service account that is impersonated.'),
    workloadIdentity: strictMap(
      {
        audience: z
          .string({ error: audienceHint })
          .regex(/^\/\/iam\.googleapis\.com\/[A-Za-z0-9./_-]{1,512}$/, { error: audienceHint })
          .describe('The provider of the pool.'),
        tokenType: z
          .enum(['jwt', 'id-token', 'saml2', 'aws4'], { error: 'write jwt, id-token, saml2 or aws4' })
          .optional()
          .describe('What the source has; jwt by default.'),
      },
      { hint: 'write workloadIdentity: { audience: //iam.googleapis.com/… }' },
    )
      .optional()
      .describe('For kind google: the source has a token that this pool trusts, in place of a key file.'),
    idTokenAudience: text(idTokenHint)
      .regex(/^[\x21-\x7e]{1,1024}$/, { error: idTokenHint })
      .optional()
      .describe('For kind google: an ID token for this audience in place of an access token.'),
    lifetimeSeconds: z
      .int({ error: lifetimeHint })
      .min(300, { error: lifetimeHint })
      .max(43_200, { error: lifetimeHint })
      .optional()
      .describe('For kind google with account: 3600 by default.'),
    endpoints: endpointsSchema
      .optional()
      .describe('For kind google: services at other addresses, such as private endpoints.'),
    ca: tokenServiceCa,
    emulate: googleEmulation
      .optional()
      .describe('For kind google: the gateway responds in place of the metadata server, with placeholders.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: (
    { workloadIdentity, lifetimeSeconds = 3600, endpoints, ca: file, emulate, ...written },
    absolute,
  ) => ({
    ...written,
    lifetimeSeconds,
    endpoints: { ...usualEndpoints, ...endpoints },
    ...(workloadIdentity === undefined
      ? {}
      : {
          workloadIdentity: {
            audience: workloadIdentity.audience,
            subjectTokenType: tokenTypes[workloadIdentity.tokenType ?? 'jwt'],
          },
        }),
    ...(file === undefined ? {} : { ca: absolute(file) }),
    ...(emulate === undefined
      ? {}
      : {
          emulate: {
            ...emulate,
            zone: emulate.zone ?? 'europe-west1-b',
            projectNumber: emulate.projectNumber ?? '1',
          },
        }),
  }),
  open: (name, config, context) => {
    const { source, workloadIdentity, emulate, scopes, placeholder, idTokenAudience, account: lent } = config;
    if (workloadIdentity !== undefined && idTokenAudience !== undefined && lent === undefined)
      throw new ProxyError(
        'config_invalid',
        `credential ${name}: a pool gives no ID tokens; write account: the service account that is impersonated for them`,
      );
    const service = new TokenService({ name, ca: config.ca, context });
    const form = workloadIdentity === undefined ? 'pem' : 'line';
    const tokens = new GoogleTokens({ ...config, service, proof: openSource(name, source, context, form) });
    const credential = injecting(new MintedValue((nowMs) => tokens.mint(nowMs), context), bearerInjector);
    if (emulate === undefined) return credential;
    const shown = placeholderText(name, placeholder);
    return { ...credential, emulation: googleMetadata({ ...emulate, scopes, placeholder: shown }) };
  },
});

const tenantHint = needed('azure', 'tenant', 'write the id or a domain of the tenant');
const clientHint = needed('azure', 'clientId', 'write the application (client) id');
const scopeHint = needed(
  'azure',
  'scope',
  'write the scope of one service, such as https://vault.azure.net/.default',
);

/** The source has a token of another issuer that the application trusts. */
const azure = credentialKind({
  kind: 'azure',
  summary: 'A token of Microsoft Entra ID.',
  where: () => 'Authorization, as Bearer, a token of Microsoft Entra ID',
  shape: {
    tenant: z
      .string({ error: tenantHint })
      .regex(/^(?!common$|organizations$|consumers$)[A-Za-z0-9][A-Za-z0-9.-]{1,127}$/, { error: tenantHint })
      .describe(
        'For kind azure; the source has a token that the application trusts (a federated credential).',
      ),
    clientId: text(clientHint)
      .regex(/^[A-Za-z0-9-]{1,64}$/, { error: clientHint })
      .describe('For kind azure.'),
    scope: text(scopeHint)
      .regex(/^[\x21-\x7e]{1,512}\/\.default$/, { error: scopeHint })
      .describe('For kind azure: what the token is for, with /.default at its end.'),
    authorityUrl: serviceUrl
      .optional()
      .describe('For kind azure: https://login.microsoftonline.com by default.'),
    ca: tokenServiceCa,
    emulate: z
      .literal('managed-identity', { error: 'write managed-identity' })
      .optional()
      .describe('For kind azure: the gateway responds in place of a managed identity, with placeholders.'),
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ authorityUrl = 'https://login.microsoftonline.com', ca: file, ...written }, absolute) => ({
    ...written,
    authorityUrl,
    ...(file === undefined ? {} : { ca: absolute(file) }),
  }),
  open: (name, config, context) => {
    const { source, tenant, clientId, emulate, placeholder } = config;
    const service = new TokenService({ name, ca: config.ca, context });
    const tokens = new AzureTokens({ ...config, service, assertion: openSource(name, source, context) });
    const credential = injecting(new MintedValue((nowMs) => tokens.mint(nowMs), context), bearerInjector);
    if (emulate === undefined) return credential;
    const shown = placeholderText(name, placeholder);
    const emulation = azureIdentity({ tenant, clientId, placeholder: shown, ownHost: accessHost });
    return { ...credential, emulation };
  },
});

const registryHint = needed('publish-token', 'registry', 'write npm, pypi or crates');
const packageHint = needed('publish-token', 'package', 'write the name of the one package that is published');
const registryUrlHint = needed(
  'publish-token',
  'registryUrl',
  'write the https:// URL of the registry, without a slash at its end',
);

/** The source has the identity token of a job, for the registry's audience. */
const publishToken = credentialKind({
  kind: 'publish-token',
  summary: 'A token that publishes one package, by trusted publishing.',
  shape: {
    registry: z
      .enum(['npm', 'pypi', 'crates'], { error: registryHint })
      .describe("For kind publish-token; the source has an identity token for the registry's audience."),
    package: text(packageHint)
      .regex(/^(@[a-z0-9~-][a-z0-9._~-]{0,100}\/)?[A-Za-z0-9~-][A-Za-z0-9._~-]{0,127}$/, {
        error: packageHint,
      })
      .describe('For kind publish-token: the package, as the registry writes its name.'),
    registryUrl: z
      .string({ error: registryUrlHint })
      .pipe(serviceUrl)
      .describe('For kind publish-token: where the identity token is exchanged.'),
    ca: tokenServiceCa,
  },
  foreign: { what: 'usual' },
  placeholder: standIn(),
  settings: ({ ca: file, ...written }, absolute) => ({
    ...written,
    ...(file === undefined ? {} : { ca: absolute(file) }),
  }),
  where: ({ registry, package: published }) =>
    `Authorization, a token that publishes ${published} at ${registry}, on that request alone`,
  open: (name, config, context) => {
    const { registry, source, package: published } = config;
    const service = new TokenService({ name, ca: config.ca, context });
    const tokens = new PublishTokens({ ...config, service, identity: openSource(name, source, context) });
    const minted = new MintedValue((nowMs) => tokens.mint(nowMs), context);
    return injecting(minted, publishInjector(registry, published));
  },
});

/** Where each registry takes the token, and on which requests. */
function publishInjector(registry: PublishRegistry, published: string): HeadInjector {
  if (registry === 'npm') return { ...bearerInjector, applies: (head) => isPublishToNpm(head, published) };
  const applies = ({ method, path }: RequestHead): boolean =>
    registry === 'pypi'
      ? method === 'POST' && path === '/legacy/'
      : method === 'PUT' && path === '/api/v1/crates/new';
  return { ...(registry === 'pypi' ? basicInjector('__token__') : fieldInjector('authorization')), applies };
}

/** A PUT of the document of the package; other packages are other paths. */
function isPublishToNpm({ method, path }: RequestHead, published: string): boolean {
  return method === 'PUT' && path.replace(/%2f/i, '/') === `/${published}`;
}

export const mintedKinds = [google, azure, publishToken] as const;
