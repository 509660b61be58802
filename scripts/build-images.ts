// `npm run build:images -- [--arch x64|arm64 …] [--agent-x64 FILE …] [--tag TAG] [--root DIR --runroot DIR] [--out DIR]`: images that have a single file, the
// libraries that it is linked with, the authorities of the system, and nothing else. By buildah, from packages of Debian; no image is pulled. With
// two architectures the tag is a manifest of both. The same input gives the same digest.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { type Architecture, makeImageRoot } from './images/image-root.ts';
import { givenSingleFile } from './release/given-single-file.ts';
import { programLicenses } from './release/program-licenses.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const architectures = { x64: 'amd64', arm64: 'arm64' } as const;

const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: [process.arch] },
    'agent-x64': { type: 'string' },
    'agent-arm64': { type: 'string' },
    'gateway-x64': { type: 'string' },
    'gateway-arm64': { type: 'string' },
    tag: { type: 'string', default: 'latest' },
    root: { type: 'string' },
    runroot: { type: 'string' },
    out: { type: 'string' },
  },
});

/** How each is started. Users are numbers: Kubernetes can tell that they are not root, and no file has to name them. */
const images = {
  agent: {
    user: 65_532,
    program: 'upstreamproxy-agent',
    // With a token that is mounted, and the address of a gateway.
    options: ['--entrypoint', '["/usr/local/bin/upstreamproxy-agent"]'],
  },
  gateway: {
    user: 10_001,
    program: 'upstreamproxy',
    options: [
      '--cmd',
      '["upstreamproxy", "gateway", "--config", "/etc/upstreamproxy/gateway.yaml"]',
      '--port',
      '8443',
    ],
  },
} as const;
type Name = keyof typeof images;

const place = [
  ...(values.root === undefined ? [] : ['--root', resolve(values.root)]),
  ...(values.runroot === undefined ? [] : ['--runroot', resolve(values.runroot)]),
];

function run(file: string, args: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(file, args, { cwd: root, encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  throw new Error(`${file} ${args.join(' ')} ended with ${status ?? error?.message}\n${stdout}${stderr}`);
}

const buildah = (...args: readonly string[]): string => run('buildah', [...place, ...args]);

function exists(name: string): boolean {
  return buildah('images', '--format', '{{.Name}}:{{.Tag}}').split('\n').includes(name);
}

/** Gives the id of the image. */
function makeImage(name: Name, architecture: Architecture, licences: string): string {
  const { user, program, options } = images[name];
  const tree = join(work, `${name}-${architecture}`);
  mkdirSync(tree);
  const option = `${name}-${architecture}` as const;
  const given = values[option];
  const file = givenSingleFile({ program: name, architecture, option: `--${option}`, given, work });
  makeImageRoot(tree, { name, program, user, architecture, file, licences });
  const container = buildah('from', 'scratch');
  try {
    buildah('copy', '--quiet', container, tree, '/');
    const id = `${user}:${user}`;
    const common = [
      '--arch',
      architectures[architecture],
      '--os',
      'linux',
      '--user',
      id,
      '--workingdir',
      '/',
    ];
    buildah('config', ...common, '--env', 'PATH=/usr/local/bin', ...options, container);
    // Timestamps are in files, layers and history: with one of no time the digest says what is in the image, and nothing else.
    return buildah('commit', '--quiet', '--timestamp', '0', container);
  } finally {
    buildah('rm', container);
    rmSync(tree, { recursive: true });
  }
}

const wanted = values.arch.filter((one): one is Architecture => Object.hasOwn(architectures, one));
if (wanted.length !== values.arch.length) throw new Error('--arch is x64 or arm64');
// Folders have the same mode, whoever builds.
process.umask(0o022);
const work = mkdtempSync(join(tmpdir(), 'upstreamproxy-images-'));
try {
  for (const name of ['agent', 'gateway'] as const) {
    const list = `localhost/upstreamproxy-${name}:${values.tag}`;
    const licences = programLicenses(name);
    const ids = wanted.map((architecture) => makeImage(name, architecture, licences));
    if (ids.length === 1) buildah('tag', ids[0] ?? '', list);
    else {
      // An earlier build may have left an image or a manifest of this name.
      if (exists(list)) buildah('rmi', list);
      buildah('manifest', 'create', list);
      for (const id of ids) buildah('manifest', 'add', list, id);
    }
    console.log(`${list} ${ids.join(' ')}`);
    if (values.out === undefined) continue;
    mkdirSync(values.out, { recursive: true });
    const target = `oci-archive:${join(resolve(values.out), `upstreamproxy-${name}.tar`)}`;
    if (ids.length === 1) buildah('push', '--quiet', list, target);
    else buildah('manifest', 'push', '--all', list, target);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
