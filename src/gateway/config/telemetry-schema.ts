// The shape of `telemetry` in the configuration.

import { z } from 'zod';
import { oneOrMany, pathHint, text } from '../../policy/schema-parts.ts';
import { strictMap } from '../../policy/yaml-source.ts';
import { fieldName } from '../credentials/kinds/field-name.ts';
import { plainSourceSchema } from '../credentials/sources/source-schema.ts';
import { isServiceUrl } from '../forward/service-fetch.ts';
import { clientCertificateSchema } from './client-certificate.ts';
import { syslogPlace } from './syslog-place.ts';

const endpointHint = 'write https://host:port, or http:// with a loopback address such as 127.0.0.1';
const shareHint = 'write a share from 0 (no trace) to 1 (each exchange)';
const switchHint = 'write true or false';
const intervalHint = 'write seconds from 1 to 3600';
const resourceHint = 'write names and texts, such as { deployment.environment.name: production }';
const headersHint = 'write headers: { authorization: { env: NAME } }';
const resourceText = z
  .string({ error: resourceHint })
  .min(1, { error: resourceHint })
  .max(256, { error: resourceHint });

const otlpSchema = strictMap(
  {
    endpoint: z
      .string({ error: endpointHint })
      .regex(/^https?:\/\/[^\s@#?]+$/, { error: endpointHint, abort: true })
      .refine(isServiceUrl, { error: endpointHint })
      .describe(
        'Of a collector that takes OTLP over HTTP; /v1/traces, /v1/logs and /v1/metrics are put behind it.',
      ),
    headers: z
      .record(fieldName(headersHint, 'leave it out'), plainSourceSchema, { error: headersHint })
      .optional()
      .describe('Header fields of each request, by name; the value comes from env, file or command.'),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe("PEM files that the collector is verified against beside the gateway's roots."),
    clientCertificate: clientCertificateSchema
      .optional()
      .describe(
        'What the gateway shows to a collector that asks for a certificate; read again when it changes.',
      ),
    tracesSampled: z
      .number({ error: shareHint })
      .min(0, { error: shareHint })
      .max(1, { error: shareHint })
      .optional()
      .describe('Share of the exchanges that get a trace. 0.01 by default.'),
    logs: z
      .boolean({ error: switchHint })
      .optional()
      .describe('Whether each event of the audit is sent as a log record. false by default.'),
    metrics: z
      .boolean({ error: switchHint })
      .optional()
      .describe('Whether metrics are sent. true by default.'),
    metricsIntervalSeconds: z
      .int({ error: intervalHint })
      .min(1, { error: intervalHint })
      .max(3600, { error: intervalHint })
      .optional()
      .describe('How often. 60 by default.'),
    resource: z
      .record(resourceText, resourceText, { error: resourceHint })
      .refine((map) => Object.keys(map).length <= 32, { error: 'write at most 32 attributes' })
      .optional()
      .describe(
        'Further attributes of the resource, beside service.name, service.version and service.instance.id.',
      ),
  },
  {
    hint: 'write otlp: { endpoint: https://collector.example.com:4318 }',
    synonyms: {
      url: 'endpoint',
      address: 'endpoint',
      cacert: 'ca',
      certificate: 'ca',
      cert: 'clientCertificate',
      key: 'clientCertificate',
      sampling: 'tracesSampled',
      traces: 'tracesSampled',
      interval: 'metricsIntervalSeconds',
      attributes: 'resource',
    },
  },
);

const addressHint = 'write host:port, such as siem.example.com:6514';
const facilityHint = 'write a number from 0 to 23 (RFC 5424)';
const dataIdHint = 'write name@number with the enterprise number of your organisation, such as proxy@32473';
const syslogSchema = strictMap(
  {
    address: z
      .string({ error: addressHint })
      .refine((address) => syslogPlace(address) !== undefined, { error: addressHint })
      .describe('Host and port of a receiver of RFC 5424 over TLS; port 6514 if none is written.'),
    ca: oneOrMany(text(pathHint), pathHint)
      .optional()
      .describe("PEM files that the receiver is verified against beside the gateway's roots."),
    clientCertificate: clientCertificateSchema
      .optional()
      .describe(
        'What the gateway shows to a receiver that asks for a certificate; read again when it changes.',
      ),
    facility: z
      .int({ error: facilityHint })
      .min(0, { error: facilityHint })
      .max(23, { error: facilityHint })
      .optional()
      .describe('Facility of the messages. 13, log audit, by default.'),
    hostname: z
      .string({ error: 'write a host name' })
      .regex(/^[\x21-\x7e]{1,255}$/, { error: 'write a host name' })
      .optional()
      .describe("HOSTNAME of the messages; this machine's own by default."),
    structuredDataId: z
      .string({ error: dataIdHint })
      .regex(/^[A-Za-z0-9._-]{1,20}@[0-9.]{1,11}$/, { error: dataIdHint })
      .optional()
      .describe(
        'SD-ID of the structured data; upstreamproxy@32473 by default, whose number is that of examples (RFC 5612).',
      ),
  },
  {
    hint: 'write syslog: { address: siem.example.com:6514 }',
    synonyms: {
      host: 'address',
      url: 'address',
      endpoint: 'address',
      server: 'address',
      cacert: 'ca',
      cert: 'clientCertificate',
      key: 'clientCertificate',
    },
  },
);

/** Where the gateway tells what it sees, beside the audit. */
export const telemetrySchema = strictMap(
  {
    otlp: otlpSchema.optional().describe('A collector of OpenTelemetry.'),
    syslog: syslogSchema
      .optional()
      .describe('A receiver of syslog (RFC 5424) over TLS, for events of the audit.'),
  },
  {
    hint: 'write telemetry: { otlp: { endpoint: https://collector.example.com:4318 } }',
    synonyms: { opentelemetry: 'otlp', otel: 'otlp' },
  },
);

export type TelemetryDocument = z.infer<typeof telemetrySchema>;
