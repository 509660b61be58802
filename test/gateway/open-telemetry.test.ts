import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('a gateway without telemetry loads nothing of it', () => {
  const script = `
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ resolve: (name, context, next) => { seen.push(name); return next(name, context); } });
    await import(${JSON.stringify(new URL('../../src/gateway/gateway.ts', import.meta.url).href)});
    console.log(JSON.stringify(seen));
  `;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script],
    { encoding: 'utf8' },
  );
  assert.notEqual(stdout, '', stderr);
  // Printed by the script above.
  const seen = JSON.parse(stdout) as readonly string[];
  assert.ok(seen.includes('./open-telemetry.ts'));
  const loaded = seen.filter((name) => /bufbuild|open-otlp|open-syslog|delivery-queue/.test(name));
  assert.deepEqual(loaded, []);
});
