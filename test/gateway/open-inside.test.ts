import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { embeddedConfig } from '../../src/gateway/config/config.ts';
import { LoopGuard } from '../../src/gateway/forward/loop-guard.ts';
import { openInside } from '../../src/gateway/open-inside.ts';
import type { Start } from '../../src/gateway/gateway-start.ts';
import { openUpstream } from '../../src/gateway/upstream.ts';
import { memoryKeptTokens } from '../support/memory-kept-tokens.ts';
import { compilePolicy } from './support/request-path.ts';

const { cache } = createRequire(import.meta.url);
const isClientLoaded = (): boolean => Object.keys(cache).some((file) => file.includes('/undici/'));
const rule = (revoke: string): string =>
  `rules: [{ name: log-in, hosts: as.test, paths: /token, logIn: { name: tool, issuer: true${revoke} } }]`;

test('the client that revokes tokens is loaded as soon as a rule has them revoked, before any session logs in', async () => {
  await using stack = new AsyncDisposableStack();
  const config = embeddedConfig('/nonexistent');
  const files = { ca: new Map(), scripts: new Map() };
  const common = { config, stack, clock: Date.now };
  const loops = new LoopGuard();
  const upstream = openUpstream({ ...common, trust: [], files, environment: {}, loops });
  let prepared = 0;
  const guarded = {
    ...upstream.guarded,
    prepare: () => {
      prepared += 1;
      upstream.guarded.prepare();
    },
  };
  let policy = compilePolicy(rule(''));
  const listeners: (() => void)[] = [];
  const onFault = (error: unknown): void => assert.fail(String(error));
  // Nothing else of a start is looked at.
  openInside({ ...common, incarnation: 'one', onFault } as unknown as Start, {
    store: { keptTokens: memoryKeptTokens() },
    signingKey: { sealingKeys: () => [] } as never,
    sessions: { onEnded: () => () => undefined },
    upstream: { guarded },
    policies: { current: () => policy, onChange: (listener) => void listeners.push(listener) },
  });
  assert.equal(prepared, 0);
  assert.equal(isClientLoaded(), false, 'it costs a start more than all else');
  policy = compilePolicy(rule(', revoke: /revoke'));
  for (const listener of listeners) listener();
  assert.equal(prepared, 1);
  while (!isClientLoaded()) await new Promise((resolve) => setImmediate(resolve));
});
