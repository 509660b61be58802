// Alerts and dashboard ask for metrics that there are, by labels that these have; promtool reads both where it is installed.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { parse } from 'yaml';
import { Metrics } from '../../src/gateway/metrics.ts';
import { metricsText } from '../../src/gateway/metrics-text.ts';
import { assertDocsTable, markdownTable } from '../protocol/docs-table.ts';
import { event } from '../gateway/admin/admin-fixture.ts';

const rulesFile = fileURLToPath(new URL('../../deploy/prometheus-rules.yaml', import.meta.url));
const dashboardFile = new URL('../../deploy/grafana-dashboard.json', import.meta.url);

function exposition(): string {
  const metrics = new Metrics();
  const times = { decidedMs: 0.1, firstByteMs: 4 };
  metrics.count(event('e', { durationMs: 5, errorCode: 'policy_denied', verdict: 'deny', times }));
  metrics.countLimit('streamsMax');
  metrics.countResume('resumed');
  metrics.countTelemetry('traces', 'sent', 1);
  const gauges = {
    tunnels: 1,
    waitingTunnels: 1,
    keptBytes: 1,
    liveGrants: 1,
    auditHealthy: true,
    policyAgeSeconds: 1,
    policyStaleSeconds: 0,
    advisoriesStaleSeconds: 0,
    sessionLeases: 0,
    sessionLeasesNotGivenBack: 0,
    storeAwaySeconds: 0,
    spoolBytes: 0,
    cacheBytes: 0,
  };
  return metricsText({ counts: [metrics.counts(gauges)], restarts: 0 });
}

/** Names with their labels, of samples and of expressions alike. */
function namesOf(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const [, name = '', labels = ''] of text.matchAll(/\b(upstreamproxy_[a-z_]+)(?:\{([^}]*)\})?/g)) {
    const known = found.get(name) ?? new Set();
    for (const [, label = ''] of labels.matchAll(/([a-z]+)\s*=/g)) known.add(label);
    found.set(name, known);
  }
  return found;
}

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly { readonly alert: string; readonly expr: string }[];
  }[];
}

interface Dashboard {
  readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[];
}

const samples = namesOf(exposition().replace(/^#.*$/gm, ''));

function expressions(): readonly string[] {
  // Our own files, whose form is looked at here.
  const rules = parse(readFileSync(rulesFile, 'utf8')) as Rules;
  const dashboard = JSON.parse(readFileSync(dashboardFile, 'utf8')) as Dashboard;
  return [
    ...rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr)),
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
  ];
}

test('alerts and dashboard ask for metrics that there are, by labels that these have', () => {
  const all = expressions();
  assert.ok(all.length > 15, `only ${all.length}`);
  for (const expression of all)
    for (const [name, labels] of namesOf(expression)) {
      const known = samples.get(name);
      assert.ok(known, `${name} in ${expression}`);
      // `instance` is Prometheus's own.
      for (const label of labels) assert.ok(label === 'instance' || known.has(label), `${label} of ${name}`);
    }
});

test('what is old or away for a time has an alert', () => {
  const { groups } = parse(readFileSync(rulesFile, 'utf8')) as Rules;
  const alerts = groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)).join('\n');
  const lasting = [...samples.keys()].filter((name) => /_(?:stale|away)_seconds$/.test(name));
  assert.equal(lasting.length, 3);
  for (const name of lasting) assert.ok(namesOf(alerts).has(name), name);
});

test('the reference has every metric, and every alert', () => {
  const helps = [...exposition().matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm)];
  assert.ok(helps.length >= 9);
  const rows = helps.map(([, name = '', help = '', type = '']) => {
    const labels = [...(samples.get(name) ?? samples.get(`${name}_bucket`) ?? [])].filter(
      (one) => one !== 'le',
    );
    return [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help];
  });
  assertDocsTable('metrics.md', 'metrics', markdownTable(['metric', 'type', 'labels', 'what it says'], rows));
  const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8');
  const { groups } = parse(readFileSync(rulesFile, 'utf8')) as Rules;
  for (const { alert } of groups.flatMap(({ rules }) => rules))
    assert.ok(page.includes(`\`${alert}\``), alert);
});

const promtool = spawnSync('promtool', ['--version']);
const without = promtool.error === undefined ? false : 'promtool is not installed (Debian: prometheus)';

test('promtool takes the rules, and the metrics', { skip: without }, () => {
  const rules = spawnSync('promtool', ['check', 'rules', rulesFile], { encoding: 'utf8' });
  assert.equal(rules.status, 0, rules.stderr);
  const metrics = spawnSync('promtool', ['check', 'metrics'], { input: exposition(), encoding: 'utf8' });
  assert.equal(metrics.status, 0, metrics.stderr + metrics.stdout);
});
