// Telemetry to a collector: queues for traces and logs behind the audit, and metrics at an interval. Nothing of the environment counts here:
// what OTEL_ variables say is for programs that are instrumented, and this one is configured by its file.

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { checkCertificates } from '../../pki/pem.ts';
import { asProxyError } from '../../protocol/error.ts';
import type { Secret } from '../../protocol/secret.ts';
import { packageVersion } from '../../system/package-version.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { OtlpSettings } from '../config/telemetry-settings.ts';
import { openCredentialSource } from '../credentials/sources/credential-source.ts';
import type { ServiceOctetFetch } from '../forward/service-fetch.ts';
import { clientOf } from '../credentials/sources/client-certificate.ts';
import type { EventTaker } from './event-tap.ts';
import type { MetricFamily } from './metric-family.ts';
import { otlpClient, type OtlpSend } from './otlp-client.ts';
import { logRequest, metricsRequest, traceRequest } from './otlp-messages.ts';
import type { Origin } from './otlp-writer.ts';
import { openQueue, type TelemetryNeeds } from './telemetry-needs.ts';
import { isSampled } from './trace-sampling.ts';

export interface OtlpNeeds extends TelemetryNeeds {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly fetch: ServiceOctetFetch;
  /** Of all processes of the gateway. */
  readonly families: () => Promise<readonly MetricFamily[]>;
  /** Whether this process does what one of all workers does. */
  readonly isOnDuty: () => boolean;
  readonly startedMs: number;
}

/** Opens what the settings ask for, and gives those who take events. @throws ProxyError config_invalid */
export async function openOtlp(settings: OtlpSettings, needs: OtlpNeeds): Promise<readonly EventTaker[]> {
  const origin: Origin = {
    version: packageVersion(),
    resource: {
      'service.name': 'upstreamproxy',
      'service.version': packageVersion(),
      'service.instance.id': randomUUID(),
      'host.name': hostname(),
      ...settings.resource,
    },
  };
  const send = otlpClient({
    endpoint: settings.endpoint,
    headers: headerSource(settings, needs),
    ca: (await Promise.all(settings.ca.map((path) => readFile(path, 'utf8')))).flatMap(checkCertificates),
    ...clientOf('telemetry.otlp.clientCertificate', settings, needs),
    fetch: needs.fetch,
    timeoutMs: needs.limits.telemetryTimeoutMs,
  });
  if (settings.metrics) sendMetrics(settings, { ...needs, send, origin });
  return [
    ...(settings.tracesSampled > 0 ? [traces(settings, { ...needs, send, origin })] : []),
    ...(settings.logs ? [logs({ ...needs, send, origin })] : []),
  ];
}

type Opened = OtlpNeeds & { readonly send: OtlpSend; readonly origin: Origin };

function headerSource(
  { headers }: OtlpSettings,
  { environment, clock }: OtlpNeeds,
): () => Promise<Readonly<Record<string, Secret<string>>>> {
  const sources = Object.entries(headers).map(
    ([name, source]) =>
      [name, openCredentialSource(`of telemetry.otlp.headers.${name}`, source, environment)] as const,
  );
  return async () =>
    Object.fromEntries(
      await Promise.all(sources.map(async ([name, source]) => [name, await source.read(clock())] as const)),
    );
}

function traces({ tracesSampled }: OtlpSettings, opened: Opened): EventTaker {
  const { send, origin } = opened;
  const queue = openQueue('traces', opened, async (batch, signal) =>
    send('traces', await traceRequest(batch, origin), signal),
  );
  return ({ kind, traceId, traceparent }, json) => {
    if (kind !== 'exchange' && kind !== 'stream') return;
    if (traceparent !== undefined || isSampled(traceId, tracesSampled)) queue.offer(json);
  };
}

function logs(opened: Opened): EventTaker {
  const { send, origin, clock } = opened;
  const queue = openQueue('logs', opened, async (batch, signal) =>
    send('logs', await logRequest(batch, origin, clock()), signal),
  );
  return (_event, json) => {
    queue.offer(json);
  };
}

/** A look that finds no collector is lost: the next has the same sums, and more. */
function sendMetrics(
  { metricsIntervalSeconds }: OtlpSettings,
  { send, origin, families, isOnDuty, startedMs, clock, onCount, onFault, stack }: Opened,
): void {
  const look = async (signal: AbortSignal): Promise<void> => {
    if (!isOnDuty()) return;
    const body = metricsRequest(await families(), origin, { startMs: startedMs, nowMs: clock() });
    const { outcome } = await send('metrics', body, signal);
    onCount('metrics', outcome === 'taken' ? 'sent' : 'dropped', 1);
  };
  const intervalMs = metricsIntervalSeconds * 1000;
  const repeated = stack.use(
    new RepeatedLook({ look, intervalMs, onFault: (error) => onFault(asProxyError(error)) }),
  );
  repeated.start();
}
