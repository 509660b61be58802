// The rules of the layout that no compiler holds: who imports whom, and what no file may contain.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from './support/temporary-directory.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

const pure = ['protocol', 'http', 'understand', 'policy', 'api'];
const infrastructure = ['system', 'pki', 'net', 'intercept', 'store'];

/** What each folder of src/ may import from others. A new arrow is a design decision: ARCHITECTURE.md first. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  protocol: [],
  http: ['protocol'],
  understand: ['protocol', 'http'],
  policy: ['protocol', 'http', 'understand'],
  api: ['protocol'],
  system: ['protocol'],
  pki: pure,
  net: [...pure, 'pki'],
  store: pure,
  intercept: [...pure, 'pki'],
  agent: ['protocol', 'http', 'system', 'pki', 'net', 'intercept'],
  gateway: [...pure, ...infrastructure],
  console: ['protocol', 'api'],
  // The library `upstreamproxy/admin`, and what operators' commands ask by.
  admin: ['protocol', 'api', 'system', 'pki', 'net'],
  cli: [...pure, ...infrastructure, 'agent', 'gateway', 'console', 'admin'],
  // src/index.ts, the library.
  '.': ['protocol', 'system', 'agent'],
};

/**
 * The rooms of each program from the outermost to the innermost. A room imports rooms of later rows only; rooms of one row do not
 * know each other. `.` is the program's own folder.
 */
const roomOrder: Readonly<Record<string, readonly (readonly string[])[]>> = {
  agent: [
    ['doctor'],
    ['.'],
    ['jail'],
    ['capture'],
    ['home-files'],
    ['trust', 'relay'],
    ['uplink'],
    ['hardening', 'placements', 'home-secrets'],
    ['kernel'],
  ],
  gateway: [
    ['.'],
    ['workers', 'peers', 'identity'],
    ['proxy', 'callbacks'],
    ['admin', 'tunnels'],
    ['front'],
    ['exchange'],
    ['notices', 'packages/advisories', 'packages/checksums'],
    ['ssh'],
    [
      'access',
      'policies',
      'sessions',
      'git',
      'telemetry',
      'changes',
      'packages',
      'deciders',
      'cache',
      'custody',
    ],
    ['config'],
    ['credentials'],
    ['credentials/kinds'],
    ['credentials/sts'],
    ['credentials/signatures', 'credentials/sigv4', 'credentials/vault'],
    ['credentials/kept', 'credentials/leases', 'credentials/minted'],
    ['credentials/emulation', 'credentials/sources', 'credentials/request', 'credentials/inside'],
    ['leaks'],
    ['databases/postgres'],
    ['databases/redis', 'databases/mysql'],
    ['databases/postgres/sql'],
    ['databases'],
    ['datagrams'],
    ['forward', 'exits', 'audit', 'audit/spool', 'captured', 'scrub', 'admission'],
  ],
  cli: [
    ['.'],
    ['job'],
    ['run'],
    ['policy', 'agent'],
    ['operator'],
    ['gateway', 'help'],
    ['terminal'],
    ['commands'],
    ['definition'],
  ],
};

/** Packages, by the folders that may use them. The agent uses none. */
const packageUsers: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['autocomplete', 'commands', 'lang-yaml', 'language', 'lint', 'search', 'state', 'view'].map((part) => [
      `@codemirror/${part}`,
      ['console'],
    ]),
  ),
  '@lezer/highlight': ['console'],
  '@tanstack/react-virtual': ['console'],
  react: ['console'],
  'react-dom': ['console'],
  '@bufbuild/protobuf': ['gateway'],
  '@marcbachmann/cel-js': ['policy'],
  '@sigstore/bundle': ['gateway'],
  '@sigstore/protobuf-specs': ['gateway'],
  '@sigstore/verify': ['gateway'],
  'ae-cvss-calculator': ['gateway'],
  'http-cache-semantics': ['gateway'],
  graphql: ['understand'],
  jose: ['gateway'],
  'libpg-query': ['gateway'],
  'openid-client': ['gateway'],
  pg: ['store'],
  'quickjs-wasi': ['gateway'],
  semver: ['understand'],
  ssh2: ['gateway'],
  tldts: ['http'],
  undici: ['gateway'],
  yaml: ['policy', 'gateway', 'cli'],
  zod: ['gateway', 'api', 'policy'],
};

/** Built-in modules for the agent and what it stands on: there is no HTTP client among them. */
const agentModules = new Set(
  [
    'buffer',
    'child_process',
    'crypto',
    'dgram',
    'dns',
    'events',
    'ffi',
    'fs',
    'fs/promises',
    'net',
    'os',
    'path',
    'process',
  ]
    .concat([
      'stream',
      'stream/promises',
      'timers',
      'timers/promises',
      'tls',
      'url',
      'util',
      'worker_threads',
    ])
    .map((name) => `node:${name}`)
    .concat(['bun:ffi']),
);

