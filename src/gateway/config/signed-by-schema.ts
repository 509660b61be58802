// `certificateAuthority.signedBy` of the configuration: which authority signs the short-lived ones of gateways.

import { z } from 'zod';
import { pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { sourceSchema, vaultServerShape } from '../credentials/sources/source-schema.ts';
import { isServiceUrl } from '../forward/service-fetch.ts';

const mountHint = 'write where it is mounted, such as pki';
const mount = z
  .string({ error: mountHint })
  .regex(/^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/, { error: mountHint })
  .optional();
const nameHint = 'write a name of letters, digits, ".", "_" and "-"';
const plainName = z
  .string({ error: nameHint })
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/, { error: nameHint });
const endpointHint = 'write https://host:port without a path, or http:// with a loopback address';
const endpoint = z
  .string({ error: endpointHint })
  .regex(/^https?:\/\/[^\s@#?/]+\/?$/, { error: endpointHint, abort: true })
  .refine(isServiceUrl, { error: endpointHint })
  .optional();
const regionHint = 'write a region, such as eu-central-1';
const keyIdHint = 'write the id or the ARN of the key, or alias/NAME';
const versionHint =
  'write projects/…/locations/…/keyRings/…/cryptoKeys/…/cryptoKeyVersions/N, the version of a key';
const secondsHint = 'write seconds from 3600 (an hour) to 2592000 (30 days)';
const ca = text(pathHint)
  .optional()
  .describe("PEM file that it is verified against beside the gateway's roots.");

const vaultPki = strictMap(
  {
    ...vaultServerShape,
    mount: mount.describe('Where the PKI engine is; pki by default.'),
    issuer: plainName.optional().describe('Name or id of the issuer that signs; default by default.'),
  },
  { hint: 'write vaultPki: { address: URL, auth: … }', synonyms: { url: 'address', path: 'mount' } },
);
const vaultTransit = strictMap(
  {
    ...vaultServerShape,
    mount: mount.describe('Where the Transit engine is; transit by default.'),
    key: plainName.describe('Name of the key.'),
  },
  {
    hint: 'write vaultTransit: { address: URL, auth: …, key: NAME }',
    synonyms: { url: 'address', name: 'key' },
  },
);
const awsKms = strictMap(
  {
    region: z.string({ error: regionHint }).regex(/^[a-z0-9-]{1,64}$/, { error: regionHint }),
    keyId: z.string({ error: keyIdHint }).regex(/^[A-Za-z0-9:/_-]{1,256}$/, { error: keyIdHint }),
    accessKeyId: sourceSchema.describe('Where the access key id is.'),
    secretAccessKey: sourceSchema.describe('Where the secret access key is.'),
    sessionToken: sourceSchema.optional().describe('Where the session token of temporary keys is.'),
    endpoint: endpoint.describe('Where the service is; that of the region by default.'),
    ca,
  },
  {
    hint: 'write awsKms: { region: NAME, keyId: ARN, accessKeyId: { env: NAME }, secretAccessKey: { env: NAME } }',
    synonyms: { key: 'keyId', source: 'secretAccessKey', secretKey: 'secretAccessKey', url: 'endpoint' },
  },
);
const googleKms = strictMap(
  {
    key: z
      .string({ error: versionHint })
      .regex(
        /^projects\/[\w.:-]+\/locations\/[\w-]+\/keyRings\/[\w-]+\/cryptoKeys\/[\w-]+\/cryptoKeyVersions\/\d+$/,
        { error: versionHint },
      )
      .describe('The version of the key.'),
    accessToken: sourceSchema.describe('Where an access token is.'),
    endpoint: endpoint.describe('Where the service is; https://cloudkms.googleapis.com by default.'),
    ca,
  },
  {
    hint: 'write googleKms: { key: projects/…/cryptoKeyVersions/1, accessToken: { file: path } }',
    synonyms: { token: 'accessToken', source: 'accessToken', name: 'key', url: 'endpoint' },
  },
);
const pkcs11 = strictMap(
  {
    module: text(pathHint).describe('The shared library of the module.'),
    token: text('write the label of the token').describe('Label of the token.'),
    key: text('write the label of the private key').describe('Label of the private key.'),
    pin: sourceSchema.describe('Where the PIN of its user is.'),
  },
  {
    hint: 'write pkcs11: { module: path, token: LABEL, key: LABEL, pin: { file: path } }',
    synonyms: { library: 'module', label: 'key', slot: 'token', password: 'pin' },
  },
);

const parentKinds = ['vaultPki', 'vaultTransit', 'awsKms', 'googleKms', 'pkcs11'] as const;

export const signedBySchema = strictMap(
  {
    certificates: text(pathHint).describe(
      'PEM file with the certificate of the key that signs, those above it, and the root that containers trust.',
    ),
    lifetimeSeconds: z
      .int({ error: secondsHint })
      .min(3600, { error: secondsHint })
      .max(2_592_000, { error: secondsHint })
      .optional()
      .describe('How long an authority of a gateway lives. 86400 (a day) by default.'),
    vaultPki: vaultPki.optional().describe('The PKI engine of Vault or OpenBao signs.'),
    vaultTransit: vaultTransit.optional().describe('A key of the Transit engine of Vault or OpenBao signs.'),
    awsKms: awsKms.optional().describe('A key of AWS KMS signs.'),
    googleKms: googleKms.optional().describe('A key of Google Cloud KMS signs.'),
    pkcs11: pkcs11.optional().describe('A key in a token of PKCS #11 signs.'),
  },
  {
    hint: 'write signedBy: { certificates: path, pkcs11: … }, or vaultPki, vaultTransit, awsKms or googleKms',
    synonyms: {
      root: 'certificates',
      chain: 'certificates',
      ca: 'certificates',
      vault: 'vaultPki',
      transit: 'vaultTransit',
      kms: 'awsKms',
      gcpKms: 'googleKms',
      hsm: 'pkcs11',
      ttl: 'lifetimeSeconds',
    },
  },
).refine((map) => parentKinds.filter((kind) => map[kind] !== undefined).length === 1, {
  error: `one authority signs; write exactly one of ${parentKinds.slice(0, -1).join(', ')} and ${parentKinds.at(-1)}`,
  when: ({ issues }: { readonly issues: readonly unknown[] }) => issues.length === 0,
});

export type SignedByDocument = z.infer<typeof signedBySchema>;
