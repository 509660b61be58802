import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { Metrics } from '../../src/gateway/metrics.ts';
import { metricsText } from '../../src/gateway/metrics-text.ts';
import { limitTable } from '../../src/protocol/limits.ts';
import type { LimitName } from '../../src/protocol/limits.ts';
import { uncounted } from './support/uncounted-limits.ts';

/** Everything that runs in a gateway, but for the table itself. */
const source = globSync('src/{protocol,http,net,intercept,store,gateway}/**/*.ts', {
  cwd: fileURLToPath(new URL('../../', import.meta.url)),
})
  .filter((file) => !file.includes('protocol/limits'))
  .map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
  .join('\n')
  // A parameter's type is no place where it is reached.
  .replaceAll(/Pick<\s*Limits,[^>]*>/g, '');

test('every limit of the table is counted where it is reached, or says why not', () => {
  assert.ok(source.length > 100_000);
  const wrong = Object.keys(limitTable).filter((name) => {
    // The keys of the table are the names; Object.keys forgets that.
    const isExempt = uncounted[name as LimitName] !== undefined;
    return source.includes(`'${name}'`) === isExempt;
  });
  assert.deepEqual(wrong, [], 'give the ProxyError of these { limit }, or list them with a reason, not both');
});

test('limits are counted by name, from the audit and beside it', () => {
  const metrics = new Metrics();
  const event = { v: 1, id: '1', time: 't', traceId: 't', kind: 'exchange', verdict: 'deny' } as const;
  metrics.count({ ...event, errorCode: 'timeout', limit: 'connectTimeoutMs' });
  metrics.count({ ...event, errorCode: 'timeout', limit: 'connectTimeoutMs' });
  metrics.count({ ...event, limit: 'no limit of ours"} 1' });
  metrics.countLimit('tunnelsPerSessionMax');
  const text = metricsText({ counts: [metrics.counts()], restarts: 0 });
  assert.match(text, /^upstreamproxy_limit_hits_total\{limit="connectTimeoutMs"\} 2$/m);
  assert.match(text, /^upstreamproxy_limit_hits_total\{limit="tunnelsPerSessionMax"\} 1$/m);
  assert.equal(text.includes('no limit'), false);
});
