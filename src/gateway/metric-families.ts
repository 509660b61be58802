// What has been counted, as metrics with names, labels and a sentence.

import { addedCounts, type Counts, latencyBounds, type ProcessCounts } from './metrics.ts';
import type { HistogramCounts, MetricFamily } from './telemetry/metric-family.ts';

export function metricFamilies({ counts, restarts }: ProcessCounts): readonly MetricFamily[] {
  const sum = addedCounts(counts);
  const serving = counts.filter(({ gauges }) => gauges !== undefined).length;
  return [
    series('events', 'Audit events by kind, verdict, error code and action.', sum.events),
    series(
      'limit_hits',
      'How often a limit of docs/reference/limits.md was reached.',
      labelled('limit', sum.limitHits),
    ),
    counter('request_bytes', 'Bytes of request bodies and streams.', sum.requestBytes),
    counter('response_bytes', 'Bytes of response bodies and streams.', sum.responseBytes),
    ...latencies(sum),
    ...gauges(sum.gauges),
    series(
      'tunnel_resumes',
      'Attempts to go on with a tunnel: resumed, refused, or unknown here.',
      labelled('outcome', sum.resumes),
    ),
    series(
      'telemetry_events',
      'Events that a receiver of telemetry took, and those that were dropped; the audit has all of them.',
      sum.telemetry,
    ),
    series('model_tokens', 'Tokens of calls of models that rules with `llm` admitted.', sum.modelTokens),
    series(
      'model_cost_nano_usd',
      'What these calls cost, in billionths of one US dollar, where a price is known.',
      sum.modelCosts,
    ),
    series(
      'decider_questions',
      'What deciders said of requests and responses, by decider and outcome; cached: they had said it before.',
      sum.deciders,
    ),
    series(
      'cache_archives',
      'Archives that the cache may keep, by where they came from; those that were stored, left or were damaged; writes that failed. With `metadata_` before it: the same of what registries tell of packages. With `bucket_`: what became of the bucket.',
      labelled('outcome', sum.cache),
    ),
    gauge('workers', 'Processes of the gateway that serve.', serving),
    counter('worker_restarts', 'Worker processes that were started again.', restarts),
  ];
}

function latencies({ latencies: { duration, firstByte, decide, decider } }: Counts): MetricFamily[] {
  const made = (
    name: string,
    help: string,
    bounds: readonly number[],
    histogram: HistogramCounts,
  ): MetricFamily => ({ type: 'histogram', name, help, bounds, histogram });
  return [
    made(
      'exchange_duration_seconds',
      "From the request's head to the end of the response.",
      latencyBounds.duration,
      duration,
    ),
    made(
      'first_byte_seconds',
      "From the request's head to the head of the origin's response.",
      latencyBounds.firstByte,
      firstByte,
    ),
    made('decide_seconds', "From the request's head to the policy's decision.", latencyBounds.decide, decide),
    made(
      'decider_seconds',
      'How long a decider took that was asked; what was remembered is not in it.',
      latencyBounds.decider,
      decider,
    ),
  ];
}

function gauges(all: NonNullable<Counts['gauges']>): MetricFamily[] {
  return [
    gauge('tunnels', 'Tunnels that are open.', all.tunnels),
    gauge('tunnels_waiting', 'Of these, those that wait for another connection.', all.waitingTunnels),
    gauge('tunnel_kept_bytes', 'Memory of what was sent to agents and is not acknowledged.', all.keptBytes),
    gauge('live_grants', 'Exchanges, WebSockets, raw and passed-through streams that run.', all.liveGrants),
    gauge('audit_healthy', '1 while the audit can be written.', all.auditHealthy ? 1 : 0),
    gauge('policy_age_seconds', 'How long the policy has been in force.', all.policyAgeSeconds),
    gauge(
      'policy_stale_seconds',
      'How long the policy files have held something that cannot be taken; 0 while what is in force is what is in them.',
      all.policyStaleSeconds,
    ),
    gauge(
      'advisories_stale_seconds',
      'How long what is known against packages has been older than advisories.staleDays, or could not be read; 0 while it is neither, or not configured.',
      all.advisoriesStaleSeconds,
    ),
    gauge(
      'store_away_seconds',
      'How long PostgreSQL has been away; 0 while it is there. Nothing is forwarded beyond storeOutageMs.',
      all.storeAwaySeconds,
    ),
    gauge(
      'audit_spool_bytes',
      'What of the audit waits in files of this machine for PostgreSQL, with the file that is being written.',
      all.spoolBytes,
    ),
    gauge(
      'session_leases',
      'Leases of Vault that are one of a session, which this gateway has.',
      all.sessionLeases,
    ),
    gauge(
      'session_leases_not_given_back',
      'Such leases in the store that nobody needs any more and that could not be given back until now.',
      all.sessionLeasesNotGivenBack,
    ),
    gauge('cache_bytes', 'What the cache of archives and metadata takes of the disk.', all.cacheBytes),
  ];
}

function labelled(label: string, values: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  return new Map([...values].map(([value, count]) => [`${label}="${value}"`, count]));
}

function series(name: string, help: string, values: ReadonlyMap<string, number>): MetricFamily {
  return {
    type: 'counter',
    name,
    help,
    samples: [...values].map(([labels, value]) => ({ labels, value })),
  };
}

function counter(name: string, help: string, value: number): MetricFamily {
  return { type: 'counter', name, help, samples: [{ labels: '', value }] };
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { type: 'gauge', name, help, samples: [{ labels: '', value }] };
}