/** Files that may use others, each with its reason. */
const moreModules: Readonly<Record<string, readonly string[]>> = {
  // `fetch` for the caller's own requests; the agent's, with its secrets, never go there.
  'src/agent/caller-fetch.ts': ['node:http', 'node:https', 'node:zlib'],
  // It tells handshakes apart, in the agent as in the gateway.
  'src/intercept/tls-terminator.ts': ['node:async_hooks'],
};

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const sources = globSync('src/**/*.{ts,tsx}', { cwd: root }).sort();

function folderOf(file: string): string {
  const [, folder = '.'] = /^src\/([^/]+)\//.exec(file) ?? [];
  return folder;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8');
  const pattern =
    /^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|^import\s+'([^']+)'|\bimport\('([^']+)'\)/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    file,
    folder: folderOf(file),
    target: match[2] ?? match[3] ?? match[4] ?? '',
    typeOnly: match[1] !== undefined,
  }));
}

const imports = sources.flatMap(importsOf);

/** Path of the file that an import within the project names. */
function targetOf({ file, target }: Import): string {
  return relative(root, join(root, dirname(file), target));
}

/** The folder of a file below the folder of its program; `.` is that folder itself. */
function roomOf(file: string): string {
  return dirname(file).split('/').slice(2).join('/') || '.';
}

/** Every file of the project that somebody might read, as git would commit it. */
function projectFiles(): string[] {
  const listed = spawnSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  const files =
    listed.status === 0
      ? listed.stdout.split('\n')
      : globSync(['{src,test,docs,scripts,bench,fuzz,examples,deploy,schema,bin}/**/*', '*.{md,json}'], {
          cwd: root,
        });
  return files.filter(
    (file) => file !== '' && statSync(join(root, file), { throwIfNoEntry: false })?.isFile() === true,
  );
}

test('the checks below see the source', () => {
  assert.ok(sources.length > 50, `only ${sources.length} files`);
  assert.ok(imports.length > 200, `only ${imports.length} imports`);
  const folders = new Set(sources.map(folderOf));
  for (const folder of ['protocol', 'http', 'policy', 'net', 'agent', 'gateway', 'cli'])
    assert.ok(folders.has(folder), folder);
  for (const folder of folders) assert.ok(folder in mayImport, `src/${folder} is not in the table`);
});

test('a folder imports only the folders that the table gives it', () => {
  const wrong = imports
    .filter(({ target }) => target.startsWith('.'))
    // The build puts the published schema into the page, as text.
    .filter(({ folder, target }) => folder !== 'console' || !/\/schema\/[\w.]+\.json\?raw$/.test(target))
    .filter(({ file, folder, target }) => {
      const to = folderOf(join(dirname(file), target));
      return to !== folder && !mayImport[folder]?.includes(to);
    })
    .map(({ file, target }) => `${file} imports ${target}`);
  assert.deepEqual(wrong, []);
});

test('rooms of a program import in their order only, and every room has its place in it', () => {
  for (const [program, rows] of Object.entries(roomOrder)) {
    const rowOf = new Map(rows.flatMap((rooms, row) => rooms.map((room) => [room, row] as const)));
    const inside = imports.filter(
      (found) =>
        found.folder === program && found.target.startsWith('.') && folderOf(targetOf(found)) === program,
    );
    assert.ok(inside.length > 100, `only ${inside.length} imports within src/${program}`);
    const rooms = new Set(sources.filter((file) => folderOf(file) === program).map(roomOf));
    assert.deepEqual([...rooms].sort(), [...rowOf.keys()].sort(), `the rooms of src/${program}`);
    const wrong = inside.filter((found) => {
      const [from, to] = [roomOf(found.file), roomOf(targetOf(found))];
      return from !== to && (rowOf.get(from) ?? 0) >= (rowOf.get(to) ?? 0);
    });
    assert.deepEqual(
      wrong.map(({ file, target }) => `${file} imports ${target}`),
      [],
    );
  }
});

test('no file imports itself by way of others, types included', () => {
  const targets = new Map<string, string[]>(sources.map((file) => [file, []]));
  for (const found of imports) {
    if (found.target.startsWith('.')) targets.get(found.file)?.push(targetOf(found));
  }
  // A file is taken away once nothing that it imports is left; what stays is in a cycle or leads into one.
  const left = new Map(targets);
  for (let before = -1; before !== left.size;) {
    before = left.size;
    for (const [file, imported] of left) {
      if (!imported.some((target) => left.has(target))) left.delete(file);
    }
  }
  assert.deepEqual([...left.keys()], []);
});

