// `deciders:` of the configuration: systems of the operator that rules ask.

import { z } from 'zod';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { plainSourceSchema, secretWords } from '../credentials/sources/source-schema.ts';
import { clientCertificateSchema } from './client-certificate.ts';
import { isServiceUrl } from '../forward/service-fetch.ts';

const deciderKinds = ['opa', 'webhook', 'ext-authz'] as const;

const deciderHint =
  'write a decider as { kind: opa, url: https://opa.example.com:8181/v1/data/gateway/allow }';
const kindHint = `write what it speaks: ${deciderKinds.join(', ')}`;
const urlHint = 'write https://host:port, or http:// with a loopback address such as 127.0.0.1';

const deciderSchema = strictMap(
  {
    kind: z
      .enum(deciderKinds, { error: kindHint })
      .describe(
        "opa: the REST API of Open Policy Agent; webhook: a question and its response in JSON; ext-authz: Envoy's external authorization (v3) over gRPC.",
      ),
    url: z
      .string({ error: urlHint })
      .regex(/^https?:\/\/[^\s@#?]+$/, { error: urlHint, abort: true })
      .refine(isServiceUrl, { error: urlHint })
      .describe('Of opa the document that is true where a request is allowed; of ext-authz without a path.'),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe("PEM files that it is verified against, and nothing else; the gateway's roots by default."),
    clientCertificate: clientCertificateSchema
      .optional()
      .describe(
        'What the gateway shows to a decider that asks for a certificate; read again when it changes. Others may not read the file of the key.',
      ),
    source: plainSourceSchema
      .optional()
      .describe('Where a token is that it gets as `Authorization: Bearer`.'),
  },
  {
    hint: deciderHint,
    synonyms: {
      ...secretWords,
      type: 'kind',
      address: 'url',
      endpoint: 'url',
      cacert: 'ca',
      cert: 'clientCertificate',
    },
  },
);

export const decidersSchema = z.record(z.string(), deciderSchema, {
  error: 'write a map from name to { kind: …, url: … }',
});

export type DecidersDocument = z.infer<typeof decidersSchema>;
