// What the configuration says of telemetry.

import { asList } from '../../policy/schema-parts.ts';
import type { PlainSourceConfig } from '../credentials/sources/source-config.ts';
import { plainSourceSettings } from '../credentials/sources/source-settings.ts';
import type { TelemetryDocument } from './telemetry-schema.ts';

export interface OtlpSettings {
  /** Without the path of a signal, and without a slash at its end. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, PlainSourceConfig>>;
  /** Paths of PEM files. */
  readonly ca: readonly string[];
  /** Share of the exchanges that get a trace. */
  readonly tracesSampled: number;
  readonly logs: boolean;
  readonly metrics: boolean;
  readonly metricsIntervalSeconds: number;
  readonly resource: Readonly<Record<string, string>>;
}

export interface TelemetrySettings {
  readonly otlp?: OtlpSettings;
}

/** None where the file has no `telemetry`. */
export function telemetrySettings(
  document: TelemetryDocument | undefined,
  absolute: (path: string) => string,
): { readonly telemetry?: TelemetrySettings } {
  const otlp = document?.otlp;
  if (otlp === undefined) return {};
  const { endpoint, headers = {}, ca, tracesSampled = 0.01, logs = false, metrics = true } = otlp;
  return {
    telemetry: {
      otlp: {
        endpoint: endpoint.endsWith('/') ? endpoint.slice(0, -1) : endpoint,
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, source]) => [
            name.toLowerCase(),
            plainSourceSettings(source, absolute),
          ]),
        ),
        ca: asList(ca).map(absolute),
        tracesSampled,
        logs,
        metrics,
        metricsIntervalSeconds: otlp.metricsIntervalSeconds ?? 60,
        resource: otlp.resource ?? {},
      },
    },
  };
}