test('the pure row imports no module of a runtime', () => {
  const wrong = imports.filter(
    ({ folder, target }) => pure.includes(folder) && /^(?:node|bun):/.test(target),
  );
  assert.deepEqual(
    wrong.map(({ file, target }) => `${file} imports ${target}`),
    [],
  );
});

/** The name of the package, with its scope if it has one. */
function packageOf(target: string): string {
  return /^(?:@[^/]+\/)?[^/]+/.exec(target)?.[0] ?? '';
}

test('a package is used only where the table says, and the agent uses none', () => {
  const wrong = imports
    .filter(({ target }) => !target.startsWith('.') && !/^(?:node|bun):/.test(target))
    .filter(({ folder, target }) => !packageUsers[packageOf(target)]?.includes(folder))
    .map(({ file, target }) => `${file} imports ${target}`);
  assert.deepEqual(wrong, []);
});

test('the agent and what it loads use built-in modules of the short list only', () => {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const found of importsOf(file)) {
      if (found.target.startsWith('.') && !found.typeOnly) visit(join(dirname(file), found.target));
    }
  };
  for (const file of sources.filter((name) => ['agent', '.'].includes(folderOf(name)))) visit(file);
  assert.ok(reached.size > 20, `only ${reached.size} files`);
  const wrong = [...reached]
    .flatMap(importsOf)
    .filter(({ target, typeOnly }) => !typeOnly && !target.startsWith('.') && !agentModules.has(target))
    .filter(({ file, target }) => moreModules[file]?.includes(target) !== true)
    .map(({ file, target }) => `${file} imports ${target}`);
  assert.deepEqual(wrong, []);
});

test('one file touches the foreign function interface', () => {
  const files = sources.filter((file) =>
    /['"](?:node|bun):ffi['"]/.test(readFileSync(join(root, file), 'utf8')),
  );
  assert.deepEqual(files, ['src/system/ffi.ts']);
});

test('only the commands read the command line and the environment, and end the process', () => {
  const wrong = sources
    .filter((file) => folderOf(file) !== 'cli')
    .flatMap((file) => {
      const text = readFileSync(join(root, file), 'utf8').replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '');
      return [...text.matchAll(/\bprocess\.(?:argv|exit)\b/g)].map(([found]) => `${file}: ${found}`);
    });
  assert.deepEqual(wrong, []);
});

test('no file is longer than 400 lines, no test longer than 700, and none has a default export', () => {
  const files = globSync('{src,test,scripts,bench,fuzz}/**/*.{ts,tsx}', { cwd: root });
  assert.ok(files.length > sources.length);
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8');
    assert.ok(text.split('\n').length <= (file.startsWith('test/') ? 701 : 401), `${file} is too long`);
    assert.ok(!/^export default\b/m.test(text), `${file} has a default export`);
  }
});

/** What the linter finds with the project's own rules, as `rule: file`. */
function lintFindings(files: readonly string[]): readonly string[] {
  const { stdout, error } = spawnSync(
    join(root, 'node_modules/.bin/oxlint'),
    ['-c', join(root, '.oxlintrc.json'), '--report-unused-disable-directives', '-f', 'json', ...files],
    { cwd: root, encoding: 'utf8' },
  );
  assert.equal(error, undefined);
  // The linter's own format; what it has no findings of it says so by an empty list.
  const { diagnostics } = JSON.parse(stdout) as {
    readonly diagnostics: readonly {
      readonly code?: string;
      readonly message: string;
      readonly filename: string;
    }[];
  };
  return diagnostics.map(({ code, message, filename }) => `${code ?? message}: ${filename}`);
}

