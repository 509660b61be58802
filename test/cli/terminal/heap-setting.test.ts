import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../support/command.ts';

const module = fileURLToPath(new URL('../../../src/cli/terminal/heap-setting.ts', import.meta.url));

async function said(statement: string): Promise<string> {
  const script = `import { tuneEngine } from '${module}';\nimport { setFlagsFromString } from 'node:v8';\n${statement}`;
  const { code, stdout, stderr } = await runCommand(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(code, 0, stderr);
  return stdout + stderr;
}

test('the engine of this runtime knows the flags that are set', async () => {
  assert.equal(await said('tuneEngine();'), '');
  // The control: it says so where it does not know one.
  assert.match(await said("setFlagsFromString('--no-such-flag-of-v8');"), /no-such-flag-of-v8/);
});

test('another version of Node, and Bun, are left as they are', async () => {
  const watched = `import { syncBuiltinESMExports } from 'node:module';
    import v8 from 'node:v8';
    v8.setFlagsFromString = () => console.log('set');
    syncBuiltinESMExports();`;
  const call = (versions: string): string => `${watched} tuneEngine({ ${versions} });`;
  assert.equal(await said(call("node: '27.1.0'")), '');
  assert.equal(await said(call("node: '26.1.0', bun: '1.4.5'")), '');
  assert.equal(await said(call("node: '26.1.0'")), 'set\n'.repeat(4));
});
