import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../../src/cli/terminal/program.ts', import.meta.url));
const bytes = 3_000_000;
const script = `
  const { runProgram } = await import(${JSON.stringify(program)});
  const run = async () => { process.stdout.write('x'.repeat(${bytes})); return 0; };
  process.argv.push('[eval]', '=print');
  await runProgram({ name: 'upstreamproxy', commands: new Map([['print', async () => ({ run })]]), definitions: async () => [] });`;

test('what a command prints arrives whole in a pipe that is read late', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  // Nothing is read until the pipe is full and the command done.
  await once(child.stdout, 'readable');
  let seen = 0;
  child.stdout.on('data', (chunk: Buffer) => (seen += chunk.length));
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0);
  assert.equal(seen, bytes);
});

test('a reader that goes away ends the command without a fault', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child.stdout, 'readable');
  child.stdout.destroy();
  const [code] = (await once(child, 'close')) as [number | null];
  assert.equal(code, 0);
});
