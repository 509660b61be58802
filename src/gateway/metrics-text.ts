// Metrics in the two text formats that Prometheus reads. OpenMetrics alone has exemplars.

import { metricFamilies } from './metric-families.ts';
import type { ProcessCounts } from './metrics.ts';
import type { Exemplar, MetricFamily } from './telemetry/metric-family.ts';

export type MetricsFormat = 'prometheus' | 'openmetrics';

export const metricsTypes = {
  prometheus: 'text/plain; version=0.0.4',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
} as const satisfies Record<MetricsFormat, string>;

export function metricsText(counts: ProcessCounts, format: MetricsFormat = 'prometheus'): string {
  const lines = metricFamilies(counts).flatMap((family) => familyLines(family, format));
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

/** OpenMetrics where it is asked for and not with a weight of zero (RFC 9110 §12.5.1): who asks for it can read it. */
export function metricsFormat(accept: string | undefined): MetricsFormat {
  for (const range of (accept ?? '').slice(0, 1_000).split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((one) => one.startsWith('q='))?.slice(2) ?? '1';
    if (type === 'application/openmetrics-text' && Number(weight) > 0) return 'openmetrics';
  }
  return 'prometheus';
}

function familyLines(family: MetricFamily, format: MetricsFormat): string[] {
  const name = `upstreamproxy_${family.name}`;
  const sampleName = family.type === 'counter' ? `${name}_total` : name;
  // OpenMetrics names the family, the other format the samples.
  const named = format === 'openmetrics' ? name : sampleName;
  const head = [`# HELP ${named} ${family.help}`, `# TYPE ${named} ${family.type}`];
  if (family.type === 'histogram') return [...head, ...histogramLines(name, family, format)];
  const samples = family.samples.map(({ labels, value }) =>
    labels === '' ? `${sampleName} ${value}` : `${sampleName}{${labels}} ${value}`,
  );
  return [...head, ...samples];
}

function histogramLines(
  name: string,
  { bounds, histogram }: Extract<MetricFamily, { readonly type: 'histogram' }>,
  format: MetricsFormat,
): string[] {
  const bucket = (le: string, count: number, i: number): string =>
    `${name}_bucket{le="${le}"} ${count}${format === 'openmetrics' ? exemplarText(histogram.exemplars[i]) : ''}`;
  // A whole number has a point in OpenMetrics ("Considerations: Canonical Numbers").
  const boundText = (bound: number): string =>
    format === 'openmetrics' && Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
  return [
    ...bounds.map((bound, i) => bucket(boundText(bound), histogram.within[i] ?? 0, i)),
    bucket('+Inf', histogram.count, bounds.length),
    `${name}_sum ${histogram.seconds}`,
    `${name}_count ${histogram.count}`,
  ];
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return '';
  const { traceId, seconds, atMs } = exemplar;
  return ` # {trace_id="${traceId}"} ${seconds} ${(atMs / 1000).toFixed(3)}`;
}
