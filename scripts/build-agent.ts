// Builds the agent, or the gateway, as one executable file: `npm run build:agent -- [--out FILE] [--install DIR]`, `npm run build:gateway -- …`.

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
/** What is built: its entry, and what its runtime is told beside what every program of ours is told. */
const programs = {
  agent: {
    name: 'upstreamproxy-agent',
    entry: 'src/cli/single-file.ts',
    // Else a thread parses the runtime's own certificates at each start. Every connection of the agent names the
    // certificates that it trusts.
    execArgv: ['--use-openssl-ca'],
  },
  gateway: { name: 'upstreamproxy-gateway', entry: 'src/cli/single-file-gateway.ts', execArgv: [] },
} as const;

const { values } = parseArgs({
  options: {
    program: { type: 'string', default: 'agent' },
    out: { type: 'string' },
    install: { type: 'string' },
  },
});
if (values.program !== 'agent' && values.program !== 'gateway')
  throw new Error('--program is agent or gateway');
const { name, entry, execArgv } = programs[values.program];
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
  const bundle = 'program.cjs';
  // The package is ours, and so is the file: `version` is a string.
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  run('bun', [
    'build',
    join(root, entry),
    '--target=node',
    '--format=cjs',
    `--outfile=${join(work, bundle)}`,
    `--define=builtVersion=${JSON.stringify(version)}`,
    // What is looked for beside the source, is not there; and the builder's folders are nobody's business.
    `--define=import.meta.url=${JSON.stringify('file:///')}`,
    '--minify-syntax',
    '--minify-whitespace',
  ]);
  compile(join(work, bundle));
  copyFileSync(new URL('single-file-loader.cjs', import.meta.url), join(work, 'loader.cjs'));
  const config = join(work, 'sea.json');
  writeFileSync(
    config,
    JSON.stringify({
      main: 'loader.cjs',
      assets: { program: 'program', compiled: 'compiled', loader: 'loader.cjs' },
      mainFormat: 'commonjs',
      output: out,
      disableExperimentalSEAWarning: true,
      // Neither NODE_OPTIONS nor an argument may speak to this runtime.
      execArgvExtension: 'none',
      execArgv: [
        '--disable-sigusr1',
        '--disable-warning=ExperimentalWarning',
        ...execArgv,
        // What OPENSSL_CONF names can load code.
        '--openssl-config=/dev/null',
        '--',
      ],
    }),
  );
  run('node', ['--build-sea', config]);
  rmSync(work, { recursive: true });
}

/**
 * Writes the program as a function of `require`, and what V8 compiled of it. `useCodeCache` of Node would hold the outermost
 * function alone, and each start would parse and compile the others where they are first called.
 */
function compile(bundle: string): void {
  // One byte a character, which needs no decoding.
  const ascii = readFileSync(bundle, 'utf8').replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const source = `(function (require) {${ascii}\n})`;
  writeFileSync(join(work, 'program'), source, 'latin1');
  // A child, for the version of Node that is built into the file; and V8 takes only what was compiled with the flags that it has.
  run('node', [join(root, 'scripts/compile-program.cjs'), join(work, 'program'), join(work, 'compiled')]);
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
