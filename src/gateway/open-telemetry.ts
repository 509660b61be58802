// What the gateway tells others beside the audit. Nothing of it is loaded where the configuration asks for none.

import type { Observed } from './open-observing.ts';
import { allCounts } from './open-observing.ts';
import { metricFamilies } from './metric-families.ts';
import type { Start } from './gateway-start.ts';
import type { EventTaker } from './telemetry/event-tap.ts';
import type { Upstream } from './upstream.ts';

export async function openTelemetry(
  observed: Observed & Start,
  { fetch, serviceDialer }: Upstream,
): Promise<void> {
  const { config, tap, metrics, place, clock } = observed;
  const { telemetry, notices } = config;
  if (telemetry === undefined && notices === undefined) return;
  const counts = allCounts(observed);
  const needs = {
    ...observed,
    fetch,
    limits: config.limits,
    families: async () => metricFamilies(await counts()),
    onCount: (receiver: string, outcome: 'sent' | 'dropped', count: number) => {
      metrics.countTelemetry(receiver, outcome, count);
    },
    startedMs: place?.startedMs ?? clock(),
  };
  const takers: EventTaker[] = [];
  const { otlp, syslog } = telemetry ?? {};
  if (otlp !== undefined) {
    const { openOtlp } = await import('./telemetry/open-otlp.ts');
    takers.push(...(await openOtlp(otlp, needs)));
  }
  if (syslog !== undefined) {
    const { openSyslog } = await import('./telemetry/open-syslog.ts');
    takers.push(await openSyslog(syslog, { ...needs, dialer: serviceDialer }));
  }
  if (notices === undefined) return tap.attach(takers);
  const { openNotices } = await import('./notices/open-notices.ts');
  const opened = await openNotices(notices, { ...needs, gateway: observed.incarnation });
  tap.attach([...takers, ...opened.takers], opened.reachesPeople);
}
