// What the gateway shows of itself to who asks for a certificate: its shape in the configuration, and what that says.

import type { z } from 'zod';
import { strictMap } from '../../policy/yaml-source.ts';
import type { ClientCertificateSettings } from '../credentials/sources/client-certificate.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';

const clientHint =
  'write clientCertificate: { certificate: { file: client.pem }, key: { file: client.key } }';
export const clientCertificateSchema = strictMap(
  {
    certificate: plainSourceSchema.describe('The certificate and those between it and its root, as PEM.'),
    key: plainSourceSchema.describe('Its private key, as PEM.'),
  },
  { hint: clientHint, synonyms: { cert: 'certificate' } },
);

export function clientCertificateSettings(
  document: z.infer<typeof clientCertificateSchema> | undefined,
  absolute: (path: string) => string,
): { readonly clientCertificate?: ClientCertificateSettings } {
  if (document === undefined) return {};
  const { certificate, key } = document;
  const of = (source: typeof key): PlainSourceConfig => plainSourceSettings(source, absolute);
  return { clientCertificate: { certificate: of(certificate), key: of(key) } };
}