test('no function of the source is longer than 60 lines or takes more than four parameters, but where it says why', async () => {
  assert.deepEqual(lintFindings(['src', 'scripts', 'bench', 'fuzz']), []);
  // The exceptions, each with its reason; one that is needed no more is a finding, by the linter.
  const allowed = new Map([['src/system/ffi.ts', 4]]);
  for (const file of globSync('{src,scripts,bench,fuzz}/**/*.{ts,tsx}', { cwd: root })) {
    const text = readFileSync(join(root, file), 'utf8');
    const found = [...text.matchAll(/(?:eslint|oxlint)-disable\S* max-(?:params|lines-per-function)\b(.*)/g)];
    assert.equal(found.length, allowed.get(file) ?? 0, `${file} has other exceptions than the list`);
    for (const [line, reason = ''] of found) assert.match(reason, /^ -- \S{2,}/, line);
  }
  // The rule sees methods and functions without a name, and knows what strings, templates and patterns are.
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'planted.ts');
  const lines = (count: number): string => "  take('}', `}${1}`, /[}]/);\n".repeat(count);
  const planted = (count: number): string =>
    `import { take } from './take.ts';\n\nexport class A {\n  run(): void {\n${lines(count)}  }\n}\n\n` +
    `export const b = (): void => {\n${lines(count)}};\n`;
  writeFileSync(file, planted(58));
  assert.deepEqual(lintFindings([file]), []);
  writeFileSync(file, planted(59));
  assert.equal(lintFindings([file]).length, 2);
  writeFileSync(
    file,
    'export function f(a: 1, b: 1, c: 1, d: 1, e: 1): number {\n  return a + b + c + d + e;\n}\n',
  );
  assert.equal(lintFindings([file]).length, 1);
  writeFileSync(
    file,
    '// eslint-disable-next-line max-params -- it took five\nexport const f = (a: 1): number => a;\n',
  );
  assert.equal(lintFindings([file]).length, 1);
});

test('a test that is named after a source file stands at the mirrored path, and every source file is loaded by a test', () => {
  const tests = globSync('test/**/*.ts', { cwd: root });
  const places = new Map<string, string[]>();
  for (const file of sources) {
    const [name = ''] = file.split('/').slice(-1);
    places.set(name, [...(places.get(name) ?? []), file]);
  }
  const scenarios = /^test\/(?:e2e|attacks|hardening|clients|conformance|deploy|support)\//;
  const misplaced = tests.filter((file) => {
    const named = places.get((file.split('/').at(-1) ?? '').replace(/\.test\.ts$/, '.ts')) ?? [];
    const mirrored = file.replace(/^test/, 'src').replace(/\.test\.ts$/, '.ts');
    return (
      file.endsWith('.test.ts') && named.length > 0 && !named.includes(mirrored) && !scenarios.test(file)
    );
  });
  assert.deepEqual(misplaced, []);
  const loaded = new Set<string>();
  // The programs are started, not imported.
  const waiting = [
    ...tests,
    ...['main', 'single-file', 'single-file-gateway'].map((name) => `src/cli/${name}.ts`),
    // The console is built, and opened in a browser.
    'src/console/main.tsx',
  ];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (loaded.has(file) || !existsSync(join(root, file))) continue;
    loaded.add(file);
    waiting.push(...importsOf(file).map(targetOf));
  }
  assert.deepEqual(
    sources.filter((file) => !loaded.has(file) && !file.endsWith('.d.ts')),
    [],
  );
});

test('no file names this machine, nor the host of the registry that npm uses here', () => {
  const asked = spawnSync('npm', ['config', 'get', 'registry'], {
    cwd: root,
    encoding: 'utf8',
    shell: false,
  });
  const registry =
    asked.status === 0 && URL.canParse(asked.stdout.trim())
      ? new URL(asked.stdout.trim()).hostname
      : undefined;
  const unwanted = [registry, root.replace(/\/$/, '')].filter(
    (text) => text !== undefined && text.length > 4,
  );
  const files = projectFiles();
  assert.ok(files.length > 100, `only ${files.length} files`);
  const wrong = files.filter((file) => {
    const text = readFileSync(join(root, file), 'latin1');
    return unwanted.some((needle) => text.includes(needle!));
  });
  assert.deepEqual(wrong, []);
});

test('every link between the documents leads to a file that is there', () => {
  const documents = projectFiles().filter((file) => file.endsWith('.md'));
  assert.ok(documents.length >= 5, `only ${documents.length} documents`);
  const broken = documents.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '');
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^(?:[a-z]+:|#)/.test(target))
      .filter((target) => !existsSync(join(root, dirname(file), target.split('#')[0]!)))
      .map((target) => `${file}: ${target}`);
  });
  assert.deepEqual(broken, []);
});

test('every invariant of ARCHITECTURE.md names tests that are there', () => {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  const named = [...text.matchAll(/`([^`]+)` in (test\/\S+\.test\.ts)/g)];
  assert.ok(named.length >= 10, `only ${named.length} tests are named`);
  for (const [, name = '', file = ''] of named) {
    assert.ok(readFileSync(join(root, file), 'utf8').includes(name), `${file} has no test "${name}"`);
  }
});

test('every guarantee of SECURITY.md names files or folders of tests that are there', () => {
  const text = readFileSync(join(root, 'SECURITY.md'), 'utf8');
  const named = [...text.matchAll(/\btest\/[\w./-]+/g)].map(([path]) => path.replace(/[.,]$/, ''));
  assert.ok(named.length >= 12, `only ${named.length} are named`);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  );
});
