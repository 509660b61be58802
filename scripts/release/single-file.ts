// A program of ours as one executable file, with the Node that it needs.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripSymbols } from './strip-symbols.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What is built: its entry, and what its runtime is told beside what every program of ours is told. */
export const programs = {
  agent: {
    name: 'upstreamproxy-agent',
    entry: 'src/cli/single-file.ts',
    // Else a thread parses the runtime's own certificates at each start. Every connection of the agent names the
    // certificates that it trusts.
    execArgv: ['--use-openssl-ca'],
  },
  gateway: { name: 'upstreamproxy-gateway', entry: 'src/cli/single-file-gateway.ts', execArgv: [] },
} as const;

/** What src/gateway/databases/postgres/sql/statement-reader.ts and src/gateway/exits/pac-lane.ts look for. */
const parserAsset: Readonly<Record<string, string>> = {
  'libpg-query.wasm': join(root, 'node_modules/libpg-query/wasm/libpg-query.wasm'),
  'quickjs.wasm': join(root, 'node_modules/quickjs-wasi/quickjs.wasm'),
};

/** In the work folder, and in the names of assets that scripts/single-file-loader.cjs looks for. */
const pieceFolder = 'pieces';

export type ProgramKind = keyof typeof programs;

export interface SingleFileOptions {
  readonly program: ProgramKind;
  /** The executable; the folder `${out}.build` is used meanwhile. */
  readonly out: string;
  /** The executable of Node that is built in. */
  readonly node: string;
  /** How that Node is started here, to compile the program ahead; undefined: each start compiles. */
  readonly start: readonly [string, ...string[]] | undefined;
}

/** Builds the file, with mode 0755, and gives the files of source that are in it, relative to the checkout. */
export function buildSingleFile({ program, out, node, start }: SingleFileOptions): readonly string[] {
  const work = `${out}.build`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const sources = bundle(program, work);
    const pages = program === 'gateway' ? buildConsole(work) : { sources: [], assets: {} };
    const assets = { ...pages.assets, ...(program === 'gateway' ? parserAsset : {}) };
    const pieces = compile(work, start);
    writeFileSync(join(work, 'node'), stripSymbols(readFileSync(node)), { mode: 0o755 });
    copyFileSync(new URL('../single-file-loader.cjs', import.meta.url), join(work, 'loader.cjs'));
    writeFileSync(join(work, 'sea.json'), JSON.stringify(settings({ ...pieces, ...assets }, program)));
    run(process.execPath, ['--build-sea', 'sea.json'], work);
    mkdirSync(dirname(out), { recursive: true });
    rmSync(out, { force: true });
    copyFileSync(join(work, 'program.out'), out);
    chmodSync(out, 0o755);
    return [...sources, ...pages.sources];
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** The files of source that a program is made of, relative to the checkout, as `buildSingleFile` gives them. */
export function sourcesOf(program: ProgramKind): readonly string[] {
  const work = mkdtempSync(join(tmpdir(), 'upstreamproxy-sources-'));
  try {
    return [...bundle(program, work), ...(program === 'gateway' ? buildConsole(work).sources : [])];
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** In the work folder: a path that was absolute would stand in the executable. What it says is nobody's output: the builds of packages and images have their own. */
function run(file: string, args: readonly string[], work: string): void {
  const { status, error } = spawnSync(file, args, { cwd: work, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${file} ended with ${status ?? error?.message}`);
}

/** Everything that the program is made of, in pieces (scripts/bundle-pieces.ts). */
function bundle(program: ProgramKind, work: string): readonly string[] {
  // The package is ours, and so is the file: `version` is a string.
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const [folder, list] = [join(work, pieceFolder), join(work, 'sources.json')];
  const bundler = join(root, 'scripts/bundle-pieces.ts');
  run(process.execPath, [bundler, programs[program].entry, version, folder, list], root);
  // As that script writes it.
  return JSON.parse(readFileSync(list, 'utf8')) as readonly string[];
}

/** The console that the gateway serves: assets by the names that src/gateway/admin/console-assets.ts looks for, and what they are made of. */
function buildConsole(work: string): {
  readonly sources: readonly string[];
  readonly assets: Readonly<Record<string, string>>;
} {
  const [folder, list] = [join(work, 'console'), join(work, 'console.json')];
  run(process.execPath, [join(root, 'scripts/build-console.ts'), folder, list], root);
  // As that script writes it.
  const sources = JSON.parse(readFileSync(list, 'utf8')) as readonly string[];
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(work, join(parentPath, name)));
  return { sources, assets: Object.fromEntries(names.toSorted().map((name) => [name, name])) };
}

/**
 * Writes each piece as a function that gives its exports, and what V8 compiled of it; gives the assets that they are. `useCodeCache` of Node
 * would hold the outermost function of one script alone, and each start would parse and compile the others where they are first called.
 */
function compile(work: string, start: SingleFileOptions['start']): Readonly<Record<string, string>> {
  const pieces = readdirSync(join(work, pieceFolder)).toSorted();
  const sources = pieces.map((piece) => join(pieceFolder, piece));
  for (const source of sources) {
    // One byte a character, which needs no decoding.
    const ascii = readFileSync(join(work, source), 'utf8').replaceAll(
      /[\u0080-\uffff]/g,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    writeFileSync(join(work, source), `(function (exports, require, module) {${ascii}\n})`, 'latin1');
    writeFileSync(join(work, `${source}.compiled`), '');
  }
  if (start !== undefined) {
    // A child, for the version of Node that is built into the file; and V8 takes only what was compiled with the flags that it has.
    const [file, ...args] = start;
    run(file, [...args, '--random-seed=1', join(root, 'scripts/compile-program.cjs'), ...sources], work);
  }
  return Object.fromEntries(
    sources.flatMap((path) => [path, `${path}.compiled`]).map((path) => [path, path]),
  );
}

function settings(assets: Readonly<Record<string, string>>, program: ProgramKind): object {
  return {
    main: 'loader.cjs',
    executable: 'node',
    assets: { loader: 'loader.cjs', ...assets },
    mainFormat: 'commonjs',
    output: 'program.out',
    disableExperimentalSEAWarning: true,
    // Neither NODE_OPTIONS nor an argument may speak to this runtime.
    execArgvExtension: 'none',
    execArgv: [
      '--disable-sigusr1',
      '--disable-warning=ExperimentalWarning',
      ...programs[program].execArgv,
      // What OPENSSL_CONF names can load code.
      '--openssl-config=/dev/null',
      '--',
    ],
  };
}
