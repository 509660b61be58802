// What the configuration says of telemetry.

import { asList } from '../../policy/schema-parts.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { ClientCertificateSettings } from '../credentials/sources/client-certificate.ts';
import { clientCertificateSettings } from './client-certificate.ts';
import { syslogPlace } from './syslog-place.ts';
import type { TelemetryDocument } from './telemetry-schema.ts';

export interface OtlpSettings {
  /** Without the path of a signal, and without a slash at its end. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, PlainSourceConfig>>;
  /** Paths of PEM files. */
  readonly ca: readonly string[];
  readonly clientCertificate?: ClientCertificateSettings;
  /** Share of the exchanges that get a trace. */
  readonly tracesSampled: number;
  readonly logs: boolean;
  readonly metrics: boolean;
  readonly metricsIntervalSeconds: number;
  readonly resource: Readonly<Record<string, string>>;
}

export interface SyslogSettings {
  readonly host: string;
  readonly port: number;
  /** Paths of PEM files. */
  readonly ca: readonly string[];
  readonly clientCertificate?: ClientCertificateSettings;
  readonly facility: number;
  /** Undefined: what the machine is called. */
  readonly hostname?: string;
  readonly structuredDataId: string;
}

export interface TelemetrySettings {
  readonly otlp?: OtlpSettings;
  readonly syslog?: SyslogSettings;
}

type Absolute = (path: string) => string;

/** None where the file has no `telemetry`. */
export function telemetrySettings(
  document: TelemetryDocument | undefined,
  absolute: Absolute,
): { readonly telemetry?: TelemetrySettings } {
  const { otlp, syslog } = document ?? {};
  if (otlp === undefined && syslog === undefined) return {};
  return {
    telemetry: {
      ...(otlp === undefined ? {} : { otlp: otlpSettings(otlp, absolute) }),
      ...(syslog === undefined ? {} : { syslog: syslogSettings(syslog, absolute) }),
    },
  };
}

function otlpSettings(otlp: NonNullable<TelemetryDocument['otlp']>, absolute: Absolute): OtlpSettings {
  const { endpoint, headers = {}, ca, tracesSampled = 0.01, logs = false, metrics = true } = otlp;
  return {
    endpoint: endpoint.endsWith('/') ? endpoint.slice(0, -1) : endpoint,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, source]) => [
        name.toLowerCase(),
        plainSourceSettings(source, absolute),
      ]),
    ),
    ca: asList(ca).map(absolute),
    ...clientCertificateSettings(otlp.clientCertificate, absolute),
    tracesSampled,
    logs,
    metrics,
    metricsIntervalSeconds: otlp.metricsIntervalSeconds ?? 60,
    resource: otlp.resource ?? {},
  };
}

function syslogSettings(
  {
    address,
    ca,
    clientCertificate: client,
    facility = 13,
    hostname,
    structuredDataId = 'upstreamproxy@32473',
  }: NonNullable<TelemetryDocument['syslog']>,
  absolute: Absolute,
): SyslogSettings {
  // The schema has seen to it that there is one.
  const { host, port } = syslogPlace(address) ?? { host: address, port: 0 };
  const named = hostname === undefined ? {} : { hostname };
  const place = { host, port, ca: asList(ca).map(absolute), ...clientCertificateSettings(client, absolute) };
  return { ...place, facility, structuredDataId, ...named };
}
