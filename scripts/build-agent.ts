// Builds the agent as one executable file: `npm run build:agent -- [--out FILE] [--install DIR]`.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const name = 'upstreamproxy-agent';
const limitFlag = '--external-memory-accounted-in-global-limit';

const { values } = parseArgs({ options: { out: { type: 'string' }, install: { type: 'string' } } });
const out = resolve(values.out ?? join(root, 'dist', name));
const work = `${out}.build`;

/** In the work folder: a path that was absolute would stand in the executable. */
function run(file: string, args: readonly string[]): void {
  const { status, error } = spawnSync(join(root, 'node_modules/.bin', file), args, {
    cwd: work,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`${file} ended with ${status ?? error?.message}`);
}

function build(): void {
  mkdirSync(work, { recursive: true });
  // CommonJS loads each built-in module where it is first used: the jail's helper needs no TLS (docs/reference/performance.md).
  const bundle = 'agent.cjs';
  // The package is ours, and so is the file: `version` is a string.
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  run('bun', [
    'build',
    join(root, 'src/cli/single-file.ts'),
    '--target=node',
    '--format=cjs',
    `--outfile=${join(work, bundle)}`,
    `--define=builtVersion=${JSON.stringify(version)}`,
    // What is looked for beside the source, is not there; and the builder's folders are nobody's business.
    `--define=import.meta.url=${JSON.stringify('file:///')}`,
    '--minify-syntax',
    '--minify-whitespace',
  ]);
  const config = join(work, 'sea.json');
  writeFileSync(
    config,
    JSON.stringify({
      main: bundle,
      mainFormat: 'commonjs',
      output: out,
      disableExperimentalSEAWarning: true,
      // Compiled ahead; a fifth of the processor time of a start.
      useCodeCache: true,
      // Neither NODE_OPTIONS nor an argument may speak to this runtime.
      execArgvExtension: 'none',
      execArgv: [
        '--disable-sigusr1',
        '--disable-warning=ExperimentalWarning',
        limitFlag,
        // Else a thread parses the runtime's own certificates at each start. Every connection of the agent names the
        // certificates that it trusts.
        '--use-openssl-ca',
      ],
    }),
  );
  // V8 takes what was compiled with the same flags of its own, and no other.
  run('node', [limitFlag, '--build-sea', config]);
  rmSync(work, { recursive: true });
}

/** Root's, and readable by nobody else: then the kernel closes the process's memory from its first instruction. */
function install(folder: string): void {
  if (process.geteuid?.() !== 0)
    throw new Error('--install needs root: the file must not belong to who runs it');
  mkdirSync(folder, { recursive: true });
  const target = join(folder, name);
  copyFileSync(out, `${target}.new`);
  chownSync(`${target}.new`, 0, 0);
  chmodSync(`${target}.new`, 0o711);
  renameSync(`${target}.new`, target);
  console.log(`${target}: root, mode 0711`);
}

mkdirSync(dirname(out), { recursive: true });
build();
console.log(`${out}: ${(statSync(out).size / 1e6).toFixed(1)} MB`);
if (values.install !== undefined) install(resolve(values.install));
